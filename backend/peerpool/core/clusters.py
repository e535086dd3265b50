"""The places of one swarm that have members, and which of them are clusters.

Every place that a member is in is a `Cell`, within the cell of the next looser level. A cell large enough stands for
itself, a small one is merged into the one it lies in: a strict wall around a few would have them fetch from the CDN
what others near them hold. A member's cluster is the tightest of its cells that stands; the world always does. A cell
that stands falls only when it has become much smaller, so that churn moves nobody to and fro.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from peerpool.core.constants import HINT_CHANGE_RATIO
from peerpool.core.places import NOWHERE, Level, Place

if TYPE_CHECKING:
    from peerpool.core.swarm import Member, Rng

# A cell that stands falls below this part of `Limits.cluster_min`: in between, who comes and goes changes nothing.
FALLS_AT: Final = 0.625

Path = tuple[str, ...]
# Up to so many lines are counted exactly.
FEW_LINES: Final = 16
# A swarm has a few thousand cells at most: two of one path's length are hardly ever mistaken for each other.
CELL_ID_BYTES: Final = 4


class Cell:
    """Members at one place. They sit in a list, so that drawing some of them at random costs no scan."""

    __slots__ = ("elsewhere", "hinted_at", "hinted_size", "id", "level", "members", "path", "stands", "turned")

    def __init__(self, level: Level, path: Path) -> None:
        # The same at every tracker, and says nothing of the place to who does not know it.
        self.id = int.from_bytes(blake2b("\n".join(path).encode(), digest_size=CELL_ID_BYTES).digest())
        self.level = level
        self.path = path
        self.members: list[Member] = []
        # At other nodes, and not among `members` (federation.py).
        self.elsewhere = 0
        self.stands = level is Level.WORLD
        # When members were last told of this cell and its size then, and whether it began or ceased to stand since.
        self.turned = False
        self.hinted_at = float("-inf")
        self.hinted_size = 0

    def __len__(self) -> int:
        return len(self.members) + self.elsewhere

    def draw(self, count: int, rng: Rng) -> list[Member]:
        """Return up to `count` members, distinct and in random order."""
        members, size = self.members, len(self.members)
        if count * 2 >= size:
            return [members[i] for i in rng.sample(range(size), k=min(count, size))]
        # Several times quicker than a sample where few are the same: a dict keeps the order in which they were drawn.
        draw = rng.random
        chosen = dict.fromkeys([int(draw() * size) for _ in range(count)])
        while len(chosen) < count:
            chosen[int(draw() * size)] = None
        return [members[i] for i in chosen]

    @property
    def news(self) -> bool:
        """Whether its members are to hear how large their cluster is: this is it, was it, or has come to be it."""
        changed = abs(len(self) - self.hinted_size) >= HINT_CHANGE_RATIO * self.hinted_size
        return self.turned or (self.stands and changed)

    def told(self, now: float) -> None:
        """Note that its members were told, at `now`."""
        self.turned, self.hinted_at, self.hinted_size = False, now, len(self)

    def settle(self, cluster_min: int) -> None:
        """Stand or fall by the size."""
        if self.level is not Level.WORLD:
            stands = len(self) >= (FALLS_AT * cluster_min if self.stands else cluster_min)
            self.turned |= stands is not self.stands
            self.stands = stands


class Cells:
    """All cells of one swarm that have members. One of `cluster_min` members begins to stand for itself."""

    __slots__ = ("_areas", "_cluster_min", "_sites", "world")

    def __init__(self, cluster_min: int) -> None:
        self._cluster_min = cluster_min
        self.world = Cell(Level.WORLD, ())
        # By path; sites apart, for there are as many as members.
        self._areas: dict[Path, Cell] = {}
        self._sites: dict[Path, Cell] = {}

    def __len__(self) -> int:
        return 1 + len(self._areas) + len(self._sites)

    def __iter__(self) -> Iterator[Cell]:
        yield from self.areas()
        yield from self._sites.values()

    def areas(self) -> Iterator[Cell]:
        """Yield all but the sites."""
        yield self.world
        yield from self._areas.values()

    def lines(self) -> int:
        """Return how many lines (sites) members are at; those of unknown site are one together."""
        # Where they are many, one more or less is nothing to who asks.
        named = sum(map(len, self._sites.values())) if len(self._sites) < FEW_LINES else 0
        return len(self._sites) + (named < len(self.world.members))

    def settle(self, cell: Cell) -> None:
        """Let a cell stand or fall whose members elsewhere have become more or fewer."""
        cell.settle(self._cluster_min)

    def clusters(self) -> Iterator[tuple[Cell, int]]:
        """Yield each cell that stands, and how many of its members are in no tighter one that does."""
        own = {cell.path: len(cell) for cell in self if cell.stands}
        for path in list(own):
            # What the tightest standing cell around it has counted too.
            for length in range(len(path) - 1, -1, -1):
                if path and path[:length] in own:
                    own[path[:length]] -= len(self._get(path))
                    break
        for path, count in own.items():
            yield self._get(path), count

    def count(self, sizes: Mapping[Level, list[int]]) -> None:
        """Add to `sizes` of each level how many clusters there are, and members that are in none tighter."""
        for cell, own in self.clusters():
            sizes[cell.level][0] += own > 0
            sizes[cell.level][1] += own

    def add(self, member: Member, place: Place = NOWHERE) -> None:
        """Put `member` into its cells, loosest first. A level at which its place is unknown has none."""
        cells = [self.world]
        names = place.path()
        for level in Level:
            if level is not Level.WORLD and names[level - 1]:
                cells.append(self._cell(level, names[:level]))
        member.cells = tuple(cells)
        member.slots = []
        for cell in cells:
            member.slots.append(len(cell.members))
            cell.members.append(member)
            cell.settle(self._cluster_min)

    def remove(self, member: Member) -> None:
        """Take `member` out of its cells, in constant time: the last of each takes its place in the list."""
        for cell, slot in zip(member.cells, member.slots, strict=True):
            last = cell.members.pop()
            if last is not member:
                cell.members[slot] = last
                last.slots[last.cells.index(cell)] = slot
            if not cell.members and cell is not self.world:
                del self._of(cell.level)[cell.path]
            cell.settle(self._cluster_min)
        member.slots = []

    def _cell(self, level: Level, path: Path) -> Cell:
        cells = self._of(level)
        cell = cells.get(path)
        if cell is None:
            cell = cells[path] = Cell(level, path)
        return cell

    def _of(self, level: Level) -> dict[Path, Cell]:
        return self._sites if level is Level.SITE else self._areas

    def _get(self, path: Path) -> Cell:
        return self._of(Level(len(path)))[path] if path else self.world


def cluster_of(member: Member) -> Cell:
    """Return the tightest cell of `member` that stands."""
    return next(cell for cell in reversed(member.cells) if cell.stands)
