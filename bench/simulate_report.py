"""What the simulator found, as a table and as plots."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Report = dict[str, Any]

# Okabe and Ito's palette: told apart by those who see fewer colours.
BLUE, ORANGE, GREEN, VERMILLION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
COLUMNS = (
    "scenario", "viewers at once", "copies", "copies after warm-up", "offload (bound)", "after warm-up (bound)",
    "stalls (plain)", "stalled s per viewer (plain)", "start ms median, p95 (plain)", "latency s median, p95 (plain)",
    "95 % have it, ms after it appeared", "upload max, Gini", "wasted", "control", "neighbours", "CPU ms / peer-second",
)  # fmt: skip


def table(reports: Sequence[Report]) -> str:
    """Return a table in Markdown, one row a run."""
    rows = [COLUMNS, ["---"] * len(COLUMNS), *(_row(report) for report in reports)]
    return "".join(f"| {' | '.join(str(cell) for cell in row)} |\n" for row in rows)


def _row(report: Report) -> list[object]:
    pool, plain = report["pool"], report["plain"] or {}
    spread = pool["spreadMs"]
    neighbours = pool["neighbours"]
    return [
        f"{report['scenario']} (seed {report['seed']})",
        pool["concurrent"],
        pool["copies"],
        _or_dash(pool["copiesWarm"]),
        f"{pool['offload']} ({pool['bound']})",
        f"{pool['offloadWarm']} ({pool['boundWarm']})",
        f"{pool['stalls']} ({plain.get('stalls', '-')})",
        f"{pool['stalledSecPerViewer']} ({plain.get('stalledSecPerViewer', '-')})",
        f"{_pair(pool['startupMs'])} ({_pair(plain.get('startupMs'))})",
        f"{_pair(pool['latencySec'])} ({_pair(plain.get('latencySec'))})",
        spread["most"]["median"] if spread else "-",
        f"{pool['uploadRatio']['max']}, {pool['uploadRatio']['gini']}",
        pool["wastedShare"],
        pool["controlShare"],
        f"{neighbours['min']} / {neighbours['median']} / {neighbours['max']}",
        report["cost"]["cpuMsPerPeerSec"],
    ]


def _or_dash(value: object) -> object:
    return "-" if value is None else value


def _pair(figures: dict[str, Any] | None) -> str:
    return f"{figures['median']}, {figures['p95']}" if figures else "-"


def plots(reports: Sequence[Report], out: Path) -> None:
    """Write SVGs; a plot without data is left out."""
    by_size = sorted((r for r in reports if _is_plain_live(r)), key=lambda r: (r["peers"], r["seed"]))
    if by_size:
        _by_size(by_size, out / "copies-by-size.svg", "copies per segment", _copies, bound=1.0)
        _by_size(by_size, out / "spread-by-size.svg", "ms until 95 % have a fresh segment", _spread)
    if reports:
        _uploads(reports, out / "uploads.svg")
        _stalls(reports, out / "stalls.svg")


def _is_plain_live(report: Report) -> bool:
    """Whether it is one of the runs that differ in size only."""
    _, _, size = report["scenario"].partition("live-")
    return bool(size) and size == str(report["peers"])


def _copies(report: Report) -> float | None:
    copies: float | None = report["pool"]["copiesWarm"]
    return copies


def _spread(report: Report) -> float | None:
    spread: float | None = report["pool"]["spreadMs"]["most"]["median"]
    return spread


def _by_size(
    reports: Sequence[Report],
    path: Path,
    label: str,
    figure_of: Callable[[Report], float | None],
    bound: float | None = None,
) -> None:
    points = [(report["peers"], value) for report in reports if (value := figure_of(report)) is not None]

    def draw(axes: Axes) -> None:
        axes.plot([size for size, _ in points], [value for _, value in points], "o-", color=BLUE)
        if bound is not None:
            axes.axhline(bound, color=ORANGE, linestyle="--", label="the least possible")
            axes.legend()
        axes.set_xscale("log")
        axes.set_ylim(bottom=0)
        axes.set_xlabel("viewers")
        axes.set_ylabel(label)

    _draw(path, draw)


def _uploads(reports: Sequence[Report], path: Path) -> None:
    styles = [(colour, line) for line in ("-", "--", ":", "-.") for colour in (BLUE, ORANGE, GREEN, VERMILLION)]

    def draw(axes: Axes) -> None:
        for report, (colour, line) in zip([r for r in reports if r["seed"] == 1], styles, strict=False):
            ratios = [0.0 if ratio is None else ratio for ratio in report["pool"]["uploadRatios"]]
            share = [100 * index / (len(ratios) - 1) for index in range(len(ratios))]
            axes.plot(share, ratios, color=colour, linestyle=line, label=report["scenario"])
        axes.set_xlabel("% of viewers, least upload first")
        axes.set_ylabel("uploaded / downloaded")
        axes.legend(fontsize="small")

    _draw(path, draw)


def _stalls(reports: Sequence[Report], path: Path) -> None:
    pairs = [report for report in reports if report["plain"] is not None]
    names = [f"{report['scenario']} ({report['seed']})" for report in pairs]
    places = range(len(pairs))

    def draw(axes: Axes) -> None:
        for kind, shift, colour in (("pool", -0.2, BLUE), ("plain", 0.2, ORANGE)):
            values = [report[kind]["stalledSecPerViewer"] for report in pairs]
            axes.barh([place + shift for place in places], values, 0.4, color=colour, label=kind)
        axes.set_yticks(list(places), names)
        axes.set_xlabel("seconds stalled per viewer")
        axes.legend()

    _draw(path, draw)


def _draw(path: Path, draw: Callable[[Axes], None]) -> None:
    import matplotlib as mpl  # noqa: PLC0415  # half a second that only the plots need

    mpl.use("svg")
    import matplotlib.pyplot as plt  # noqa: PLC0415

    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    draw(axes)
    axes.grid(alpha=0.3)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
