"""Pages under a strict policy: the one of docs/csp.md, with the tag that `peerpool embed` prints, in both browsers."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from e2e.conftest import Run
from e2e.harness.bed import Bed
from e2e.harness.browsers import BrowserName, Browsers
from e2e.harness.child import REPOSITORY
from e2e.harness.page_server import SCRIPT, File, PageServer, player_page
from e2e.harness.site_viewer import open_site
from e2e.harness.viewers import wait_until

BOTH: list[BrowserName] = ["chromium", "firefox"]
NOTICE = "[data-floating]"


def documented_policy(bed: Bed) -> str:
    """Return the header of docs/csp.md with the hosts of the test bed in it."""
    found = re.search(r"^Content-Security-Policy: (.+)$", (REPOSITORY / "docs" / "csp.md").read_text(), re.MULTILINE)
    assert found is not None
    policy = found[1].replace("https://cdn.example", bed.origin.url)
    return policy.replace("wss://tracker.example", bed.tracker.url.replace("http", "ws")).replace(
        "https://tracker.example", bed.tracker.url
    )


async def embed(*arguments: str) -> str:
    """Run `peerpool embed`, and return what it prints."""
    command = str(Path(sys.executable).with_name("peerpool"))
    process = await asyncio.create_subprocess_exec(command, "embed", *arguments, stdout=asyncio.subprocess.PIPE)
    printed, _ = await process.communicate()
    assert process.returncode == 0
    return printed.decode()


@pytest.fixture
def site() -> Iterator[PageServer]:
    with PageServer() as server:
        yield server


@pytest.mark.parametrize("browser", BOTH)
def test_a_strict_page_plays_shares_and_asks(
    run: Run, browsers: Browsers, bed: Bed, site: PageServer, browser: BrowserName
) -> None:
    async def scenario() -> None:
        tag = await embed("--tracker", bed.tracker.url)
        url = site.put_page("/strict", player_page(tag), {"Content-Security-Policy": documented_policy(bed)})
        viewers = [await open_site(browsers, browser, f"{url}?src={quote(bed.src('live'))}") for _ in range(2)]

        async def sharing() -> bool:
            return sum([await viewer.bytes("fromPeers") for viewer in viewers]) > 0

        for viewer in viewers:
            await viewer.plays_on(2)
        await wait_until(sharing, 30, "one of them gets something from the other")
        first = viewers[0]
        await first.page.evaluate("() => PeerPool.notice()")
        await first.page.get_by_role("button", name="Allow").wait_for()
        assert await first.page.locator(NOTICE).evaluate("(host) => getComputedStyle(host).position") == "fixed"
        ground = "(host) => getComputedStyle(host.shadowRoot.querySelector('section')).borderTopWidth"
        assert await first.page.locator(NOTICE).evaluate(ground) == "1px", "its style sheet is in force"
        for viewer in viewers:
            assert (await viewer.seen())["violations"] == []
            assert viewer.problems == []
            assert await viewer.page.evaluate("() => demo.errors.filter((error) => error.startsWith('fatal'))") == []

    run(scenario())


def test_the_policy_is_in_force_there(run: Run, browsers: Browsers, bed: Bed, site: PageServer) -> None:
    async def scenario() -> None:
        tag = await embed("--tracker", bed.tracker.url)
        url = site.put_page("/strict", player_page(tag), {"Content-Security-Policy": documented_policy(bed)})
        viewer = await open_site(browsers, "chromium", f"{url}?src={quote(bed.src('live'))}")
        await viewer.page.evaluate("() => { try { document.body.innerHTML = '<b>x</b>'; } catch {} }")
        await viewer.page.evaluate("() => { fetch('http://127.0.0.1:9/').catch(() => {}); }")

        async def noticed() -> bool:
            return len((await viewer.seen())["violations"]) >= 2

        await wait_until(noticed, 5, "the browser says what it forbade")

    run(scenario())


@pytest.mark.parametrize("browser", BOTH)
def test_a_changed_byte_is_refused(
    run: Run, browsers: Browsers, bed: Bed, site: PageServer, browser: BrowserName
) -> None:
    async def scenario() -> None:
        tag = await embed("--tracker", bed.tracker.url)
        library = re.search(r'src="([^"]+)"', tag.partition("<script")[2])
        assert library is not None
        async with httpx.AsyncClient(trust_env=False) as client:
            body = (await client.get(library[1])).raise_for_status().content
        cross_origin = {"Access-Control-Allow-Origin": "*"}
        for name, script, loaded in (("true", body, True), ("false", body + b" ", False)):
            site.files[f"/{name}.js"] = File(script, SCRIPT, cross_origin)
            own = tag.replace(f'src="{library[1]}"', f'src="/{name}.js"')
            assert own != tag
            viewer = await open_site(browsers, browser, site.put_page(f"/{name}", player_page(own)))
            assert await viewer.page.evaluate("() => 'PeerPool' in window") is loaded
        # The notice comes from where the library came from: here there is none, and then another one.
        viewer = await open_site(
            browsers, browser, site.put_page("/true", player_page(tag.replace(library[1], "/true.js")))
        )
        notice = re.search(rb"peerpool-notice\.[0-9a-f]{8}\.js", body)
        assert notice is not None
        show = "() => PeerPool.notice().then(() => 'shown', (error) => String(error))"
        site.files[f"/{notice[0].decode()}"] = File(
            b"window.owned = 1; export const showNotice = 0;", SCRIPT, cross_origin
        )
        assert "has been changed" in await viewer.page.evaluate(show)
        assert await viewer.page.evaluate("() => 'owned' in window") is False

    run(scenario())


def contrast(first: str, second: str) -> float:
    """WCAG 2.2's contrast ratio of two computed colours."""

    def luminance(colour: str) -> float:
        channels = [int(number) / 255 for number in re.findall(r"\d+", colour)[:3]]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    lighter, darker = sorted([luminance(first), luminance(second)], reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


COLOURS = """(host) => {
  const of = (selector) => getComputedStyle(host.shadowRoot.querySelector(selector));
  return [
    [of("p").color, of("section").backgroundColor],
    [of(".more").color, of("section").backgroundColor],
    [of(".answer").color, of(".answer").backgroundColor],
  ];
}"""
FOCUSED = """() => {
  let at = document.activeElement;
  while (at.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
  return at.textContent;
}"""
DIRECTIONS = """(host) => [...host.shadowRoot.querySelectorAll("section, p, .answer")].map(
  (element) => getComputedStyle(element).direction,
)"""


@pytest.mark.parametrize("browser", BOTH)
def test_the_notice_can_be_read_and_used_by_keyboard(
    run: Run, browsers: Browsers, bed: Bed, site: PageServer, browser: BrowserName
) -> None:
    async def scenario() -> None:
        tag = await embed("--tracker", bed.tracker.url, "--consent")
        url = site.put_page("/", player_page(tag).replace('<html lang="en">', '<html lang="ar" dir="rtl">'))
        viewer = await open_site(browsers, browser, f"{url}?src={quote(bed.src('live'))}")
        page = viewer.page
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
            await page.evaluate("() => PeerPool.notice({ text: 'نص', labels: { allow: 'سماح' } })")
            notice = page.locator(NOTICE)
            assert all(contrast(*pair) >= 4.5 for pair in await notice.evaluate(COLOURS)), scheme
            motion = "(host) => getComputedStyle(host.shadowRoot.querySelector('section')).animationName"
            # Firefox cannot be told what its viewer prefers; it has what the machine has.
            is_reduced = await page.evaluate("() => matchMedia('(prefers-reduced-motion: reduce)').matches")
            assert is_reduced or browser == "firefox"
            assert await notice.evaluate(motion) == ("none" if is_reduced else "appear")
            assert await notice.count() == 1
        region = page.get_by_role("region", name="Share this stream with other viewers?")
        await region.wait_for()
        assert await notice.evaluate(DIRECTIONS) == ["rtl", "rtl", "ltr", "rtl", "ltr"], (
            "ours are English, theirs are the page's"
        )
        assert await page.evaluate("() => document.activeElement === document.body"), "it takes no focus unasked"
        order = []
        for _ in range(4):
            await page.keyboard.press("Tab")
            order.append(await page.evaluate(FOCUSED))
        assert order == ["سماح", "Decline", "What is this?", "First"], "in order, and not trapped"
        await page.keyboard.press("Shift+Tab")
        await page.keyboard.press("Enter")
        assert await page.get_by_text("They can see your IP address").is_visible()
        await page.keyboard.press("Escape")
        assert await notice.count() == 0
        assert await page.evaluate("() => PeerPool.consent()") == "unasked"
        await page.locator("#first").focus()
        await page.evaluate("() => PeerPool.notice({ reopen: true })")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        assert await page.evaluate("() => PeerPool.consent()") == "denied"
        assert await page.evaluate("() => document.activeElement.id") == "first"
        await page.evaluate("() => PeerPool.notice()")
        assert await notice.count() == 0, "who has answered is not asked again"
        await page.evaluate("() => PeerPool.notice({ reopen: true, link: '/privacy' })")
        assert await notice.evaluate("(host) => host.shadowRoot.querySelector('a').href") == f"{site.url}/privacy"
        await page.get_by_role("button", name="Allow").click()
        assert await page.evaluate("() => PeerPool.consent()") == "granted"
        refused = "() => PeerPool.notice({ reopen: true, link: 'javascript:alert(1)' }).then(() => '', String)"
        assert "TypeError" in await page.evaluate(refused)

    run(scenario())
