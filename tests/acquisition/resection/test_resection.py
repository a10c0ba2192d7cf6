"""What a surgeon marks and counts: refused where it makes no sense, answered, recorded, and of one patient."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from acquisition.estimate.localising import Localisation, Localiser
from acquisition.resection.bed import Decision
from acquisition.resection.record import Findings
from acquisition.resection.resection import Resection
from acquisition.resection.specimen import BenchCount
from navigation.observations import Observations
from navigation.probe.response import Response
from navigation.statistics.limits import Verdict
from navigation.transforms import RigidTransform
from tests.acquisition.estimate.test_localising import premises
from tests.acquisition.image.test_imaging import believed, source
from tests.acquisition.resection.test_shift import registered
from tests.acquisition.resection.test_specimen import reading
from tests.navigation.bench import SKIN, calibrated
from tests.navigation.resection.test_excision import BEFORE_MBQ, PLACE_MM, held
from tests.navigation.resection.test_excision import removed as target

RESPONSE = calibrated(np.random.default_rng(3))[0]


class Table:
    """An operating table where one node is located, with a clock that a test moves."""

    def __init__(self, response: Response | None = RESPONSE) -> None:
        self.now_s, self.is_calibrating = 1000.0, False
        self.registration: RigidTransform | None = None
        self.events: list[Mapping[str, Any]] = []
        self.taken_out: list[frozenset[str]] = []
        self.localiser = Localiser(clock=lambda: self.now_s)
        self.localiser.begin(replace(premises(), tissue=SKIN))
        self.believe()
        self.resection = Resection(
            self.localiser,
            probe="gamma",
            response=response,
            half_life_s=21_654.0,
            take_out=self._take_out,
            record=self._record,
            clock=lambda: self.now_s,
            is_calibrating=lambda: self.is_calibrating,
            patient_from_reference=lambda: self.registration,
        )
        self.resection.serve("A-1")

    def believe(self, *, is_localisable: bool = True, is_consistent: bool = True) -> None:
        """Let the estimate say so."""
        site = source("site", "injection", PLACE_MM + 300, 1.0)
        posterior = believed(replace(target(), is_localisable=is_localisable), site)
        self.localiser.newest = Localisation(
            posterior=replace(posterior, is_consistent=is_consistent), counted_until_s=self.now_s, update_ms=1.0
        )

    async def _take_out(self, names: frozenset[str]) -> None:
        self.taken_out.append(names)

    def _record(self, at_s: float, event: Mapping[str, Any]) -> None:
        assert at_s == self.now_s
        self.events.append(event)

    @property
    def told(self) -> list[str]:
        """Names of what was recorded."""
        return [event["event"] for event in self.events]

    def count_bed(self, seconds: float, left_mbq: float, *, seed: int = 1) -> None:
        """Hold the probe over the bed from now on."""
        seen = held(seconds, left_mbq, np.random.default_rng(seed))
        later = Observations(
            counts=seen.counts,
            live_time_s=seen.live_time_s,
            tip_mm=seen.tip_mm,
            axis=seen.axis,
            taken_at_s=seen.taken_at_s + self.now_s,
        )
        self.now_s += seconds
        self.resection.take(later, believed())

    def count_bench(self, seconds: float, counts: int) -> None:
        """Let the probe count on the bench from now on, so many in each half second."""
        for _ in range(round(2 * seconds)):
            self.resection.take_count(reading(self.now_s, counts))
            self.now_s += 0.5

    async def until(self, is_so: Any) -> None:
        """Wait for the answers that make this true."""
        async with asyncio.timeout(30):
            while not is_so():  # noqa: ASYNC110 - it sets no event
                await asyncio.sleep(0.002)


@asynccontextmanager
async def running(table: Table) -> AsyncIterator[None]:
    """Let it answer, and end it."""
    task = asyncio.create_task(table.resection.run())
    try:
        yield
    finally:
        task.cancel()
        outcome = (await asyncio.gather(task, return_exceptions=True))[0]
    assert isinstance(outcome, asyncio.CancelledError)


async def test_a_removed_node_leaves_an_empty_bed() -> None:
    """Marked, its bed counted, removed; the estimate begins anew without it, and all of it is recorded."""
    table = Table()
    async with running(table):
        assert await table.resection.remove("node") is None
        assert table.taken_out == [frozenset({"node"})]
        assert table.resection.count_bed(1) is None
        table.count_bed(30, 0.0)
        await table.until(lambda: table.resection.counting is None)
    assert table.resection.looks[1].decision is Decision.REMOVED
    assert table.told == ["removed", "counting", "looked"]
    assert table.events[0]["target"] == "node"
    assert table.events[0]["others"][0]["name"] == "site"
    assert table.events[2]["decision"] == "removed"
    assert table.events[2]["bed"]["share"]["upper"] < 0.1
    assert all(event["patient_id"] == "A-1" for event in table.events)
    assert table.taken_out == [frozenset({"node"})], "nothing that was counted since was of the node"


async def test_a_bed_is_not_counted_on_in_another_registrations_places() -> None:
    """What was counted before lies elsewhere now: together they would say of one place what two of them said."""
    table = Table()
    await table.resection.remove("node")
    assert table.resection.count_bed(1) is None
    table.resection.leave_bed()
    assert table.resection.counting is None
    assert table.told == ["removed", "counting", "stopped"]
    assert table.resection.count_bed(1) is None, "anew it can be"
    assert table.resection.count_bench("background") is not None
    table.resection.stop()
    assert table.resection.count_bench("background") is None
    table.resection.leave_bed()
    assert table.resection.counting is not None, "the bench has no place in the patient"


@pytest.mark.parametrize("moved_mm", [15.0, 20.0])
async def test_a_bed_that_another_registration_has_elsewhere_is_not_counted(moved_mm: float) -> None:
    """The sentence says how far, and what to do instead; what had been said of the bed by then stands."""
    table = Table()
    table.registration = registered(0.0)
    async with running(table):
        await table.resection.remove("node")
        assert table.resection.count_bed(1) is None
        table.count_bed(30, 0.0)
        await table.until(lambda: table.resection.counting is None)
    table.registration = registered(moved_mm)
    table.resection.leave_bed()
    refusal = table.resection.count_bed(1) or ""
    assert f"its bed lies {moved_mm:.0f} mm elsewhere" in refusal
    assert "count the specimen" in refusal
    assert table.resection.counting is None
    assert table.resection.looks[1].decision is Decision.REMOVED
    table.registration = registered(5.0)
    assert table.resection.count_bed(1) is None


async def test_a_bed_is_judged_by_the_registration_that_it_is_counted_by() -> None:
    """None was in use as the count began: the one that came since has the bed elsewhere."""
    table = Table()
    table.registration = registered(0.0)
    async with running(table):
        await table.resection.remove("node")
        table.registration = None
        assert table.resection.count_bed(1) is None
        table.registration = registered(15.0)
        table.count_bed(3, 0.0)
        await table.until(lambda: 1 in table.resection.looks)
    assert table.resection.looks[1].decision is Decision.COUNT_ON
    assert "15 mm elsewhere" in table.resection.looks[1].reason


async def test_a_node_that_is_still_there_is_never_removed_and_cut_again_it_is() -> None:
    """Still there until it is out; then what was counted in between is forgotten too."""
    table = Table()
    async with running(table):
        await table.resection.remove("node")
        for seed in range(3):
            assert table.resection.count_bed(1) is None
            table.count_bed(10, BEFORE_MBQ, seed=seed)
            await table.until(lambda: table.resection.counting is None)
            assert table.resection.looks[1].decision is Decision.STILL_THERE
        assert len(table.taken_out) == 1
        assert table.resection.count_bed(1) is None
        table.count_bed(30, 0.0)
        await table.until(lambda: table.resection.counting is None)
        assert table.resection.looks[1].decision is Decision.REMOVED
        await table.until(lambda: len(table.taken_out) == 2)


async def test_nothing_is_marked_that_nobody_located() -> None:
    """No belief, no such target, an injection site, one not located, counts that do not fit: a sentence."""
    table = Table()
    for name, sentence in (("other", "no target other"), ("site", "no target site")):
        assert sentence in (await table.resection.remove(name) or "")
    table.believe(is_localisable=False)
    assert "not located" in (await table.resection.remove("node") or "")
    table.believe(is_consistent=False)
    assert "do not fit" in (await table.resection.remove("node") or "")
    table.localiser.newest = None
    assert "nothing is estimated" in (await table.resection.remove("node") or "")
    assert not table.events
    assert table.resection.revision == 0


async def test_one_thing_is_counted_at_a_time() -> None:
    """What is refused changes nothing, and each refusal says what to do."""
    table = Table()
    assert "say first what was taken out" in (table.resection.count_bed(1) or "")
    await table.resection.remove("node")
    assert table.resection.count_bed(1) is None
    counting = table.resection.counting
    for refusal in (
        table.resection.count_bench("specimen"),
        table.resection.count_bed(1),
        await table.resection.remove("node"),
    ):
        assert "stop that first" in (refusal or "")
    assert table.resection.counting is counting
    assert table.resection.stop() is None
    assert table.resection.counting is None
    assert "no specimen 4" in (table.resection.discard(4) or "")
    assert "number 4" in (await table.resection.restore(4) or "")
    table.localiser.begin(None, obstacle="the study has no CT")
    assert "no CT" in (table.resection.count_bed(1) or "")
    uncalibrated = Table(response=None)
    await uncalibrated.resection.remove("node")
    assert "run acquire" in (uncalibrated.resection.count_bed(1) or "")


async def test_a_mark_can_be_taken_back() -> None:
    """The target is on the map again, its bed is none, and the record holds both."""
    table = Table()
    await table.resection.remove("node")
    table.resection.count_bed(1)
    assert await table.resection.restore(1) is None
    assert list(table.resection.removed) == []
    assert table.resection.counting is None
    assert table.taken_out == [frozenset({"node"}), frozenset()]
    assert table.told == ["removed", "counting", "not removed"]
    await table.resection.remove("node")
    assert [each.number for each in table.resection.removed] == [2], "a number is never given twice"


async def test_specimens_are_counted_on_the_bench_and_compared() -> None:
    """Background, two specimens: the second counts 5 % of the first; a discarded hottest makes it the hottest."""
    table = Table()
    resection = table.resection
    async with running(table):
        await resection.remove("node")
        for kind, counts in (("background", 2), ("specimen", 2000), ("specimen", 100)):
            assert resection.count_bench(kind) is None  # type: ignore[arg-type]
            table.count_bench(10, counts)
            assert resection.counting is None
        await table.until(lambda: len(resection.comparisons) == 2)
        assert resection.comparisons[1].is_hottest
        share = resection.comparisons[2].share
        assert share is not None
        assert share.verdict is Verdict.BELOW
        assert share.ratio.best == pytest.approx(98 / 1998, rel=0.03)  # but for the dead time of the hottest
        assert [each.of for each in resection.specimens] == ["node", "node"]
        resection.count_bench("background")
        table.count_bench(10, 3)
        assert resection.comparisons == {}, "the shares were of another background"
        await table.until(lambda: len(resection.comparisons) == 2)
        assert resection.discard(1) is None
        assert resection.comparisons == {}, "the share was of a hottest that is none any more"
        await table.until(lambda: resection.comparisons.get(2) and resection.comparisons[2].is_hottest)
    assert table.told.count("specimen counted") == 2
    assert "specimen discarded" in table.told
    assert table.told[-1] == "compared"


async def test_counts_on_the_bench_are_none_of_the_patient() -> None:
    """From the first of them to the last, also those whose poses come late; before and after they are hers."""
    table = Table()
    assert table.resection.is_of_patient(table.now_s)
    began_s = table.now_s
    table.resection.count_bench("specimen")
    assert isinstance(table.resection.counting, BenchCount)
    assert not table.resection.is_of_patient(began_s + 1)
    assert table.resection.is_of_patient(began_s - 0.1)
    table.count_bench(10, 100)
    ended_s = table.now_s
    table.now_s += 5
    assert not table.resection.is_of_patient(ended_s - 0.6)
    assert table.resection.is_of_patient(ended_s + 0.1)


async def test_nothing_is_counted_while_a_calibration_has_the_probe() -> None:
    """Its source would be taken for a specimen, and no count of a bed would come through."""
    table = Table()
    await table.resection.remove("node")
    table.is_calibrating = True
    refused = "a calibration is under way: end it first"
    assert table.resection.count_bench("background") == refused
    assert table.resection.count_bed(1) == refused
    assert table.resection.counting is None
    table.is_calibrating = False
    assert table.resection.count_bed(1) is None


async def test_a_specimen_that_was_not_counted_says_why() -> None:
    """Stopped at once: no specimen, a sentence, and the record knows; another probe's counts are not its."""
    table = Table()
    table.resection.count_bench("specimen")
    table.resection.take_count(replace(reading(table.now_s, 500), device="monitor"))
    table.resection.stop()
    assert table.resection.specimens == ()
    assert "only 0.0 s were counted" in table.resection.trouble
    assert table.told == ["counting", "stopped", "not counted"]
    table.resection.count_bench("specimen")
    assert table.resection.trouble == ""


