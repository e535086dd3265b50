"""The tracker's rules, and nothing that does I/O.

Absent here, and kept absent by `tests/test_purity.py`: asyncio, sockets, clocks, randomness, environment, starlette.
`now` (seconds, monotonic) and `rng` come in as arguments; commands and the next deadline go out.
"""
