"""Heights of rows: sums and look-ups agree with plain arithmetic whatever is done to them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lockhouse.ui.transcript.heights import Heights

heights = st.lists(st.integers(1, 500).map(float), min_size=1, max_size=60)


@given(heights, st.data())
def test_sums_and_look_ups_agree_with_plain_arithmetic(
    values: list[float], data: st.DataObject
) -> None:
    tree = Heights(values[:1])
    for value in values[1:]:
        tree.append(value)
    row = data.draw(st.integers(0, len(values) - 1))
    values[row] = 77.0
    tree.set(row, 77.0)
    if data.draw(st.booleans()):
        keep = data.draw(st.integers(1, len(values)))
        del values[keep:]
        tree.truncate(keep)
    if len(values) > 1 and data.draw(st.booleans()):
        gone = data.draw(st.integers(0, len(values) - 1))
        del values[gone]
        tree.remove(gone)
    assert len(tree) == len(values)
    assert tree.total() == sum(values)
    for index in range(len(values) + 1):
        assert tree.top(index) == sum(values[:index])
    for place in (0, sum(values) / 2, sum(values) - 1):
        at = tree.row_at(place)
        assert sum(values[:at]) <= place < sum(values[: at + 1])


def test_places_outside_give_the_first_and_the_last_row() -> None:
    tree = Heights([10.0, 10.0])
    assert tree.row_at(-5) == 0
    assert tree.row_at(500) == 1
