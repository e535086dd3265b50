"""Requests invented from the API's own description: no answer is a crash, and all are as described."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from peerpool.api import openapi

from tests.servers import ServerProcess, running_server

TOKEN = "t"
schema = schemathesis.openapi.from_dict(openapi())


@pytest.fixture(scope="module")
def administered() -> Iterator[ServerProcess]:
    with running_server(admin_token=TOKEN) as running:
        yield running


@schema.parametrize()
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_is_as_described(case: schemathesis.Case[Any], administered: ServerProcess) -> None:
    case.call_and_validate(base_url=administered.base, headers={"Authorization": f"Bearer {TOKEN}"})
