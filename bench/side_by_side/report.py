"""The runs as a Markdown table. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bench.side_by_side.cases import CASES, PRODUCTS
from bench.side_by_side.figures import STEADY_AFTER_S, STEADY_UNTIL_S, Spread, spread

Run = dict[str, Any]


@dataclass(frozen=True)
class Column:
    """One figure of a run: how to find it, and how to show it."""

    name: str
    title: str
    meaning: str
    read: Callable[[Run], float | None]
    digits: int = 2


COLUMNS = (
    Column(
        "offload",
        "offload",
        "1 - bytes the origin sent / bytes players were given",
        lambda run: run["whole"]["offload"],
    ),
    Column(
        "offload_obtained",
        "of obtained",
        "the same of all bytes that viewers have, also what a product fetched ahead and no player was given",
        lambda run: run["whole"]["offload_obtained"],
    ),
    Column(
        "offload_steady",
        "steady",
        f"of obtained, of segments first requested {STEADY_AFTER_S:.0f} s after the last join or later",
        lambda run: run["steady"]["offload_obtained"],
        3,
    ),
    Column("copies", "copies", "times the origin sent a segment, whole run", lambda run: run["whole"]["copies"]),
    Column("copies_steady", "copies steady", "the same, steady", lambda run: run["steady"]["copies"]),
    Column(
        "excess",
        "excess",
        "(bytes from the origin + all bytes over data channels) / bytes players were given - 1, to the end of the run",
        lambda run: run["excess"],
    ),
    Column(
        "origin_part",
        "origin/played",
        "bytes from the origin / bytes players were given, to the end of the run",
        lambda run: run["origin_bytes"] / run["played_bytes"] if run["played_bytes"] else None,
    ),
    Column(
        "latency_s",
        "latency s",
        "behind the live edge at the end, median of viewers",
        lambda run: run["latency_s"] if CASES[run["case"]].stream == "live" else None,
        1,
    ),
    Column(
        "first_frame_ms",
        "first frame ms",
        "from the navigation, median of viewers; never, when half of them did not start",
        lambda run: math.inf if run["first_frame_ms"] is None else run["first_frame_ms"],
        0,
    ),
    Column(
        "never_started", "unstarted", "viewers without a first frame to the end", lambda run: run["never_started"], 0
    ),
    Column(
        "stalls",
        "stalls",
        "over 0.3 s, all viewers together, after each one's first frame",
        lambda run: run["stalls"],
        0,
    ),
    Column("stalled_s", "stalled s", "all of them together", lambda run: run["stalled_s"], 1),
    Column(
        "late_stalled_s",
        "late s",
        "standing still later than 15 s after the navigation, not having started included, all viewers together",
        lambda run: run["late_stalled_s"],
        1,
    ),
    Column(
        "page_errors",
        "errors",
        "uncaught exceptions, rejections and fatal errors of hls.js, all viewers",
        lambda run: run["page_errors"],
        0,
    ),
    Column("cpu_busy", "CPU", "part of all cores that was busy", lambda run: run["cpu_busy"]),
    Column(
        "cpu_others",
        "others",
        "part of all cores that was busy with anything but this bench",
        lambda run: run.get("cpu_others"),
    ),
)
HEADER = """# Side by side

hls.js alone, p2p-media-loader {p2pml} with bittorrent-tracker {tracker}, and Media PeerPool, each with hls.js {hls}:
the same segments from the same origin, in Chromium {chromium} on one machine ({cores} cores, {memory} GiB, {system}),
one viewer a browser context, one run after the other in turn. Medians over the runs, ranges in brackets;
`side-by-side.json` has every run. Made by:

```
{command}
```

- Segments of 2 s, a live window of 15, the lowest rendition pinned. The origin answers after {latency} ms and sends
  {rate} Mbit/s on each connection; where it is said to send less, all viewers share that. A run ends {watch} s after
  the last join.
- hls.js works without its worker, for all: with it, p2p-media-loader {p2pml} serves its neighbours buffers that hls.js
  has taken away, and their players fail.
- "Of obtained" is the offload to compare in VOD: p2p-media-loader keeps hls.js's buffer short and fetches the rest
  ahead itself, so that its players were given less by the end of a run, while its viewers have as much.
- No STUN server for anybody: the viewers are on one machine. Else every product has its own defaults. "Its own live
  settings" are what p2p-media-loader sets where the page sets nothing: `liveSyncDurationCount` one less than the window
  has segments. With "hls.js's live settings" the page sets hls.js's default, 3. In both it bounds hls.js's buffer to
  its high demand window, as it does by default.
- Offload and copies are read from the origin's log, of segments first requested up to {until} s before the end of the
  run: later ones may not have reached every player. The bound with N viewers is 1 - 1/N.
"""


def markdown(store: dict[str, Any]) -> str:
    """Lay out everything that was measured."""
    conditions, machine = store["conditions"], store["machine"]
    versions = machine["versions"]
    lines = [
        HEADER.format(
            p2pml=versions["p2p-media-loader-hlsjs"],
            tracker=versions["bittorrent-tracker"],
            hls=versions["hls.js"],
            chromium=machine.get("chromium", ""),
            cores=machine["cores"],
            memory=machine["memory_gib"],
            system=machine["system"],
            command=store["command"],
            latency=conditions["origin_latency_ms"],
            rate=conditions["connection_bps"] // 1_000_000,
            watch=f"{conditions['watch_s']:.0f}",
            until=f"{STEADY_UNTIL_S:.0f}",
        )
    ]
    lines += [f"- **{column.title}**: {column.meaning}." for column in COLUMNS]
    for case, viewers in _cases(store["runs"]):
        lines += ["", f"## {CASES[case].title}; {viewers} viewers, bound {1 - 1 / viewers:.3f}", ""]
        lines += _table([run for run in store["runs"] if (run["case"], run["viewers"]) == (case, viewers)])
    commits = sorted({run["commit"] for run in store["runs"] if run["product"] == "peerpool"})
    lines += ["", f"Media PeerPool at {', '.join(commits)}." if commits else "", ""]
    return "\n".join(lines)


def _cases(runs: Iterable[Run]) -> list[tuple[str, int]]:
    order = {name: index for index, name in enumerate(CASES)}
    return sorted({(run["case"], run["viewers"]) for run in runs}, key=lambda item: (order[item[0]], -item[1]))


def _table(runs: Sequence[Run]) -> list[str]:
    lines = ["| product | runs | " + " | ".join(column.title for column in COLUMNS) + " |"]
    lines.append("|---" * (len(COLUMNS) + 2) + "|")
    for name, product in PRODUCTS.items():
        own = [run for run in runs if run["product"] == name]
        if own:
            cells = [cell(summary(own, column), column.digits) for column in COLUMNS]
            lines.append(f"| {product.title} | {len(own)} | " + " | ".join(cells) + " |")
    return lines


def summary(runs: Iterable[Run], column: Column) -> Spread:
    """Median and range of one column."""
    values = (column.read(run) for run in runs)
    return spread(math.nan if value is None else value for value in values)


def cell(value: Spread, digits: int) -> str:
    """Median, and the range where there is one."""
    if not value.runs:
        return "-"
    median, low, high = (
        "never" if math.isinf(one) else f"{one:.{digits}f}" for one in (value.median, value.low, value.high)
    )
    return median if low == high else f"{median} ({low}..{high})"


def one_line(run: Run) -> str:
    """Say what came out of one run."""
    return ", ".join(f"{column.title} {cell(summary([run], column), column.digits)}" for column in COLUMNS)
