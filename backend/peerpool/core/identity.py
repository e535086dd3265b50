"""Who is who, from what manifests say (docs/wire-protocol.md section 1), as static/js/core/identity.js has it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Final

from peerpool.core import constants as c
from peerpool.core.urls import Url, parse

KIND_MEDIA: Final = 0
KIND_INIT: Final = 1
KIND_FILE: Final = 3
TRACK_KEYS: Final = (
    "type", "codecs", "resolution", "frame_rate", "language", "channels", "name", "bandwidth", "group",
)  # fmt: skip
# Tokens in the path that CDNs take away before they look for the file: Akamai's and bunny.net's.
_PATH_TOKEN: Final = re.compile(r"/(?:hdn(?:ts|tl|ea)|bcdn_token)=[^/]*(?=/)")
# What `String.prototype.trim` takes away, which is not what `str.strip` does.
_JS_SPACE: Final = "\t\n\v\f\r \u00a0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff" + "".join(
    map(chr, range(0x2000, 0x200B))
)


def content_name(manifest_url: str) -> str:
    """Return the name of a content that the page gave none: host and path of its manifest. Raises Malformed."""
    url = parse(manifest_url)
    return url.host + _without_tokens(url.path)


def content_id(name: str) -> str:
    """Return the content's id, 40 hex digits."""
    line = f"{c.PROTOCOL}:content:{name}"  # from JSON too, where half a surrogate pair can be
    return hashlib.sha256(line.encode(errors="surrogatepass")).hexdigest()[: c.CONTENT_ID_HEX_CHARS]


def trim(text: str) -> str:
    """Return `text` without white space around it, as browsers see it."""
    return text.strip(_JS_SPACE)


def canonical_track(description: Mapping[str, str]) -> str:
    """Return the line that a track id is the hash of; an empty value is none."""
    pairs = []
    for key in TRACK_KEYS:
        text = description.get(key, "")
        if text:
            text = trim(text).lower()
            pairs.append(f"{key}={_sorted_codecs(text) if key == 'codecs' else text}")
    return ";".join(pairs)


def track_id(description: Mapping[str, str]) -> str:
    """Return the track's id, 16 hex digits."""
    line = canonical_track(description)
    return hashlib.sha256(f"{c.PROTOCOL}:track:{line}".encode()).hexdigest()[: c.TRACK_ID_HEX_CHARS]


def init_number(url: Url, offset: int) -> int:
    """Return the number of an init segment, whose byte range begins at `offset` (0 without one)."""
    return int.from_bytes(hashlib.sha256(f"{_without_tokens(url.path)}@{offset}".encode()).digest()[:4], "big")


def canonical_file(size_bytes: int, etag: str | None, modified_s: int | None) -> str:
    """Return the line that a file's track id is the hash of: its size, and its strong ETag or else Last-Modified."""
    validator = f"modified={modified_s}" if etag is None else f"etag={etag}"
    return f"size={size_bytes};{validator}"


def file_track_id(size_bytes: int, etag: str | None, modified_s: int | None) -> str:
    """Return the track id of a file's blocks, 16 hex digits."""
    line = canonical_file(size_bytes, etag, modified_s)
    return hashlib.sha256(f"{c.PROTOCOL}:file:{line}".encode()).hexdigest()[: c.TRACK_ID_HEX_CHARS]


def _without_tokens(path: str) -> str:
    return _PATH_TOKEN.sub("", path)


def _sorted_codecs(text: str) -> str:
    codecs = [trim(codec) for codec in text.split(",")]
    # JavaScript compares UTF-16 code units.
    return ",".join(sorted(codecs, key=lambda codec: codec.encode("utf-16-be", "surrogatepass")))
