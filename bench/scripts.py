"""Bundles a bench's own page script, with what it imports of the library, and opens pages that run it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from playwright.async_api import BrowserContext, ConsoleMessage, Page

from e2e.harness.child import REPOSITORY
from e2e.harness.origin_client import Origin

BENCH = REPOSITORY / "bench"


def bundle(source: Path, folder: Path) -> Path:
    """Bundle a script for a page into `folder`, and return where it is."""
    target = folder / source.name
    esbuild = [str(REPOSITORY / "node_modules/.bin/esbuild"), str(source), "--bundle", "--format=iife"]
    options = ["--target=es2022", "--log-level=warning", f"--outfile={target}"]
    subprocess.run([*esbuild, *options], check=True, cwd=REPOSITORY, timeout=60)
    return target


async def open_page(context: BrowserContext, origin: Origin, script: Path, problems: list[str]) -> Page:
    """Open a blank page that runs `script`; what it complains of is appended to `problems`."""

    def heard(message: ConsoleMessage) -> None:
        if message.type == "error" and not message.location["url"].endswith("/favicon.ico"):
            problems.append(message.text)

    page = await context.new_page()
    page.on("pageerror", lambda error: problems.append(f"uncaught: {error}"))
    page.on("console", heard)
    await page.goto(f"{origin.url}/pages/blank.html")
    await page.add_script_tag(path=script)
    return page
