"""Attacks on the door: joins that a site's rules refuse (docs/adr/0013). An open tracker takes all of them."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import jwt
from peerpool.core import constants as c

from e2e.attack.caller import Caller, Message
from e2e.attack.outcomes import Figure, Outcome
from e2e.harness.tracker import Tracker
from tests import wire_reference as wire

SECRET: Final = "of the site that is attacked, 32 and more"
OTHER_SECRET: Final = "of another site of the same tracker, 32 +"
ORIGIN: Final = "https://news.example"
NAME: Final = "cdn.example/live/a.m3u8"
SITES: Final = f"""
[[site]]
id = "news"
secrets = ["{SECRET}"]
origins = ["{ORIGIN}"]
contents = ["cdn.example/live/*"]
enabled = true

[[site]]
id = "other"
secrets = ["{OTHER_SECRET}"]
origins = ["https://other.example"]
"""
SWITCH_S: Final = 15.0  # the file is looked at every ten seconds


@dataclass(frozen=True)
class Attempt:
    """One way to join, `times` times; the last of them is the attack, those before are to succeed."""

    token: str | None
    origin: str = ORIGIN
    name: str = NAME
    content: str = wire.content_id(NAME)
    site: str = "news"
    times: int = 1

    def fields(self) -> dict[str, Any]:
        """Return what a `join` has besides the content."""
        token = {} if self.token is None else {"token": self.token}
        name = {"name": self.name} if self.name else {}
        return {"site": self.site, **name, **token}


def claims(**changed: Any) -> dict[str, Any]:
    """Return the claims of a good token, with some of them changed."""
    return {"site": "news", "content": "cdn.example/live/*", "exp": int(time.time()) + 300, **changed}


def token(secret: str = SECRET, **changed: Any) -> str:
    """Sign the claims."""
    return jwt.encode(claims(**changed), secret, "HS256")


def part(value: object) -> str:
    """Encode a part of a JWT."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def tampered() -> str:
    """Take another's good token, and stretch what it is good for."""
    head, _, signature = token(content=NAME).split(".")
    return f"{head}.{part(claims(content='*'))}.{signature}"


def unsigned(name: str) -> str:
    """Make a token that says it needs no signature."""
    return f"{part({'alg': name, 'typ': 'JWT'})}.{part(claims())}."


def signed_with_nothing() -> str:
    """Sign with an empty secret, which a library would refuse to do."""
    signed = f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part(claims())}"
    signature = hmac.digest(b"", signed.encode(), "sha256")
    return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


ATTEMPTS: Final[dict[str, Callable[[], Attempt]]] = {
    "no token and no Origin": lambda: Attempt(None, origin=""),
    "a forged Origin, no token": lambda: Attempt(None, origin=ORIGIN),
    "a page elsewhere with a stolen token": lambda: Attempt(token(), origin="https://evil.example"),
    "another site's token": lambda: Attempt(token(OTHER_SECRET, site="other")),
    "signed by another site": lambda: Attempt(token(OTHER_SECRET)),
    "expired": lambda: Attempt(token(exp=int(time.time()) - 60)),
    "good for a month": lambda: Attempt(token(exp=int(time.time()) + 30 * 86_400)),
    "replayed over its limit": lambda: Attempt(token(jti="one", uses=2), times=3),
    "a token for another content": lambda: Attempt(token(content="cdn.example/live/b.m3u8")),
    "a content that is not the site's": lambda: Attempt(
        token(content="*"), name="theirs.example/x", content=wire.content_id("theirs.example/x")
    ),
    "another content, without its name": lambda: Attempt(token(), name="", content=wire.content_id("theirs.example/x")),
    "a tampered payload": lambda: Attempt(tampered()),
    "alg none": lambda: Attempt(unsigned("none")),
    "alg nOnE": lambda: Attempt(unsigned("nOnE")),
    "signed with no secret": lambda: Attempt(signed_with_nothing()),
    "no site": lambda: Attempt(token(), site="nobody"),
}


