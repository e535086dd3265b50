"""Reading TOML files that operators write."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from peerpool.core.errors import ConfigError


def read_toml(path: Path) -> dict[str, Any]:
    """Return the document in a file. Raises ConfigError."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}") from None
