"""The demo page, given what would run if anything of it were taken for more than text or a stream's URL."""

from __future__ import annotations

import json
from urllib.parse import quote

import httpx
import pytest

from e2e.conftest import Run
from e2e.harness.bed import Bed
from e2e.harness.browsers import BrowserName, Browsers
from e2e.harness.site_viewer import open_site

BOTH: list[BrowserName] = ["chromium", "firefox"]
RUN = "window.seen.dialogs += 1"
HOSTILE = [
    f"<script>{RUN}</script>",
    f'"><img src=x onerror="{RUN}">',
    f"' autofocus onfocus='{RUN}",
    f"</title><svg onload='{RUN}'>",
    f"javascript:{RUN}",
    f"data:text/html,<script>{RUN}</script>",
    f'https://cdn.invalid/"><script>{RUN}</script>',
    "{{ 7 * 7 }} {% raw %}",
    "\u202etxt.3u8m\u202d\u2066",
    "a\0b\r\nSet-Cookie: x=y",
    "x" * 9000,
]
NOT_LOADED = "Same Origin Policy"  # so Firefox says that a stream's host does not answer
PLAYED = "() => ({ ...seen, src: document.body.dataset.src, title: document.title, scripts: document.scripts.length })"


@pytest.mark.parametrize("browser", BOTH)
def test_nothing_of_what_a_link_says_runs(run: Run, browsers: Browsers, bed: Bed, browser: BrowserName) -> None:
    async def scenario() -> None:
        plain = await open_site(browsers, browser, bed.demo_url)
        scripts = (await plain.page.evaluate(PLAYED))["scripts"]
        for text in HOSTILE:
            for parameters in (("src",), ("name", "level")):
                viewer = plain
                query = "&".join(f"{name}={quote(text)}" for name in parameters)
                await viewer.page.goto(f"{bed.demo_url}?{query}", wait_until="load")
                await viewer.page.wait_for_function(
                    "() => window.demo && document.getElementById('buffer').textContent.endsWith(' s')"
                )
                played = await viewer.page.evaluate(PLAYED)
                assert (played["dialogs"], played["scripts"]) == (0, scripts), text
                assert played["src"] == "" or played["src"].startswith("https://"), text
                assert [problem for problem in viewer.problems if NOT_LOADED not in problem] == [], text
        turned = "\u202eabc"
        await plain.page.goto(f"{bed.demo_url}?name={quote(turned)}")
        assert await plain.page.evaluate("() => document.querySelector('header bdi').textContent") == turned

    run(scenario())


def test_what_hostile_clients_call_themselves_is_data(run: Run, bed: Bed) -> None:
    async def scenario() -> None:
        async with httpx.AsyncClient(trust_env=False) as client:
            for text in HOSTILE[:5]:
                headers = {"User-Agent": text, "Referer": text, "Origin": text}
                for path in (
                    "/demo",
                    "/stats",
                    "/metrics",
                    "/healthz",
                    f"/{quote(text)}",
                    f"/api/peers/{quote(text, safe='')}",
                ):
                    answer = await client.get(f"{bed.tracker.url}{path}", headers=headers)
                    assert f"<script>{RUN}" not in answer.text, path
                    assert RUN not in json.dumps(dict(answer.headers)), path
                    is_page = answer.headers.get("content-type", "").startswith("text/html")
                    assert is_page == (path == "/demo"), path
            page = (await client.get(bed.demo_url)).headers
        policy = page["content-security-policy"]
        assert "script-src 'self';" in policy
        assert "frame-ancestors 'self'" in policy
        assert page["x-content-type-options"] == "nosniff"
        assert page["x-frame-options"] == "SAMEORIGIN"
        assert page["referrer-policy"] == "no-referrer"
        assert page["cross-origin-opener-policy"] == "same-origin"
        assert "geolocation=()" in page["permissions-policy"]

    run(scenario())
