"""The rate of the last minutes: back after a restart at its true age, with a gap, and never another's."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from acquisition.session.chapter import Chapter
from acquisition.session.journal import Journal, open_journal
from acquisition.session.procedure import Procedure
from acquisition.session.rate_trend import EVERY_S, KEPT_S, TREND, RateTrend
from acquisition.session.steps import Step

NOBODY, HERS = Procedure(), Procedure(number=1, step=Step.IN_VIVO)
BOOTED = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)


class Service:
    """A run of the service over a record; its clock began so long after the host's."""

    def __init__(
        self, path: Path, *, booted: datetime = BOOTED, procedure: Procedure = HERS, device: str = "gamma"
    ) -> None:
        self._booted = booted
        self.now_s = 0.0
        self._opened = open_journal(path, now=self.now)
        self.journal: Journal = self._opened.__enter__()
        chapter = Chapter(lambda: procedure, self.journal, note=self._note)
        self.trend = RateTrend(chapter, device=device, now=self.now)
        self._frames = 0

    def now(self) -> datetime:
        """The time of day."""
        return self._booted + timedelta(seconds=self.now_s)

    def _note(self, kind: str, told: Mapping[str, Any]) -> None:
        self.journal.add(kind, told)

    def count(self, rate_cps: float | None, *, since_s: float, until_s: float) -> None:
        """Make frames, twenty a second."""
        for at_s in np.arange(since_s, until_s, 0.05):
            self.now_s = float(at_s)
            self.trend.take(rate_cps, seq=self._frames, now_s=self.now_s)
            self._frames += 1

    def seen(self) -> list[tuple[float, float | None]]:
        """How long ago each point was, and its rate."""
        return [(self.now_s - point.at_s, point.rate_cps) for point in self.trend.since(-1)]

    def kill(self) -> None:
        """End it without a word to the trend."""
        self._opened.__exit__(None, None, None)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A record in which a procedure has begun."""
    path = tmp_path / "record.sqlite"
    with open_journal(path, now=lambda: BOOTED) as journal:
        journal.add("begun", {"patient_id": "A-1", "patient_name": "ANNA^A", "study_uid": "1.1"})
    return path


def counted(path: Path, *, until_s: float = 40.0) -> None:
    """Count 20 s of one rate, then of another, in a run of the service that is killed."""
    former = Service(path)
    former.count(310.0, since_s=0.0, until_s=20.0)
    former.count(12.345678, since_s=20.0, until_s=until_s)
    former.kill()


def test_what_was_counted_is_back_at_its_true_age_and_the_outage_is_a_gap(path: Path) -> None:
    """Another process, whose clock has another zero; nothing of before the restart looks as if it were of now.

    A killed service loses a second at most.
    """
    counted(path)
    later = Service(path, booted=BOOTED + timedelta(seconds=50.0 - 7.0))  # 10 s later its clock says 7 s
    later.count(500.0, since_s=7.0, until_s=8.0)
    seen = later.seen()
    later.kill()
    first = [age_s for age_s, rate_cps in seen if rate_cps == 310.0]
    second = [age_s for age_s, rate_cps in seen if rate_cps == 12.35]
    now = [age_s for age_s, rate_cps in seen if rate_cps == 500.0]
    assert 75 <= len(first) <= 101, "a point for each fifth of a second, or for each fifth frame"
    assert (max(first), min(first)) == pytest.approx((51.0, 31.0), abs=0.3)
    assert max(second) == pytest.approx(31.0, abs=0.3)
    assert 11.0 - 0.1 < min(second) < 12.3
    assert max(now) < 1.0
    (gap,) = [age_s for age_s, rate_cps in seen if rate_cps is None]
    assert max(now) < gap < min(second)
    assert seen == sorted(seen, key=lambda point: -point[0])


def test_no_more_than_the_last_two_minutes_is_read_back(path: Path) -> None:
    """What is older is of no display; after two minutes away nothing is."""
    counted(path, until_s=200.0)
    later = Service(path, booted=BOOTED + timedelta(seconds=230.0))
    later.count(None, since_s=0.0, until_s=0.1)
    assert max(age_s for age_s, _ in later.seen()) <= KEPT_S
    later.kill()
    latest = Service(path, booted=BOOTED + timedelta(seconds=400.0))
    latest.count(None, since_s=0.0, until_s=0.1)
    assert [rate_cps for _, rate_cps in latest.seen()] == [None]
    latest.kill()


@pytest.mark.parametrize(
    "other", [{"procedure": NOBODY}, {"procedure": Procedure(number=10_000, step=Step.PLAN)}, {"device": "beta"}]
)
def test_another_procedure_or_probe_begins_with_nothing(path: Path, other: dict[str, Any]) -> None:
    """What was counted of another patient, or by another probe, is none of its."""
    counted(path)
    later = Service(path, booted=BOOTED + timedelta(seconds=45.0), **other)
    later.count(None, since_s=0.0, until_s=0.1)
    assert [rate_cps for _, rate_cps in later.seen()] == [None]
    later.kill()


def test_a_time_of_day_that_was_set_back_makes_nothing_newer(path: Path) -> None:
    """What would have been counted after now, by a clock that was mended meanwhile, is left out."""
    counted(path)
    later = Service(path, booted=BOOTED + timedelta(seconds=25.0))
    later.count(None, since_s=0.0, until_s=0.1)
    assert min(age_s for age_s, rate_cps in later.seen() if rate_cps is not None) > 0.0
    later.kill()


def test_the_record_gets_one_small_entry_a_second_and_none_while_nothing_is_counted(path: Path) -> None:
    """A gap that lasts is told once; without a procedure nothing is entered."""
    former = Service(path)
    former.count(12345.678, since_s=0.0, until_s=10.0)
    entries = former.journal.of(TREND)
    assert 9 <= len(entries) <= 11
    assert max(len(str(entry.told)) for entry in entries) < 200
    assert max(len(entry.told["ago_s_and_cps"]) for entry in entries) <= round(1.2 / EVERY_S)
    former.count(None, since_s=10.0, until_s=70.0)
    assert len(former.journal.of(TREND)) <= len(entries) + 3
    former.kill()
    outside = Service(path, procedure=NOBODY)
    before = len(outside.journal.of(TREND))
    outside.count(310.0, since_s=100.0, until_s=110.0)
    assert len(outside.journal.of(TREND)) == before
    outside.kill()
