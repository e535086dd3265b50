"""The script tag that a page needs, with the integrity of exactly this build."""

from __future__ import annotations

import html
import re
from urllib.parse import urlsplit

from peerpool.bundle import Manifest
from peerpool.core.constants import MAX_SITE_CHARS
from peerpool.core.errors import ConfigError
from peerpool.core.messages import SITE_PATTERN


def script_tag(manifest: Manifest, tracker: str, site: str = "", *, asks_consent: bool = False) -> str:
    """Return HTML to paste before the player's own script. Raises ConfigError for what is no tracker or site."""
    origin = _origin(tracker)
    if site and not re.match(SITE_PATTERN, site):
        raise ConfigError(f"--site is at most {MAX_SITE_CHARS} letters, digits, _ and -, as in sites.toml")
    library = manifest["peerpool.js"]
    attributes = {
        "src": f"{origin}/{library.hashed_name}",
        "integrity": library.integrity,
        "crossorigin": "anonymous",
        **({"data-site": site} if site else {}),
        **({"data-consent": "required"} if asks_consent else {}),
    }
    written = "\n        ".join(f'{name}="{html.escape(value)}"' for name, value in attributes.items())
    return (
        "<!-- Before the player's script. The browser refuses this file if a byte of it is not what was built here.\n"
        "     Print the tag again when the tracker is updated: it serves the files of its own version only. Where\n"
        f'     nobody can see to that: src="{html.escape(origin)}/peerpool.js", the newest, without integrity. -->\n'
        f"<script {written}></script>"
    )


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
