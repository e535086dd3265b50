from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers import ServerProcess, running_server


@pytest.fixture(scope="session", params=["direct", "asgi"])
def server(request: pytest.FixtureRequest) -> Iterator[ServerProcess]:
    """One server of each kind of sockets for all tests that do not need to change or end it."""
    with running_server(direct_sockets="true" if request.param == "direct" else "false") as running:
        yield running
