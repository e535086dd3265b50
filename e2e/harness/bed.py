"""The whole test bed in one object: media, live stream, origin and tracker, started in order and stopped in reverse."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from e2e.harness import dash_media, excerpt, media
from e2e.harness.live import LiveStream
from e2e.harness.origin_client import Origin
from e2e.harness.tracker import Tracker

Stream = Literal["live", "vod", "vod-ts", "short", "signed", "dash", "dash-live"]
PAGES = Path(__file__).resolve().parents[1] / "pages"


class Bed:
    """A context manager; `folder` takes the live stream's files and every log; the origin serves `mounts` too.

    The tracker follows and signs what is `watched`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        tracker_port: int | None = None,
        origin_port: int | None = None,
        tracker_env: Mapping[str, str] | None = None,
        live: bool = True,
        mounts: Mapping[str, Path] | None = None,
        watched: tuple[Stream, ...] = (),
    ) -> None:
        self.media = media.ensure()
        self.live = LiveStream(self.media, folder / "live")
        streams = {"live": self.live.folder, "vod": self.media.vod("fmp4"), "vod-ts": self.media.vod("ts")}
        streams["short"] = excerpt.cut(self.media.vod("fmp4"), folder / "short")
        streams["dash"] = dash_media.ensure_dash(self.media) / "timeline"
        self.origin = Origin({**streams, "pages": PAGES, **(mounts or {})}, folder, origin_port)
        # Named as an origin in one's own network, for that is what this machine is.
        watch = [{"url": self.src(stream), "fetch_from": self.origin.url} for stream in watched]
        environment = {"PEERPOOL_WATCH": json.dumps(watch)} if watch else {}
        self.tracker = Tracker(folder, tracker_port, {**environment, **(tracker_env or {})})
        self._with_live = live
        self._stack = ExitStack()

    @property
    def demo_url(self) -> str:
        """The demo page."""
        return f"{self.tracker.url}/demo"

    def src(self, stream: Stream) -> str:
        """URL of the manifest of a stream; `dash-live` is there where it is mounted."""
        name = dash_media.MANIFEST if stream.startswith("dash") else media.MULTIVARIANT_NAME
        return f"{self.origin.url}/{stream}/{name}"

    def start(self) -> None:
        """Start everything; returns when tracker and origin answer, and before the live stream can be played."""
        parts: list[LiveStream | Origin | Tracker] = [self.origin, self.tracker]
        for part in [self.live, *parts] if self._with_live else parts:
            self._stack.callback(part.stop)
            part.start()

    def stop(self) -> None:
        """Stop everything."""
        self._stack.close()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.stop()
