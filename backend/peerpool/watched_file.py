"""Files that are read again when they change; one that cannot be read leaves what was read before in force."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from peerpool.core.errors import ConfigError

log = logging.getLogger("peerpool.watched_file")

T = TypeVar("T")
Stamp = tuple[int, int, int]


class WatchedFile(Generic[T]):
    """What `read` makes of a file, made anew when the file is another one."""

    def __init__(self, path: Path, read: Callable[[Path], T]) -> None:
        """Read it. Raises ConfigError."""
        self.path = path
        self._read = read
        self._stamp = _stamp(path)
        self.content = read(path)
        self._complaint = ""

    def refresh(self) -> bool:
        """Read it again if it has changed; return whether it was. What cannot be read is logged, once a change."""
        try:
            stamp = _stamp(self.path)
            if stamp == self._stamp:
                return False
            self._stamp = stamp
            self.content = self._read(self.path)
        except ConfigError as error:
            if str(error) != self._complaint:  # one that is gone is looked for again and again
                log.warning("%s; what was read before stays in force", error)
            self._complaint = str(error)
            return False
        self._complaint = ""
        log.info("%s was read again", self.path)
        return True


def _stamp(path: Path) -> Stamp:
    try:
        status = path.stat()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    return status.st_mtime_ns, status.st_size, status.st_ino
