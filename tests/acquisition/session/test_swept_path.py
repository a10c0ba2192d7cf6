"""The path of the tip: thinned, bounded, of one space, and not lost by a restart."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from math import dist
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from acquisition.session.chapter import Chapter
from acquisition.session.journal import Journal, open_journal
from acquisition.session.procedure import Procedure
from acquisition.session.steps import Step
from acquisition.session.swept_path import MOST_POINTS, STEP_MM, SWEPT, Place, Space, SweptPath

NOBODY, HERS = Procedure(), Procedure(number=1, step=Step.SKIN_SCAN)

HERE = Space(
    study_uid="1.1",
    frame_of_reference_uid="1.2.3",
    patient_from_reference=[
        [0.6, -0.8, 0.0, 0.1],
        [0.8, 0.6, 0.0, -7.3],
        [0.0, 0.0, 1.0, 1 / 3],
        [0.0, 0.0, 0.0, 1.0],
    ],
)
REGISTERED_ANEW = replace(HERE, patient_from_reference=np.eye(4).tolist())
OTHER_SCAN = replace(HERE, frame_of_reference_uid="1.2.4")
OTHER_STUDY = replace(HERE, study_uid="2.1")


class Sweeping:
    """A path over a record, and the procedure that it is of."""

    def __init__(self, journal: Journal, procedure: Procedure = HERS) -> None:
        self.procedure = procedure
        self.journal = journal
        self.path = SweptPath(Chapter(lambda: self.procedure, journal, note=self._note))

    def _note(self, kind: str, told: Mapping[str, Any]) -> None:
        self.journal.add(kind, told)

    async def begin(self, space: Space | None = HERE) -> None:
        """See no tip in a space until what the record has of it is read."""
        self.path.follow(space, None, now_s=0.0)
        await self.path.read_back()

    async def sweep(
        self, to_mm: float, *, space: Space | None = HERE, y_mm: float = 0.0, since_s: float = 0.0
    ) -> None:
        """Draw the tip along x from 0, 50 mm/s, seen 20 times a second; then hold it there for two seconds."""
        await self.begin(space)
        for number in range(round(to_mm / 2.5) + 41):
            at_mm = min(to_mm, 2.5 * number)
            self.path.follow(space, (at_mm, y_mm, 0.0), now_s=since_s + 0.05 * number)

    def points(self) -> tuple[Place, ...]:
        """All that is kept."""
        return self.path.since(0)[1]


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """A record in which a procedure has begun."""
    with open_journal(tmp_path / "record.sqlite", now=lambda: datetime.now(tz=UTC)) as opened:
        opened.add("begun", {"patient_id": "A-1", "patient_name": "ANNA^A", "study_uid": "1.1"})
        yield opened


async def test_points_are_the_least_way_apart(journal: Journal) -> None:
    """A tip that is held still, or trembles, makes none; no stretch of the way is further from one."""
    sweeping = Sweeping(journal)
    await sweeping.sweep(100.0)
    points = sweeping.points()
    assert all(dist(*each) >= STEP_MM for each in pairwise(points))
    assert all(dist(*each) <= STEP_MM + 2.5 for each in pairwise(points))
    assert points[0] == (0.0, 0.0, 0.0)
    assert 100.0 - points[-1][0] < STEP_MM
    length = sweeping.path.length
    for number in range(100):
        sweeping.path.follow(HERE, (100.0, 0.4 * (-1) ** number, 0.0), now_s=20.0 + number)
    assert sweeping.path.length == length


async def test_a_tip_that_is_not_seen_adds_nothing(journal: Journal) -> None:
    """What was swept before stays."""
    sweeping = Sweeping(journal)
    await sweeping.sweep(60.0)
    points = sweeping.points()
    sweeping.path.follow(HERE, None, now_s=50.0)
    assert sweeping.points() == points


async def test_after_a_restart_the_path_goes_on(journal: Journal) -> None:
    """The same points, in their order, and the next one after them."""
    sweeping = Sweeping(journal)
    await sweeping.sweep(100.0)
    again = Sweeping(journal)
    await again.begin()
    assert again.points() == sweeping.points()
    again.path.follow(HERE, (100.0, 80.0, 0.0), now_s=1.0)
    assert again.points() == (*sweeping.points(), (100.0, 80.0, 0.0))


async def test_what_is_swept_while_the_record_is_read_comes_behind_it(journal: Journal) -> None:
    """It is drawn at once, alone, under a number of its own; nothing of it is drawn or entered twice, or lost."""
    sweeping = Sweeping(journal)
    await sweeping.sweep(30.0)
    before, ahead = sweeping.points(), tuple((10.0 * number, 90.0, 0.0) for number in range(3))
    again = Sweeping(journal)
    for number, point in enumerate(ahead):
        again.path.follow(HERE, point, now_s=2.0 * number)
    assert again.points() == ahead
    alone = again.path.number
    await again.path.read_back()
    assert again.points() == (*before, *ahead)
    assert again.path.length == len(before) + 3
    assert again.path.number > alone, "a display that holds the three asks for all"
    again.path.follow(HERE, None, now_s=9.0)
    last = Sweeping(journal)
    await last.begin()
    assert last.points() == (*before, *ahead)


async def test_what_is_read_of_a_space_that_was_left_is_not_drawn(journal: Journal) -> None:
    """Registered anew while it is read: the former way is of other places."""
    sweeping = Sweeping(journal)
    await sweeping.sweep(30.0)
    again = Sweeping(journal)
    again.path.follow(HERE, None, now_s=0.0)
    reading = asyncio.create_task(again.path.read_back())
    await asyncio.sleep(0)
    again.path.follow(REGISTERED_ANEW, (5.0, 5.0, 5.0), now_s=0.1)
    await reading
    assert again.points() == ((5.0, 5.0, 5.0),)


async def test_a_frame_never_waits_for_the_record(journal: Journal) -> None:
    """Hours of a sweep take half a second to read: to begin in a space reads nothing, the path's own job does."""
    sweeping = Sweeping(journal)
    await sweeping.sweep(30.0)
    read = sweeping.points()
    again = Sweeping(journal)
    again.path.follow(HERE, None, now_s=0.0)
    assert again.points() == ()
    job = asyncio.create_task(again.path.run())
    async with asyncio.timeout(10):
        while again.points() != read:  # noqa: ASYNC110 - it sets no event
            await asyncio.sleep(0)
    job.cancel()


