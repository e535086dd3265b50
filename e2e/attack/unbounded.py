"""The tracker with no bound on what is unfinished, for controls: `python -m e2e.attack.unbounded serve --port 8080`."""

from __future__ import annotations

import functools
import math
import sys

import peerpool.app
import peerpool.cli
import peerpool.outbox
import peerpool.server
from peerpool.core.limits import Limits

MANY = 1_000_000


def unbounded(open_files: int, limits: Limits) -> tuple[int, Limits]:
    """Stand in for `server.within`: keep no descriptors for anybody."""
    return open_files, limits


if __name__ == "__main__":
    vars(peerpool.app)["Limits"] = functools.partial(
        Limits,
        head_timeout_s=math.inf,
        answer_timeout_s=math.inf,
        join_timeout_s=math.inf,
        torrent_join_timeout_s=math.inf,
        max_unfinished=MANY,
        max_line_unfinished=MANY,
    )
    vars(peerpool.outbox)["READ_TIMEOUT_S"] = math.inf
    peerpool.server.within = unbounded
    sys.exit(peerpool.cli.main())
