"""TURN as the settings have it: checked, and with secrets from files that are read again when they change."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from peerpool.core.errors import ConfigError
from peerpool.core.ice import TurnPlan, TurnService, parse_server_url
from peerpool.settings import Settings, TurnServer
from peerpool.watched_file import WatchedFile

# A file with more is none of ours: coturn's own secrets are below a hundred characters.
SECRET_CHARS_MAX: Final = 1_024


class Turn:
    """What members are told of TURN, and the files that its secrets are in."""

    def __init__(self, settings: Settings, wall_clock: Callable[[], float] = time.time) -> None:
        """Read the secrets. Raises ConfigError, which never has one in it."""
        if settings.turn_policy == "only" and not settings.turn:
            raise ConfigError('turn_policy = "only" needs TURN servers: name them in [[turn]]')
        self._files: list[WatchedFile[str]] = []
        services = [self._service(number, server) for number, server in enumerate(settings.turn, 1)]
        self.plan = TurnPlan(services, wall_clock, settings.turn_policy, settings.turn_ttl_s, settings.turn_member_kbps)

    def refresh(self) -> None:
        """Read again what has changed."""
        for file in self._files:
            file.refresh()

    def _service(self, number: int, server: TurnServer) -> TurnService:
        where = f"[[turn]] number {number}"
        for url in server.urls:
            parse_server_url(url)
        if bool(server.secret) == bool(server.secret_file):
            raise ConfigError(f"{where}: give it either `secret` or `secret_file`")
        secret: Callable[[], str] = lambda: server.secret  # noqa: E731 - the other case is a method
        if server.secret_file:
            file = WatchedFile(Path(server.secret_file), read_secret)
            self._files.append(file)
            secret = lambda: file.content  # noqa: E731
        return TurnService(server.urls, secret, _codes(server.countries), _codes(server.continents))


def read_secret(path: Path) -> str:
    """Return the secret in a file: its text, without white space around it. Raises ConfigError."""
    try:
        text = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not text: it is to hold the secret of TURN and nothing else") from None
    if not text or len(text) > SECRET_CHARS_MAX or "\n" in text:
        raise ConfigError(f"{path} is to hold the secret of TURN, one line, and nothing else")
    return text


def _codes(names: Sequence[str]) -> frozenset[str]:
    return frozenset(name.upper() for name in names)
