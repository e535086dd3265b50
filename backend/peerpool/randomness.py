"""Where the tracker's randomness comes from."""

from __future__ import annotations

import os
import random


class TrackerRandom(random.Random):
    """Ids are the system's own randomness; who is drawn comes from a generator of this process.

    Ids must not be guessable, and a generator gives itself away by a few hundred of them. Draws need not be secret, and
    the system's randomness costs a call each: it was half of what an announce took.
    """

    def __init__(self) -> None:
        super().__init__(os.urandom(32))

    def randbytes(self, n: int) -> bytes:
        """Return `n` bytes that nobody can foretell."""
        return os.urandom(n)
