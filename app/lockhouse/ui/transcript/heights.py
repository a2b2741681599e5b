"""Heights of stacked rows: where a row starts and which row is at a position.

A Fenwick tree, so that changing one height among 10,000 costs a dozen additions instead of a walk
over all that follow.
"""

from __future__ import annotations

from collections.abc import Iterable


class Heights:
    """A list of heights with fast sums. Positions count from the top of row 0."""

    def __init__(self, values: Iterable[float] = ()) -> None:
        self._values = list(values)
        self._build()

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, row: int) -> float:
        return self._values[row]

    def append(self, height: float) -> None:
        self._values.append(height)
        at = len(self._values)
        below = at - (at & -at)
        self._tree.append(height + self.top(at - 1) - self.top(below))

    def set(self, row: int, height: float) -> None:
        change = height - self._values[row]
        if not change:
            return
        self._values[row] = height
        at = row + 1
        while at < len(self._tree):
            self._tree[at] += change
            at += at & -at

    def truncate(self, count: int) -> None:
        """Keep the first ``count`` rows."""
        del self._values[count:]
        del self._tree[count + 1 :]

    def remove(self, row: int) -> None:
        del self._values[row]
        self._build()

    def top(self, row: int) -> float:
        """Where the row starts: the sum of all heights before it."""
        total = 0.0
        while row > 0:
            total += self._tree[row]
            row -= row & -row
        return total

    def total(self) -> float:
        return self.top(len(self._values))

    def row_at(self, place: float) -> int:
        """The row at that position; the first above all, the last below all."""
        at = 0
        step = 1 << len(self._values).bit_length()
        while step:
            following = at + step
            if following < len(self._tree) and self._tree[following] <= place:
                at = following
                place -= self._tree[following]
            step >>= 1
        return max(0, min(at, len(self._values) - 1))

    def _build(self) -> None:
        self._tree = [0.0, *self._values]
        for at in range(1, len(self._tree)):
            above = at + (at & -at)
            if above < len(self._tree):
                self._tree[above] += self._tree[at]
