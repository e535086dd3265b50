from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers import ServerProcess, running_server


@pytest.fixture(scope="session")
def server() -> Iterator[ServerProcess]:
    """One server for all tests that do not need to change or end it."""
    with running_server() as running:
        yield running