@dataclass
class Doors:
    """Two trackers: an open one, and one with sites whose file can be changed."""

    open: Tracker
    guarded: Tracker
    file: Path
    _content: str = field(default=wire.content_id(NAME))

    def switch(self, *, enabled: bool) -> None:
        """Switch the site on or off, as an operator does: a new file in the place of the old."""
        text = SITES if enabled else SITES.replace("enabled = true", "enabled = false")
        fresh = self.file.with_suffix(".new")
        fresh.write_text(text)
        fresh.replace(self.file)


@asynccontextmanager
async def doors(folder: Path) -> AsyncIterator[Doors]:
    """Run both trackers, for as long as the block runs."""
    file = folder / "sites.toml"
    file.write_text(SITES)
    made = Doors(Tracker(folder / "open"), Tracker(folder / "guarded", env={"PEERPOOL_SITES": str(file)}), file)
    trackers = (made.open, made.guarded)
    try:
        for tracker in trackers:
            await asyncio.to_thread(tracker.start)
        yield made
    finally:
        for tracker in trackers:
            tracker.stop()


async def _try(tracker: Tracker, attempt: Attempt) -> tuple[list[Message], int | None]:
    """Join as often as the attempt says; return the answers, and how the last socket ended (None if it did not)."""
    answers: list[Message] = []
    for _ in range(attempt.times):
        async with Caller(tracker.port, origin=attempt.origin) as caller:
            answers.append(await caller.join(attempt.content, **attempt.fields()))
            code = None if answers[-1]["type"] == "welcome" else await caller.close_code(3)
    return answers, code


async def attempt(doors: Doors, name: str) -> Outcome:
    """One way in that must not be one."""
    tried = ATTEMPTS[name]()
    answers, _ = await _try(doors.open, tried)
    control = answers[-1]["type"] == "welcome"
    answers, code = await _try(doors.guarded, tried)
    broken = []
    if any(answer["type"] != "welcome" for answer in answers[:-1]):
        broken.append("an honest join was refused")
    if answers[-1]["type"] == "welcome":
        broken.append("it was let in")
    elif (answers[-1].get("code"), code) != (c.ERROR_UNAUTHORIZED, c.CLOSE_UNAUTHORIZED):
        broken.append(f"refused with {answers[-1].get('code')} and close {code}")
    return Outcome(control, broken, {"answer": str(answers[-1].get("code", "welcome")), "close": str(code)})


async def honest(doors: Doors) -> Outcome:
    """Take a good token: or refusing everybody would pass."""
    answers, _ = await _try(doors.guarded, Attempt(token()))
    broken = [] if answers[-1]["type"] == "welcome" else [f"refused: {answers[-1]}"]
    return Outcome(None, broken, {"answer": answers[-1]["type"]})


async def switched_off(doors: Doors) -> Outcome:
    """Switch the site off, as its operator: who is in leaves, and nobody comes in."""
    content = wire.content_id(NAME)
    fields = Attempt(token()).fields()
    async with Caller(doors.open.port, origin=ORIGIN) as stays, Caller(doors.guarded.port, origin=ORIGIN) as leaves:
        welcome = await leaves.join(content, **fields)
        await stays.join(content, **fields)
        doors.switch(enabled=False)
        begun_s = time.monotonic()
        try:
            told = await leaves.hear_of({"error"}, SWITCH_S)
            code = await leaves.close_code(3)
            took_s = time.monotonic() - begun_s
            async with Caller(doors.guarded.port, origin=ORIGIN) as late:
                refused = await late.join(content, **fields)
                late_code = await late.close_code(3)
        finally:
            doors.switch(enabled=True)
        await stays.say({"type": "ping"})
        control = (await stays.hear_of({"pong"}, 5)) is not None  # without the file's word a member stays
    broken = [] if welcome["type"] == "welcome" else ["an honest join was refused"]
    if (told or {}).get("code") != c.ERROR_OFF or code != c.CLOSE_OFF:
        broken.append(f"a member was told {told} and closed with {code}")
    if refused.get("code") != c.ERROR_OFF or late_code != c.CLOSE_OFF:
        broken.append(f"a newcomer was told {refused} and closed with {late_code}")
    figures: dict[str, Figure] = {"left after s": took_s}
    return Outcome(control, broken, figures)
