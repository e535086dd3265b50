"""The runs as one picture: offload, latency and stalled seconds, a bar a product, a dot a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.side_by_side.cases import CASES, PRODUCTS
from bench.side_by_side.report import COLUMNS, Column, Run, summary

COLOURS = {"plain": "#8a929c", "p2pml": "#c98a1b", "p2pml-low-latency": "#e6bf77", "peerpool": "#0f8a5f"}
PANELS = {
    "offload_obtained": "offload, of all bytes that viewers obtained (line: bound)",
    "offload_steady": "offload, steady (line: bound)",
    "latency_s": "seconds behind the live edge",
    "late_stalled_s": "seconds standing still after the first 15 s, all viewers",
}
BAR_WIDTH = 0.2


def draw(store: dict[str, Any], path: Path) -> None:
    """Write the picture."""
    mpl.rcParams.update({"font.size": 9, "svg.fonttype": "none", "svg.hashsalt": "side-by-side"})
    runs: list[Run] = store["runs"]
    groups = _groups(runs)
    figure = Figure(figsize=(max(7.0, 1.6 * len(groups) + 1), 3.0 * len(PANELS)), layout="constrained")
    axes = figure.subplots(len(PANELS), 1, sharex=True, squeeze=False)[:, 0]
    columns = {column.name: column for column in COLUMNS}
    for panel, name in zip(axes, PANELS, strict=True):
        _panel(panel, runs, groups, columns[name])
        panel.set_title(PANELS[name], loc="left", fontsize=9)
    axes[-1].set_xticks(range(len(groups)), [f"{case}\nN={viewers}" for case, viewers in groups])
    handles, labels = axes[0].get_legend_handles_labels()
    known = dict(zip(labels, handles, strict=True))
    figure.legend(known.values(), known.keys(), loc="outside upper center", ncols=2, frameon=False)
    figure.savefig(path, metadata={"Date": None})


def _groups(runs: Sequence[Run]) -> list[tuple[str, int]]:
    order = list(CASES)
    return sorted({(run["case"], run["viewers"]) for run in runs}, key=lambda item: (order.index(item[0]), -item[1]))


def _panel(panel: Axes, runs: Sequence[Run], groups: Sequence[tuple[str, int]], column: Column) -> None:
    for place, (case, viewers) in enumerate(groups):
        for index, (name, product) in enumerate(PRODUCTS.items()):
            own = [run for run in runs if (run["case"], run["viewers"], run["product"]) == (case, viewers, name)]
            middle = place + (index - (len(PRODUCTS) - 1) / 2) * BAR_WIDTH
            value = summary(own, column)
            if not value.runs:
                continue
            panel.bar(middle, value.median, BAR_WIDTH * 0.9, color=COLOURS[name], label=product.title)
            dots = [read for run in own if (read := column.read(run)) is not None]
            panel.plot([middle] * len(dots), dots, "o", color="black", markersize=2)
        if column.name.startswith("offload"):
            panel.hlines(1 - 1 / viewers, place - 0.45, place + 0.45, color="black", linewidth=0.8)
    panel.spines[["top", "right"]].set_visible(False)
    if column.name.startswith("offload"):
        panel.set_ylim(bottom=min(0.0, panel.get_ylim()[0]), top=1)