async def test_a_killed_service_loses_a_second_of_it_at_most(journal: Journal) -> None:
    """Killed in the middle of a sweep of 50 mm/s: no more than 50 mm and a step are missing."""
    sweeping = Sweeping(journal)
    await sweeping.begin()
    for number in range(100):
        sweeping.path.follow(HERE, (2.5 * number, 0.0, 0.0), now_s=0.05 * number)
        kept = [point for entry in journal.of(SWEPT) for point in entry.told["points_mm"]]
        assert 2.5 * number - kept[-1][0] <= 50.0 + 2 * STEP_MM
    assert len(journal.of(SWEPT)) <= 6, "an entry a second"


@pytest.mark.parametrize(
    "other", [REGISTERED_ANEW, OTHER_SCAN, OTHER_STUDY, None], ids=["registered", "scan", "study", "none"]
)
async def test_nothing_is_drawn_in_another_space(journal: Journal, other: Space | None) -> None:
    """Registered anew, with another scan or study, or with none: at once, and after a restart."""
    sweeping = Sweeping(journal)
    await sweeping.sweep(100.0)
    number, points = sweeping.path.number, sweeping.points()
    await sweeping.begin(other)
    assert (sweeping.points(), sweeping.path.length) == ((), 0)
    assert sweeping.path.number > number
    sweeping.path.follow(other, points[-1], now_s=20.1)
    assert sweeping.points() == (points[-1:] if other else ()), "the same place is another point there"
    again = Sweeping(journal)
    await again.begin(other)
    assert again.points() == (points[-1:] if other else ())
    await again.begin()
    assert again.points() == points, "what was swept in the former space is of it"


async def test_what_was_not_entered_yet_goes_with_its_own_space(journal: Journal) -> None:
    """Registered anew in the middle of a second: its points are read back in their own space, in no other."""
    sweeping = Sweeping(journal)
    sweeping.path.follow(HERE, (0.0, 0.0, 0.0), now_s=0.0)
    sweeping.path.follow(HERE, (10.0, 0.0, 0.0), now_s=0.1)
    sweeping.path.follow(REGISTERED_ANEW, (500.0, 0.0, 0.0), now_s=0.2)
    await sweeping.path.read_back()
    sweeping.path.follow(REGISTERED_ANEW, None, now_s=5.0)
    for space, points in ((HERE, ((0.0, 0.0, 0.0), (10.0, 0.0, 0.0))), (REGISTERED_ANEW, ((500.0, 0.0, 0.0),))):
        again = Sweeping(journal)
        await again.begin(space)
        assert again.points() == points


async def test_another_procedure_has_nothing_of_the_last(journal: Journal) -> None:
    """Not even of its last second, nor over the same study; and none without one is recorded."""
    sweeping = Sweeping(journal)
    await sweeping.sweep(100.0)
    sweeping.path.follow(HERE, (100.0, 60.0, 0.0), now_s=6.01)
    sweeping.path.follow(HERE, (100.0, 90.0, 0.0), now_s=6.02)
    entries = len(journal.of(SWEPT))
    sweeping.procedure = Procedure(number=journal.add("begun", {}), step=Step.PATIENT)
    sweeping.path.follow(HERE, None, now_s=6.05)
    sweeping.path.follow(HERE, None, now_s=60.0)
    assert sweeping.points() == ()
    assert len(journal.of(SWEPT)) == entries
    for procedure in (NOBODY, replace(sweeping.procedure, step=Step.ENDED)):
        other = Sweeping(journal, procedure)
        await other.sweep(30.0)
        assert len(other.points()) > 5
        assert len(journal.of(SWEPT)) == entries


def test_the_newest_points_are_kept(journal: Journal) -> None:
    """Never more, however long somebody sweeps; who asks late is told how many are gone."""
    sweeping = Sweeping(journal, NOBODY)
    for number in range(MOST_POINTS + 100):
        sweeping.path.follow(HERE, (3.0 * number, 0.0, 0.0), now_s=0.05 * number)
    first, points = sweeping.path.since(0)
    assert (first, len(points), points[-1][0]) == (100, MOST_POINTS, 3.0 * (MOST_POINTS + 99))
    assert sweeping.path.since(MOST_POINTS + 97) == (MOST_POINTS + 97, points[-3:])
    for beyond in (MOST_POINTS + 100, MOST_POINTS + 5000):
        assert sweeping.path.since(beyond) == (MOST_POINTS + 100, ())
    assert sweeping.path.since(-5) == (first, points)
