"""What came of an attack, and the table of all of them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any

Figure = int | float | str


class Verdict(Enum):
    """HELD: the attack did nothing that matters. AWAITED: it works, and no defence against it has been built yet."""

    HELD = "held"
    BROKEN = "BROKEN"
    AWAITED = "not defended yet"
    VOID = "VOID"  # the control did nothing: the attack proves nothing either way


@dataclass(frozen=True)
class Outcome:
    """One attack: whether it works where the defence is off, and what it did where it is on."""

    control: bool | None  # None: there is no way to have it off; `figures` say what was seen to be measured
    broken: Sequence[str]  # what should not have happened, in words
    figures: Mapping[str, Figure] = field(default_factory=dict)
    awaited: bool = False  # there is no defence in this tree: what is broken is known

    @property
    def verdict(self) -> Verdict:
        """Judge."""
        if self.control is False:
            return Verdict.VOID
        if not self.broken:
            return Verdict.HELD
        return Verdict.AWAITED if self.awaited else Verdict.BROKEN


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    name: str
    outcome: Outcome
    took_s: float

    @property
    def failed(self) -> bool:
        """Whether the run as a whole has failed by it."""
        return self.outcome.verdict in (Verdict.BROKEN, Verdict.VOID)

    def as_json(self) -> dict[str, Any]:
        """Return all of it."""
        verdict = self.outcome.verdict.value
        return {"attack": self.name, "verdict": verdict, "took_s": round(self.took_s, 1), **asdict(self.outcome)}


def line(row: Row) -> str:
    """One row for people."""
    control = {True: "works", False: "does nothing", None: "-"}[row.outcome.control]
    figures = ", ".join(f"{name} {shown(value)}" for name, value in row.outcome.figures.items())
    text = f"{row.name:<42} {control:<12} {row.outcome.verdict.value:<16} {row.took_s:5.1f} s  {figures}"
    return "\n".join([text, *(f"{'':<42} ! {what}" for what in row.outcome.broken)])


def shown(value: Figure) -> str:
    """Return a figure as people read it."""
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def table(rows: Sequence[Row]) -> str:
    """All rows under a head, and the sum."""
    head = f"{'attack':<42} {'undefended':<12} {'defended':<16} {'took':>7}  figures"
    counts = {verdict: sum(row.outcome.verdict is verdict for row in rows) for verdict in Verdict}
    total = ", ".join(f"{count} {verdict.value}" for verdict, count in counts.items() if count)
    return "\n".join([head, *map(line, rows), f"{len(rows)} attacks: {total}"])
