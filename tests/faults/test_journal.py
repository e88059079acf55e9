"""The oracle bites: what was lost or made up is found, and nothing else is."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from .accepted import Accepted, state
from .journal import Told, invented, lost

# Of "a" three versions and an end; of "b" a version, an end, and another object; "c" comes and goes.
LOG = [
    Accepted(1, "ADDED", "a"),
    Accepted(2, "ADDED", "b"),
    Accepted(3, "MODIFIED", "a"),
    Accepted(4, "MODIFIED", "a"),
    Accepted(5, "DELETED", "b"),
    Accepted(6, "ADDED", "c"),
    Accepted(7, "DELETED", "c"),
    Accepted(8, "ADDED", "b"),
    Accepted(9, "DELETED", "a"),
]
ALL = [
    Told("add", "a", "a1", 1),
    Told("add", "b", "b1", 2),
    Told("update", "a", "a1", 3),
    Told("update", "a", "a1", 4),
    Told("delete", "b", "b1", 5),
    Told("add", "c", "c1", 6),
    Told("delete", "c", "c1", 7),
    Told("add", "b", "b2", 8),
    Told("delete", "a", "a1", 9),
]


def without(*revisions: int, tombstones: Sequence[Told] = ()) -> list[Told]:
    return [*(step for step in ALL if step.revision not in revisions), *tombstones]


def revisions(entries: Sequence[Accepted]) -> list[int]:
    return [entry.revision for entry in entries]


def test_the_state_of_a_log() -> None:
    assert state(LOG[:4]) == {"a": 4, "b": 2}
    assert state(LOG) == {"b": 8}


@pytest.mark.parametrize("gaps", [False, True])
def test_nothing_is_lost_where_all_was_told(gaps: bool) -> None:
    assert lost(LOG, ALL, since=0, gaps=gaps) == []
    assert invented(LOG, ALL) == []


def test_without_gaps_every_write_counts() -> None:
    for missing in range(1, 10):
        assert revisions(lost(LOG, without(missing), since=0, gaps=False)) == [missing]
    assert revisions(lost(LOG, without(1, 2, 4), since=3, gaps=False)) == [4]


def test_over_a_gap_a_later_state_stands_for_the_earlier_ones() -> None:
    assert lost(LOG, without(1, 3), since=0, gaps=True) == []
    assert revisions(lost(LOG[:4], without(4, 5, 6, 7, 8, 9), since=0, gaps=True)) == [4]


def test_over_a_gap_the_end_of_what_was_told_has_to_be_told() -> None:
    assert revisions(lost(LOG, without(9), since=0, gaps=True)) == [9]
    tombstone = Told("tombstone", "a", "a1", 4)
    assert lost(LOG, without(9, tombstones=[tombstone]), since=0, gaps=True) == []
    assert lost(LOG, without(4, 9, tombstones=[tombstone]), since=0, gaps=True) == []
    # The end of the object before is not that of the one under the same key.
    assert revisions(lost(LOG, without(5), since=0, gaps=True)) == [5]


def test_over_a_gap_what_came_and_went_needs_no_word() -> None:
    assert lost(LOG, without(6, 7), since=0, gaps=True) == []
    assert revisions(lost(LOG, without(8), since=0, gaps=True)) == [8]


def test_what_no_server_accepted() -> None:
    for step in (
        Told("add", "a", "a1", 5),
        Told("update", "b", "b1", 8),
        Told("delete", "a", "a1", 4),
        Told("add", "d", "d1", 3),
    ):
        assert invented(LOG, [*ALL, step]) == [step]
