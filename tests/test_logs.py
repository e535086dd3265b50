"""Logs as JSON."""

from __future__ import annotations

import json
import logging
import sys

from peerpool.logs import JsonFormatter


def test_a_trace_is_in_the_line_of_its_message() -> None:
    try:
        raise ValueError("line one\nline two")
    except ValueError:
        record = logging.LogRecord("peerpool.test", logging.ERROR, __file__, 1, "it %s", ("failed",), sys.exc_info())
    line = JsonFormatter().format(record)
    assert "\n" not in line
    said = json.loads(line)
    assert (said["level"], said["logger"], said["message"]) == ("error", "peerpool.test", "it failed")
    assert "ValueError: line one" in said["trace"]