async def test_another_patient_has_nothing_of_the_one_before() -> None:
    """No specimen and no bed go over; the same patient's later studies keep all."""
    table = Table()
    await table.resection.remove("node")
    table.resection.count_bench("specimen")
    table.count_bench(10, 100)
    table.resection.serve("A-1")
    assert table.resection.specimens
    revision = table.resection.revision
    table.resection.serve("B-2")
    assert (table.resection.removed, table.resection.specimens, table.resection.looks) == ((), (), {})
    assert table.resection.revision > revision, "who still sees the former patient's is refused"


@pytest.mark.parametrize("what", ["specimen", "bed"])
async def test_what_is_counted_as_another_procedure_begins_is_none_of_it(what: str) -> None:
    """Nothing of the former one's becomes the first specimen, or the bed, of the next patient's.

    What lay before the probe on the bench until then is still none of her.
    """
    table = Table()
    await table.resection.remove("node")
    began_s = table.now_s
    assert (
        table.resection.count_bench("specimen") if what == "specimen" else table.resection.count_bed(1)
    ) is None
    table.count_bench(5, 100)
    table.resection.resume("B-2", Findings(), revision=table.resection.revision + 1)
    assert table.resection.counting is None
    assert table.resection.is_of_patient(began_s + 1) == (what == "bed")
    table.count_bench(10, 100)
    assert (table.resection.specimens, table.resection.trouble) == ((), "")


async def test_an_answer_to_a_count_that_was_stopped_is_none() -> None:
    """The look that runs while the person stops changes no bed."""
    table = Table()
    await table.resection.remove("node")
    table.resection.count_bed(1)
    table.count_bed(10, 0.0)
    async with running(table):
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        table.resection.stop()
        table.resection.count_bench("background")
        table.count_bench(10, 1)
        await table.until(lambda: not table.resection._woken.is_set())
    assert table.resection.looks == {}
