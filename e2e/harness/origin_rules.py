"""What the origin does to a request: latency, rate, refusal. Changed at run time, for one viewer or for all."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from pathlib import PurePosixPath
from typing import Any, Literal

RequestClass = Literal["playlist", "init", "media", "other"]
Outage = Literal["", "503", "refuse"]

CONTENT_TYPES = {
    ".m3u8": "application/vnd.apple.mpegurl",
    ".mpd": "application/dash+xml",
    ".ts": "video/mp2t",
    ".m4s": "video/mp4",
    ".mp4": "video/mp4",
    ".vtt": "text/vtt",
    ".html": "text/html",
    ".js": "text/javascript",
}


class BadRules(Exception):
    """A control request asks for what the origin cannot do."""


@dataclass(frozen=True)
class Rule:
    """How one class of requests, or one viewer, is treated."""

    latency_ms: float = 0
    rate_bps: float = 0  # per connection, in bit/s; 0 = as fast as it goes


@dataclass(frozen=True)
class Rules:
    """Everything that can be set; a viewer's own rule replaces the rule of the class."""

    outage: Outage = ""
    accept_ranges: bool = True
    validators: bool = False  # ETag and Last-Modified: browsers cache and revalidate then
    total_rate_bps: float = 0  # of init and media segments to all viewers together, in bit/s; 0 = no cap
    redirects: dict[str, str] = field(default_factory=dict)  # folder -> host of its edge, which it sends everybody to
    classes: dict[str, Rule] = field(default_factory=dict)
    viewers: dict[str, Rule] = field(default_factory=dict)

    def rule(self, request_class: RequestClass, viewer: str) -> Rule:
        """Find the rule for one request."""
        return self.viewers.get(viewer) or self.classes.get(request_class) or Rule()

    def changed(self, change: Any) -> Rules:
        """Copy these rules with the fields of a JSON object replaced."""
        known = {item.name for item in fields(self)}
        if not isinstance(change, dict) or not set(change) <= known:
            raise BadRules(f"expected an object with some of {sorted(known)}")
        values = dict(change)
        if values.get("outage", "") not in ("", "503", "refuse"):
            raise BadRules("outage is one of '', '503', 'refuse'")
        if not isinstance(values.get("total_rate_bps", 0), int | float) or values.get("total_rate_bps", 0) < 0:
            raise BadRules("total_rate_bps is a number, 0 or more")
        for name in {"classes", "viewers"} & set(values):
            try:
                values[name] = {key: Rule(**rule) for key, rule in values[name].items()}
            except (AttributeError, TypeError) as error:
                raise BadRules(f"{name}: {error}") from error
        return replace(self, **values)


class SharedLink:
    """What all transfers go through while there is a total cap: each chunk takes its turn on it, so they share it."""

    def __init__(self) -> None:
        self._free_s = 0.0

    def turn_s(self, size_bytes: int, rate_bps: float, now_s: float) -> float:
        """Take the next turn, and return when the last byte of the chunk has passed."""
        self._free_s = max(self._free_s, now_s) + size_bytes * 8 / rate_bps
        return self._free_s


def classify(path: str) -> RequestClass:
    """Tell the class of a path, by its name alone."""
    name = PurePosixPath(path)
    if name.suffix == ".m3u8":
        return "playlist"
    if name.suffix == ".mp4" and name.name.startswith("init"):
        return "init"
    return "media" if name.suffix in (".ts", ".m4s", ".mp4", ".vtt") else "other"
