"""What a site has to paste, with the integrity of exactly this build: tag, module, service worker."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from peerpool.bundle import BundledFile, Manifest
from peerpool.core.constants import MAX_SITE_CHARS, MAX_TOKEN_CHARS
from peerpool.core.errors import ConfigError, TrackerCheckError
from peerpool.core.messages import SITE_PATTERN

CHECK_TIMEOUT_S: Final = 10
WORKER_PATTERN: Final = r"/[^/\s?#][^\s?#]*\.js"


@dataclass(frozen=True, slots=True)
class Embedding:
    """What a page says of itself; empty texts are not said. `tracker` is an origin."""

    tracker: str
    site: str = ""
    content: str = ""
    token: str = ""
    worker: str = ""
    asks_consent: bool = False
    intercepts: bool = True

    def __post_init__(self) -> None:
        """Raise ConfigError for what is no tracker, site, token or worker."""
        object.__setattr__(self, "tracker", _origin(self.tracker))
        if self.site and not re.match(SITE_PATTERN, self.site):
            raise ConfigError(f"--site is at most {MAX_SITE_CHARS} letters, digits, _ and -, as in sites.toml")
        if len(self.token) > MAX_TOKEN_CHARS:
            raise ConfigError(f"--token is at most {MAX_TOKEN_CHARS} characters, as `peerpool token` prints it")
        if self.worker and not re.fullmatch(WORKER_PATTERN, self.worker):
            raise ConfigError("--worker is the path of a file of the page's own site: /peerpool-sw.js")

    @property
    def options(self) -> dict[str, str]:
        """Return the library's options but for the tracker, as static/js/options.js names them."""
        said = {
            "content": self.content,
            "consent": "required" if self.asks_consent else "",
            "site": self.site,
            "token": self.token,
            "worker": self.worker,
            "intercept": "" if self.intercepts else "off",
        }
        return {name: value for name, value in said.items() if value}


def script_tag(manifest: Manifest, page: Embedding) -> str:
    """Return HTML to paste before the player's own script."""
    library = manifest["peerpool.js"]
    attributes = {
        "src": f"{page.tracker}/{library.hashed_name}",
        "integrity": library.integrity,
        "crossorigin": "anonymous",
        **{f"data-{name}": value for name, value in page.options.items()},
    }
    written = " ".join(f'{name}="{html.escape(value)}"' for name, value in attributes.items())
    return (
        "<!-- Before the player's script. The browser refuses this file if a byte of it is not what was built here.\n"
        "     Print the tag again when the tracker is updated: it serves the files of its own version only. Where\n"
        f'     nobody can see to that: src="{page.tracker}/peerpool.js", the newest, without integrity. -->\n'
        f"<script {written}></script>"
    )


def import_map(manifest: Manifest, page: Embedding) -> str:
    """Return HTML that gives a page's modules the library by name, and shares what its players load."""
    library = manifest["peerpool.esm.js"]
    url = f"{page.tracker}/{library.hashed_name}"
    mapped = {"imports": {"media-peerpool": url}, "integrity": {url: library.integrity}}
    return (
        "<!-- Before the page's other module scripts. Browsers without integrity in import maps do not check it. -->\n"
        f'<script type="importmap">\n{_script_json(mapped, indent=2)}\n</script>\n'
        f'<script type="module">\n{_module(page)}\n</script>'
    )


def npm_module(manifest: Manifest, page: Embedding) -> str:
    """Return a module for a page that a bundler builds, with the npm package installed."""
    return (
        f"// With the tarball of `peerpool package` installed. Before the module that makes players.\n{_module(page)}"
    )


def worker_script(manifest: Manifest, page: Embedding) -> str:
    """Return the service worker's file, for media elements and images (docs/files.md)."""
    path = page.worker or "/peerpool-sw.js"
    return (
        f'// The file {path} of the page\'s own site; its script tag says data-worker="{path}".\n'
        f"importScripts({json.dumps(page.tracker + '/peerpool-sw.js')});"
    )


FORMS: Final[dict[str, Callable[[Manifest, Embedding], str]]] = {
    "tag": script_tag,
    "module": import_map,
    "npm": npm_module,
    "worker": worker_script,
}


def check_tracker(file: BundledFile, tracker: str) -> None:
    """Fetch `file` from the tracker as a page would. Raises ConfigError, and TrackerCheckError for no such build."""
    url = f"{_origin(tracker)}/{file.hashed_name}"
    try:
        with urllib.request.urlopen(url, timeout=CHECK_TIMEOUT_S) as answer:  # noqa: S310 (http or https: _origin)
            body = answer.read()
            shared_with = answer.headers.get("Access-Control-Allow-Origin")
    except urllib.error.HTTPError as error:
        raise TrackerCheckError(
            f"{url} answers {error.code}: no tracker is there, or one of another version; print the tag where it runs"
        ) from None
    except (OSError, ValueError) as error:
        raise TrackerCheckError(
            f"{url} cannot be had ({error}); is the tracker running, and --tracker its URL?"
        ) from None
    if f"sha384-{base64.b64encode(hashlib.sha384(body).digest()).decode()}" != file.integrity:
        raise TrackerCheckError(f"{url} is not the file that was built here: something between changes it")
    if shared_with != "*":
        raise TrackerCheckError(
            f"{url} lacks Access-Control-Allow-Origin: * (let the proxy pass the tracker's headers on)"
        )


def _module(page: Embedding) -> str:
    options = {"tracker": page.tracker} | {name: value for name, value in page.options.items() if name != "intercept"}
    lines = [
        'import * as PeerPool from "media-peerpool";',
        "",
        f"PeerPool.configure({_script_json(options)});",
        *(
            ["PeerPool.intercept(); // what players load; or PeerPool.attach(player), before it has its source"]
            if page.intercepts
            else []
        ),
        "PeerPool.elements(); // links, media and images with data-peerpool",
    ]
    return "\n".join(lines)


def _script_json(value: object, indent: int | None = None) -> str:
    """Return JSON that ends no script element."""
    return json.dumps(value, indent=indent).replace("<", "\\u003c")


def _origin(tracker: str) -> str:
    try:
        parts = urlsplit(tracker)
        port = parts.port
    except ValueError:
        raise ConfigError(f"--tracker is a URL such as https://tracker.example, not {tracker!r}") from None
    host = parts.hostname or ""
    is_clean = (
        re.fullmatch(r"[a-z0-9.:_-]+", host) and parts.path in ("", "/") and not parts.query and "@" not in tracker
    )
    if parts.scheme not in ("http", "https") or not is_clean:
        raise ConfigError(f"--tracker is a scheme, a host and perhaps a port: https://tracker.example, not {tracker!r}")
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + (f":{port}" if port else "")
