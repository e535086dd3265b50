"""A Chromium without Playwright: its pages can be hidden, frozen and kept for the way back; Playwright's cannot."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from e2e.harness.browsers import CHROMIUM_FLAGS, BrowserMissing, find
from e2e.harness.viewers import wait_until

# What lets several pages play at once elsewhere is what is looked at here.
NEVER_HIDDEN = {
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--disable-backgrounding-occluded-windows",
}
ANSWER_TIMEOUT_S = 10


class Devtools:
    """The DevTools protocol of one browser: calls one after the other, events are not looked at."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._calls = 0

    async def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Call a method of the browser, or of the page that a session is of."""
        self._calls += 1
        call = {"id": self._calls, "method": method, "params": parameters}
        await self._socket.send(json.dumps(call if session is None else {**call, "sessionId": session}))
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            while True:
                message = json.loads(await self._socket.recv())
                if message.get("id") == self._calls:
                    assert "error" not in message, f"{method}: {message['error']}"
                    return dict(message["result"])

    async def open(self, url: str) -> Tab:
        """Open a page in front of all others."""
        target = (await self.call("Target.createTarget", url="about:blank"))["targetId"]
        session = (await self.call("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
        tab = Tab(self, session)
        await tab.call("Page.navigate", url=url)
        return tab


class Tab:
    """One page."""

    def __init__(self, devtools: Devtools, session: str) -> None:
        self._devtools, self._session = devtools, session

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the page."""
        return await self._devtools.call(method, self._session, **parameters)

    async def evaluate(self, expression: str) -> Any:
        """Evaluate, await and return a value."""
        answer = await self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def back(self) -> None:
        """Go back to the page before this one."""
        history = await self.call("Page.getNavigationHistory")
        before = history["entries"][history["currentIndex"] - 1]
        await self.call("Page.navigateToHistoryEntry", entryId=before["id"])


@asynccontextmanager
async def chromium() -> AsyncIterator[Devtools]:
    """Run a fresh Chromium for as long as the block runs."""
    path = find("chromium")
    if path is None:
        raise BrowserMissing("chromium")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        flags = [flag for flag in CHROMIUM_FLAGS if flag not in NEVER_HIDDEN]
        flags += ["--headless=new", "--remote-debugging-port=0", f"--user-data-dir={profile}"]
        quiet = asyncio.subprocess.DEVNULL
        process = await asyncio.create_subprocess_exec(path, *flags, "about:blank", stdout=quiet, stderr=quiet)
        try:
            port, way = await _address(Path(profile) / "DevToolsActivePort")
            async with connect(f"ws://127.0.0.1:{port}{way}", max_size=None) as socket:
                yield Devtools(socket)
        finally:
            process.terminate()
            await process.wait()


async def _address(file: Path) -> tuple[str, str]:
    """Wait for the port and the path that the browser says it listens at."""

    async def written() -> bool:
        return len(_lines(file)) == 2

    await wait_until(written, 20, "Chromium listens")
    port, way = _lines(file)
    return port, way


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []
