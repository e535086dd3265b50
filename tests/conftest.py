from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.servers import ServerProcess, running_server

# How long an example takes says how busy the machine is; how long a test may take is pytest's business.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.fixture(scope="session", params=["direct", "asgi"])
def server(request: pytest.FixtureRequest) -> Iterator[ServerProcess]:
    """One server of each kind of sockets for all tests that do not need to change or end it."""
    with running_server(direct_sockets="true" if request.param == "direct" else "false") as running:
        yield running
