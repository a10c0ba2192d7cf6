"""The peak and the chosen background: of one procedure and probe, and not lost by a restart."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from acquisition.session.chapter import Chapter
from acquisition.session.journal import Journal, open_journal
from acquisition.session.procedure import Procedure
from acquisition.session.steps import Step
from acquisition.session.yardstick import CHOSEN, KINDS, PEAK, KeptRate, Yardstick

NOBODY, HERS = Procedure(), Procedure(number=1, step=Step.IN_VIVO)


def counted(counts: int, *, device: str = "gamma") -> KeptRate:
    """One second of counting."""
    return KeptRate(
        device=device,
        counts=counts,
        rate_cps=float(counts),
        low_cps=counts - counts**0.5,
        high_cps=counts + counts**0.5,
    )


class Bench:
    """A yardstick over a record, and the procedure that it is of."""

    def __init__(self, journal: Journal, procedure: Procedure) -> None:
        self.procedure = procedure
        self.journal = journal
        self.yardstick = Yardstick(Chapter(lambda: self.procedure, journal, note=self._note))

    def _note(self, kind: str, told: Mapping[str, Any]) -> None:
        self.journal.add(kind, told)

    def take(self, counts: int | None, now_s: float, *, device: str = "gamma", patient_id: str = "A-1") -> None:
        """Let the probe count so many in a second, or nothing."""
        rate = None if counts is None else counted(counts, device=device)
        self.yardstick.take(rate, device=device, patient_id=patient_id, now_s=now_s)

    def peak_cps(self) -> float | None:
        """The peak's rate."""
        return self.yardstick.peak.rate_cps if self.yardstick.peak else None


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """A record in which a procedure has begun."""
    with open_journal(tmp_path / "record.sqlite", now=lambda: datetime.now(tz=UTC)) as opened:
        opened.add("begun", {"patient_id": "A-1", "patient_name": "ANNA^A", "study_uid": "1.1"})
        yield opened


def test_the_peak_is_the_greatest_rate_until_it_is_begun_anew(journal: Journal) -> None:
    """At once, also between two entries; a probe that is silent changes nothing."""
    bench = Bench(journal, HERS)
    seen = []
    for number, counts in enumerate((120, 90, 310, None, 200)):
        bench.take(counts, 10.0 + 0.1 * number)
        seen.append(bench.peak_cps())
    assert seen == [120.0, 120.0, 310.0, 310.0, 310.0]
    bench.yardstick.begin_peak()
    assert bench.peak_cps() is None
    bench.take(40, 10.6)
    assert bench.peak_cps() == 40.0


def test_after_a_restart_all_is_read_back(journal: Journal) -> None:
    """Peak, background, and that either was begun anew or left; errors are told by counts and interval."""
    before = Bench(journal, HERS)
    before.take(310, 10.0)
    before.yardstick.choose(counted(25))
    again = Bench(journal, HERS)
    again.take(None, 0.0)
    assert (again.yardstick.peak, again.yardstick.background) == (counted(310), counted(25))
    again.yardstick.begin_peak()
    again.yardstick.leave()
    last = Bench(journal, HERS)
    last.take(None, 0.0)
    assert (last.yardstick.peak, last.yardstick.background) == (None, None)
    last.take(80, 0.1)
    assert last.peak_cps() == 80.0


def test_a_climb_makes_one_entry_a_second(journal: Journal) -> None:
    """Ten seconds of growing rates at ten a second; what is then read back is at most a second old."""
    bench = Bench(journal, HERS)
    for number in range(100):
        bench.take(100 + number, 10.0 + 0.1 * number)
    entries = journal.of(PEAK)
    assert 9 <= len(entries) <= 11
    assert entries[-1].told["counts"] >= 199 - 10
    bench.take(50, 21.0)  # the last of a climb is entered too, once it is due
    assert journal.of(PEAK)[-1].told["counts"] == 199
    count = len(journal.of(PEAK))
    bench.take(50, 30.0)
    assert len(journal.of(PEAK)) == count


def test_nothing_is_compared_with_what_another_probe_counted(journal: Journal) -> None:
    """Not while the service runs, and not after a restart; what its own counted comes back with it."""
    bench = Bench(journal, HERS)
    bench.take(310, 10.0)
    bench.yardstick.choose(counted(25))
    bench.take(80, 20.0, device="second")
    assert (bench.peak_cps(), bench.yardstick.background) == (80.0, None)
    again = Bench(journal, HERS)
    again.take(None, 0.0, device="second")
    assert (again.peak_cps(), again.yardstick.background) == (80.0, None)
    again.take(None, 0.1, device="gamma")
    assert (again.peak_cps(), again.yardstick.background) == (310.0, counted(25))


@pytest.mark.parametrize(
    "other", [Procedure(number=7, step=Step.PLAN), replace(HERS, step=Step.ENDED)], ids=["next", "ended"]
)
def test_another_procedure_has_nothing_of_the_last(journal: Journal, other: Procedure) -> None:
    """The next patient's begins with nothing; neither does an ended one come back after a restart."""
    bench = Bench(journal, HERS)
    bench.take(310, 10.0)
    bench.yardstick.choose(counted(25))
    for _ in range(6):
        journal.add("alert", {})
    again = Bench(journal, other)
    again.take(None, 0.0)
    assert (again.yardstick.peak, again.yardstick.background) == (None, None)


def test_without_a_procedure_it_is_of_the_patient_whose_study_is_in_use(journal: Journal) -> None:
    """No peak goes into the record then; with another patient's study it begins anew."""
    bench = Bench(journal, NOBODY)
    bench.take(310, 10.0)
    bench.yardstick.choose(counted(25))
    bench.take(80, 20.0)
    assert bench.peak_cps() == 310.0
    bench.take(80, 30.0, patient_id="B-2")
    assert (bench.peak_cps(), bench.yardstick.background) == (80.0, None)
    assert [entry.kind for entry in journal.of(*KINDS)] == [CHOSEN]
