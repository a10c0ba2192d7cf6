"""The procedure: what each step needs, a reason that overrides it, and a restart that goes on from the record."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from acquisition.archive import ArchivedStudy
from acquisition.calibration import Calibration, Provenance
from acquisition.patient import Patient
from acquisition.resection.bed import OTHER_MAP, Decision
from acquisition.resection.record import Recorded, read_back
from acquisition.session.checklist import ITEMS, Equipment
from acquisition.session.drawn import DrawnSpot
from acquisition.session.journal import Journal, acting_as, open_journal
from acquisition.session.plan import PlannedSource
from acquisition.session.procedure import Sort
from acquisition.session.report import report_of
from acquisition.session.session import Session
from acquisition.session.steps import TRANSITIONS, Need, Step, transitions_from
from devices.readings import DeviceHealth, LinkState
from tests.acquisition.received import received, study, study_map
from tests.acquisition.resection.test_resection import RESPONSE, Table, running
from tests.acquisition.resection.test_shift import registered
from tests.acquisition.session.damaged import damage

SURGEON = "Dr. Sokolova"
ANNA = Patient(patient_id="A-1", name="ANNA^A")
BERTA = Patient(patient_id="B-2", name="BERTA^B")


def link(device: str, state: LinkState = LinkState.LIVE) -> DeviceHealth:
    return DeviceHealth(device=device, state=state, since_s=0.0, detail="" if state is LinkState.LIVE else "gone")


def calibrated(ended_at: datetime) -> Calibration:
    provenance = Provenance(
        probe="gamma",
        identity="",
        is_simulated=True,
        started_at=ended_at - timedelta(minutes=9),
        ended_at=ended_at,
        sources={},
        results=[{"passed": True}],
    )
    return Calibration(response=RESPONSE, provenance=provenance)


class Theatre:
    """An operating table, and the procedure on it."""

    def __init__(self, journal: Journal, *, booted_at: datetime | None = None) -> None:
        self.table = Table()
        self._dawn = booted_at or datetime.now(tz=UTC) - timedelta(seconds=self.table.now_s)
        self.journal = journal
        self.sorted: list[Mapping[str, Sort]] = []
        self.drawn: tuple[DrawnSpot, ...] = ()
        self.equipment = Equipment(
            nuclide=RESPONSE.nuclide,
            window_kev=RESPONSE.window_kev,
            calibration=calibrated(datetime.now(tz=UTC)),
            stranger="",
            probe=link("gamma"),
            tracker=link("camera"),
            tracker_error_mm=0.3,
            is_registered=True,
        )
        self.session = Session(
            journal,
            resection=self.table.resection,
            localiser=self.table.localiser,
            equipment=lambda: self.equipment,
            response=RESPONSE,
            share_left=lambda _: 0.5,
            half_life_s=21_654.0,
            sort=self._sort,
            clock=lambda: self.table.now_s,
            now=self.now,
        )
        self.table.resection._record = self.session.record

    def now(self) -> datetime:
        """The time of day, which goes as the table's clock does."""
        return self._dawn + timedelta(seconds=self.table.now_s)

    async def _sort(self, sorts: Mapping[str, Sort], drawn: Sequence[DrawnSpot]) -> None:
        self.sorted.append(dict(sorts))
        self.drawn = tuple(drawn)

    async def begin(self, *, patient_name: str = "ANNA^A") -> None:
        """Choose the patient, and have her study in use."""
        archived = ArchivedStudy(received=received(), map=study_map(study(), activity_mbq=1.0))
        await self.session.use(archived)
        await self.session.begin(Patient(patient_id="A-1", name=patient_name), study_uid="1.1")

    async def move(self, to: Step, reason: str = "") -> str | None:
        """Take a step as the surgeon."""
        with acting_as(SURGEON):
            return await self.session.move(to, reason)

    async def reach(self, step: Step) -> None:
        """Take all steps up to this one, with a reason where something is missing."""
        await self.begin()
        for each in list(Step)[1 : list(Step).index(step) + 1]:
            assert await self.move(each, "for a test") is None


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """An empty record."""
    with open_journal(tmp_path / "record.sqlite", now=lambda: datetime.now(tz=UTC)) as opened:
        yield opened


@pytest.fixture
def theatre(journal: Journal) -> Theatre:
    """A room in which no procedure has begun."""
    return Theatre(journal)


def test_the_table_leads_from_the_patient_to_the_end() -> None:
    """Each step can be reached, none but the end is a dead end, and no two transitions are the same."""
    order = list(Step)
    for here, there in pairwise(order):
        assert there in {each.to for each in transitions_from(here)}
    assert not transitions_from(Step.ENDED)
    assert len({(each.start, each.to) for each in TRANSITIONS}) == len(TRANSITIONS)
    for step in order[:-1]:
        assert Step.ENDED in {each.to for each in transitions_from(step)}, step


async def test_nothing_begins_without_a_confirmed_patient(theatre: Theatre) -> None:
    """No reason replaces whose procedure it is."""
    refusal = await theatre.move(Step.PLAN, "there is no time for that")
    assert refusal is not None
    assert Need.CONFIRMED in refusal
    assert theatre.session.procedure.step is Step.PATIENT


async def test_a_procedure_from_the_patient_to_the_end(theatre: Theatre) -> None:
    """Every need met in turn: no step wants a reason, and none is recorded as overridden."""
    table, session = theatre.table, theatre.session
    await theatre.begin()
    assert await theatre.move(Step.PLAN) is None
    assert Need.SORTED in str(await theatre.move(Step.TIME_OUT))
    with acting_as(SURGEON):
        assert await session.sort("target 1", "target") is None
    assert theatre.sorted == [{}, {"target 1": "target"}]
    assert await theatre.move(Step.TIME_OUT) is None
    assert Need.CHECKED in str(await theatre.move(Step.SKIN_SCAN))
    for item in ITEMS:
        with acting_as(SURGEON):
            assert await session.check(item) is None
    assert await theatre.move(Step.SKIN_SCAN) is None
    assert await theatre.move(Step.INCISION) is None
    assert await theatre.move(Step.IN_VIVO) is None
    assert Need.REMOVED in str(await theatre.move(Step.EX_VIVO))
    async with running(table):
        assert await table.resection.remove("node") is None
        assert await theatre.move(Step.EX_VIVO) is None
        assert Need.COUNTED in str(await theatre.move(Step.BED))
        table.resection.count_bench("specimen")
        table.count_bench(11, 500)
        assert await theatre.move(Step.BED) is None
        assert Need.DECIDED in str(await theatre.move(Step.ENDED))
        table.resection.count_bed(1)
        table.count_bed(30, 0.0)
        await table.until(lambda: table.resection.counting is None)
    assert await theatre.move(Step.ENDED) is None
    assert session.procedure.overrides == ()
    assert session.procedure.taken == tuple(Step)
    report = report_of(theatre.journal, session.procedure.number)
    assert report is not None
    assert report.ended_at is not None
    (found,) = report.found
    assert found.look is not None
    assert found.look.told["decision"] == "removed"
    assert [each.of for each in report.specimens] == ["node"]
    assert {entry.person for entry in report.moves} == {SURGEON}


async def test_what_is_missing_is_overridden_with_a_reason_alone(theatre: Theatre) -> None:
    """Refused without one; with one the step is taken, and the record keeps what was missing, why, and who."""
    await theatre.begin()
    await theatre.move(Step.PLAN)
    refusal = await theatre.move(Step.TIME_OUT, " x ")
    assert refusal is not None
    assert "give a reason" in refusal
    assert await theatre.move(Step.TIME_OUT, "emergency") is None
    (override,) = theatre.session.procedure.overrides
    assert (override.person, override.reason, override.step) == (SURGEON, "emergency", Step.TIME_OUT)
    assert override.unmet == (Need.SORTED, Need.TARGETED)
    assert await theatre.move(Step.BED) == "bed does not follow time-out"
    with acting_as(SURGEON):
        for item in ITEMS[1:]:
            await theatre.session.check(item)
    assert await theatre.move(Step.SKIN_SCAN, "emergency") is None
    override = theatre.session.procedure.overrides[-1]
    assert (override.unmet, override.unchecked) == ((Need.CHECKED,), {"nuclide": "Tc-99m"})


async def test_each_step_that_needs_something_is_taken_with_a_reason(theatre: Theatre) -> None:
    """From the plan to the end: refused without one, taken with it, and each stands in the report."""
    table, session = theatre.table, theatre.session
    table.localiser.newest = None
    await theatre.begin()
    await theatre.move(Step.PLAN)
    wanted = {
        Step.TIME_OUT: (Need.SORTED, Need.TARGETED),
        Step.SKIN_SCAN: (Need.CHECKED,),
        Step.INCISION: (Need.LOCATED,),
        Step.IN_VIVO: (),
        Step.EX_VIVO: (Need.REMOVED,),
        Step.BED: (Need.COUNTED,),
        Step.ENDED: (Need.DECIDED,),
    }
    async with running(table):
        for step, needs in wanted.items():
            if step is Step.BED:
                table.believe()
                assert await table.resection.remove("node") is None
            refusal = await theatre.move(step)
            if needs:
                assert f"not yet so: {'; '.join(needs)}. To go on all the same" in str(refusal)
                assert await theatre.move(step, f"no time before {step}") is None
            assert session.procedure.step is step
    told = [(each.step, each.unmet, each.reason, each.person) for each in session.procedure.overrides]
    assert told == [(step, needs, f"no time before {step}", SURGEON) for step, needs in wanted.items() if needs]
    report = report_of(theatre.journal, session.procedure.number)
    assert report is not None
    assert report.procedure.overrides == session.procedure.overrides


async def test_there_is_no_incision_before_a_target_is_located(theatre: Theatre) -> None:
    """Not one that the counts cannot locate or contradict, not an injection site, not before an estimate."""
    await theatre.reach(Step.SKIN_SCAN)
    table = theatre.table
    table.believe(is_localisable=False)
    assert Need.LOCATED in str(await theatre.move(Step.INCISION))
    table.believe(is_consistent=False)
    assert Need.LOCATED in str(await theatre.move(Step.INCISION))
    table.believe()
    located = table.localiser.newest
    assert located is not None
    sites = tuple(each for each in located.posterior.targets if each.kind == "injection")
    assert sites
    table.localiser.newest = replace(located, posterior=replace(located.posterior, targets=sites))
    assert Need.LOCATED in str(await theatre.move(Step.INCISION))
    table.localiser.newest = None
    assert Need.LOCATED in str(await theatre.move(Step.INCISION))
    table.localiser.newest = located
    assert await theatre.move(Step.INCISION) is None


async def test_a_plan_without_a_target_is_none(theatre: Theatre) -> None:
    """All hot spots confirmed, none of them as a target: nothing is looked for, on no side."""
    await theatre.begin()
    await theatre.move(Step.PLAN)
    with acting_as(SURGEON):
        assert await theatre.session.sort("target 1", "neither") is None
    refusal = str(await theatre.move(Step.TIME_OUT))
    assert Need.TARGETED in refusal
    assert Need.SORTED not in refusal
    assert await theatre.move(Step.TIME_OUT, "for a test") is None
    assert "no target is planned" in str(await theatre.session.check("side"))


@pytest.mark.parametrize(
    ("item", "changes", "said"),
    [
        ("nuclide", {"nuclide": "In-111"}, "In-111"),
        ("probe", {"stranger": "of another probe"}, "of another probe"),
        ("probe", {"probe": link("gamma", LinkState.LOST)}, "gone"),
        ("window", {"window_kev": (100.0, 200.0)}, "100 to 200 keV"),
        (
            "window",
            {"window_kev": None, "window_said": "channels 126 to 154", "calibration": None},
            "channels 126 to 154, and no calibration",
        ),
        ("quality check", {"calibration": calibrated(datetime(2026, 1, 5, 8, tzinfo=UTC))}, "not today"),
        ("quality check", {"calibration": None}, "run acquire"),
        ("tracker", {"tracker": None}, "not there"),
        ("registration", {"is_registered": False}, "none"),
        ("registration", {"doubt": "the reference has slipped"}, "slipped"),
    ],
)
async def test_what_is_wrong_cannot_be_confirmed(
    theatre: Theatre, item: str, changes: dict[str, object], said: str
) -> None:
    """The time-out's item says what is wrong; nobody ticks it off, and the step needs a reason."""
    await theatre.reach(Step.TIME_OUT)
    theatre.equipment = replace(theatre.equipment, **changes)  # type: ignore[arg-type]
    (found,) = (each for each in theatre.session.items() if each.name == item)
    assert not found.is_good
    assert said in found.said
    assert said in str(await theatre.session.check(item))
    assert "give a reason" in str(await theatre.move(Step.SKIN_SCAN))


@pytest.mark.parametrize(
    ("window_said", "words"),
    [
        ("", "all energies: this probe has no window"),
        ("channels 126 to 154", "channels 126 to 154; calibrated for {:g} to {:g} keV"),
        ("its own analyser 3", "its own analyser 3; calibrated for {:g} to {:g} keV"),
    ],
)
async def test_a_window_in_channels_is_told_for_a_person_to_compare(
    theatre: Theatre, window_said: str, words: str
) -> None:
    """Only a probe that counts all energies is said to have no window."""
    await theatre.reach(Step.TIME_OUT)
    theatre.equipment = replace(theatre.equipment, window_kev=None, window_said=window_said)
    (found,) = (each for each in theatre.session.items() if each.name == "window")
    assert found.is_good
    assert found.said.startswith(words.format(*RESPONSE.window_kev))
    assert await theatre.session.check("window") is None


async def test_a_time_out_is_held_anew_after_a_return_to_it(theatre: Theatre) -> None:
    """What was confirmed before is of another moment."""
    await theatre.reach(Step.TIME_OUT)
    assert await theatre.session.check("tracker") is None
    await theatre.move(Step.SKIN_SCAN, "for a test")
    await theatre.move(Step.TIME_OUT)
    assert theatre.session.procedure.checks == {}


async def test_the_plan_knows_side_depth_activity_and_rate(theatre: Theatre) -> None:
    """The fixture's node: 10 mm under the front skin, on the midline, half of its activity left, and ever less.

    After another half-life its activity and what it adds to the background are halved again.
    """
    await theatre.begin()
    (source,) = theatre.session.sources
    assert isinstance(source, PlannedSource)
    assert (source.name, source.side, source.activity_mbq) == ("target 1", "midline", 0.5)
    assert source.depth_mm == pytest.approx(10.0, abs=2.0)
    assert source.skin_rate_cps is not None
    assert source.skin_rate_cps > RESPONSE.background_cps
    theatre.table.now_s += 21_654.0
    (later,) = theatre.session.sources
    assert later.activity_mbq == pytest.approx(0.25)
    assert later.skin_rate_cps is not None
    added_cps = [each - RESPONSE.background_cps for each in (later.skin_rate_cps, source.skin_rate_cps)]
    assert added_cps[0] == pytest.approx(added_cps[1] / 2)


async def test_another_patient_is_never_loaded_into_a_procedure(theatre: Theatre) -> None:
    """Refused until it is ended, which early ends are with a reason."""
    await theatre.begin()
    refusal = theatre.session.refuse(BERTA)
    assert refusal is not None
    assert "never loaded" in refusal
    assert theatre.session.refuse(ANNA) is None
    assert Need.WHOLE in str(await theatre.move(Step.ENDED))
    assert await theatre.move(Step.ENDED, "operation called off") is None
    assert theatre.session.refuse(BERTA) is None


async def test_the_same_patient_s_next_procedure_starts_from_nothing(theatre: Theatre) -> None:
    """What was taken out in the last one is none of the next."""
    await theatre.reach(Step.IN_VIVO)
    await theatre.table.resection.remove("node")
    await theatre.move(Step.ENDED, "called off")
    first = theatre.session.procedure.number
    await theatre.begin()
    assert theatre.session.procedure.number > first
    assert theatre.session.procedure.step is Step.PATIENT
    assert theatre.table.resection.removed == ()


async def test_the_next_procedure_with_the_same_study_inherits_nothing(theatre: Theatre) -> None:
    """Neither what was sorted nor drawn, nor what was taken out: the plan and the estimate start from the map."""
    await theatre.reach(Step.PLAN)
    with acting_as(SURGEON):
        await theatre.session.sort("target 1", "organ")
        await theatre.session.draw("target", (20.0, -20.0, 10.0), 5.0, name="", activity_mbq=0.5)
    await theatre.table.resection.remove("node")
    assert theatre.table.taken_out[-1] == frozenset({"node"})
    await theatre.move(Step.ENDED, "called off")
    await theatre.session.begin(ANNA, study_uid="1.1")
    assert [source.name for source in theatre.session.sources] == ["target 1"]
    assert (theatre.sorted[-1], theatre.drawn) == ({}, ())
    assert theatre.table.taken_out[-1] == frozenset()


async def test_what_is_counted_as_the_next_procedure_begins_is_ended_in_the_former_one_s_record(
    theatre: Theatre,
) -> None:
    """Nobody finds a count there that never ended, nor in the next one a specimen of what was cut before."""
    await theatre.reach(Step.PLAN)
    assert theatre.table.resection.count_bench("specimen") is None
    theatre.table.count_bench(5, 100)
    await theatre.move(Step.ENDED, "called off")
    await theatre.session.begin(BERTA, study_uid="")
    theatre.table.count_bench(10, 100)
    assert (theatre.table.resection.counting, theatre.table.resection.specimens) == (None, ())
    kinds = [entry.kind for entry in theatre.journal.all_after(0)]
    assert kinds[-3:] == ["stopped", "specimen counted", "begun"]


async def test_what_was_taken_out_of_another_study_s_map_hides_no_target_of_this_one(theatre: Theatre) -> None:
    """Each map counts its hot spots from 1: the "node" of the first is gone, that of the second is not.

    Nor is the bed of the first counted in the space of the second; with the first in use again all is as before.
    """
    await theatre.reach(Step.PLAN)
    table = theatre.table
    assert await table.resection.remove("node") is None
    assert table.resection.count_bed(1) is None
    other = ArchivedStudy(received=received("1.2"), map=study_map(study("1.2"), activity_mbq=1.0))
    await theatre.session.use(other)
    assert table.resection.counting is None
    assert table.resection.count_bed(1) == OTHER_MAP
    await table.resection.begin_anew()
    assert table.taken_out[-1] == frozenset()
    later = Theatre(theatre.journal, booted_at=theatre._dawn)
    later.table.now_s = table.now_s + 60
    assert later.session.resume() == frozenset()
    await theatre.session.use(ArchivedStudy(received=received(), map=study_map(study(), activity_mbq=1.0)))
    await table.resection.begin_anew()
    assert table.taken_out[-1] == frozenset({"node"})
    assert table.resection.count_bed(1) is None
    again = Theatre(theatre.journal, booted_at=theatre._dawn)
    again.table.now_s = table.now_s + 60
    assert again.session.resume() == frozenset({"node"})


async def test_a_record_that_a_disk_damaged_ends_no_procedure(
    theatre: Theatre, journal: Journal, tmp_path: Path
) -> None:
    """What the room notices next is not entered, nor read back: the room is told, and goes on."""
    await theatre.begin()
    for _ in range(50):
        theatre.session.note("estimate", {"words": "x" * 1000})
    journal._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    journal._database.execute("PRAGMA shrink_memory")
    path = tmp_path / "record.sqlite"
    damage(path)
    theatre.session.note("estimate", {})
    assert "move its file away" in theatre.session.failure


async def test_a_restart_in_mid_procedure_loses_nothing(theatre: Theatre, journal: Journal) -> None:
    """Another process, another clock: step, plan, node, bed, specimens and their labels are as they were."""
    table = theatre.table
    await theatre.reach(Step.PLAN)
    await theatre.session.sort("target 1", "injection")
    for step in (Step.TIME_OUT, Step.SKIN_SCAN, Step.INCISION, Step.IN_VIVO):
        await theatre.move(step, "for a test")
    async with running(table):
        await table.resection.remove("node")
        table.resection.count_bench("background")
        table.count_bench(11, 2)
        for counts in (500, 3):
            table.resection.count_bench("specimen")
            table.count_bench(11, counts)
        table.resection.label(2, None)
        table.resection.count_bed(1)
        table.count_bed(30, 0.0)
        await table.until(lambda: len(table.resection.comparisons) == 2)
        await table.until(lambda: 1 in table.resection.looks)
    before = table.resection

    # a clock that began anew, three seconds later
    later = Theatre(journal, booted_at=theatre.now() + timedelta(seconds=3.0 - 77.0))
    later.table.now_s = 77.0
    taken_out = later.session.resume()
    after = later.table.resection
    assert taken_out == frozenset({"node"})
    assert later.session.procedure == theatre.session.procedure
    assert later.session.procedure.step is Step.IN_VIVO
    assert later.session.procedure.sorts == {"target 1": "injection"}
    (one,), (other,) = before.removed, after.removed
    assert (other.number, other.target.name, other.target.presence) == (1, "node", one.target.presence)
    assert np.allclose(other.target.centre_mm, one.target.centre_mm)
    assert np.allclose(other.target.region_semi_axes_mm, one.target.region_semi_axes_mm)
    assert other.target.activity_mbq == pytest.approx(one.target.activity_mbq)
    assert [each.name for each in other.others] == ["site"]
    assert after.looks[1].decision is before.looks[1].decision is Decision.REMOVED
    assert after.looks[1].bed == before.looks[1].bed
    assert [(each.number, each.of, each.count.counts) for each in after.specimens] == [
        (each.number, each.of, each.count.counts) for each in before.specimens
    ]
    assert after.specimens[1].of is None
    assert after.background is not None
    ages = [
        [each.count.taken_at_s - resection.specimens[0].count.taken_at_s for each in resection.specimens]
        for resection in (before, after)
    ]
    assert ages[1] == pytest.approx(ages[0])
    assert after.specimens[0].count.taken_at_s == pytest.approx(
        77.0 - 3.0 - (table.now_s - before.specimens[0].count.taken_at_s)
    )
    assert "not read again" in str(after.count_bed(1))
    await later.session.use(ArchivedStudy(received=received(), map=study_map(study())))
    assert after.count_bed(1) is None
    async with running(later.table):
        await later.table.until(lambda: len(after.comparisons) == 2)


async def test_a_restart_forgets_not_by_which_registration_a_target_was_marked(
    theatre: Theatre, journal: Journal
) -> None:
    """Registered anew with 15 mm between both, its bed is refused as before; by the former one it is counted."""
    await theatre.reach(Step.IN_VIVO)
    theatre.table.registration = registered(2.0)
    await theatre.table.resection.remove("node")
    theatre.table.registration = registered(17.0)
    refusal = theatre.table.resection.count_bed(1)
    assert "15 mm elsewhere" in str(refusal)
    later = Theatre(journal)
    later.session.resume()
    await later.session.use(ArchivedStudy(received=received(), map=study_map(study())))
    later.table.registration = registered(17.0)
    assert later.table.resection.count_bed(1) == refusal
    later.table.registration = registered(2.0)
    assert later.table.resection.count_bed(1) is None


async def test_a_target_of_an_older_record_is_counted_by_any_registration(theatre: Theatre) -> None:
    """Its entry does not say by which it was marked: nothing can be compared."""
    await theatre.reach(Step.IN_VIVO)
    theatre.table.registration = registered(2.0)
    await theatre.table.resection.remove("node")
    (entry,) = theatre.journal.of("removed")
    older = {key: value for key, value in entry.told.items() if key != "patient_from_reference"}
    assert len(older) == len(entry.told) - 1
    (removed,) = read_back([Recorded(at_s=theatre.table.now_s, event="removed", told=older)]).removed
    assert removed.patient_from_reference is None
    assert not removed.shift_mm(removed.target, registered(17.0)).any()


CUT_OFF = "A restart has cut off the count of the {}: count it again"


@pytest.mark.parametrize(
    ("what", "told", "words"),
    [
        ("bed", {"what": "bed", "number": 1, "of": "node"}, "bed of node"),
        ("specimen", {"what": "specimen", "number": None, "of": "node"}, "specimen of node"),
        ("background", {"what": "background", "number": None, "of": None}, "background"),
    ],
)
async def test_a_count_that_a_restart_cut_off_is_to_be_counted_again(
    theatre: Theatre,
    journal: Journal,
    what: Literal["bed", "specimen", "background"],
    told: Mapping[str, Any],
    words: str,
) -> None:
    """It is said until something is counted, over another restart too; entered once, and in the report."""
    await theatre.reach(Step.IN_VIVO)
    resection = theatre.table.resection
    await resection.remove("node")
    refusal = resection.count_bed(1) if what == "bed" else resection.count_bench(what)
    assert refusal is None
    for _ in range(2):
        later = Theatre(journal)
        later.session.resume()
        after = later.table.resection
        assert (after.trouble, after.counting) == (CUT_OFF.format(words), None)
        assert [entry.told for entry in journal.of("cut off")] == [{"patient_id": "A-1", **told}]
        assert not after.looks
        assert not after.specimens
    report = report_of(journal, theatre.session.procedure.number)
    assert report is not None
    assert [entry.told["what"] for entry in report.cut_off] == [what]
    assert after.count_bench("background") is None
    assert after.trouble == ""
    later.table.count_bench(11, 20)
    last = Theatre(journal)
    last.session.resume()
    assert last.table.resection.trouble == ""


@pytest.mark.parametrize("end", ["stopped", "not counted", "counted", "taken back", "decided"])
async def test_a_count_that_ended_before_a_restart_was_not_cut_off(
    theatre: Theatre, journal: Journal, end: str
) -> None:
    """Whichever way it ended: nobody counts again what was counted, or was not to be."""
    await theatre.reach(Step.IN_VIVO)
    table, resection = theatre.table, theatre.table.resection
    async with running(table):
        await resection.remove("node")
        if end in {"taken back", "decided", "stopped"}:
            assert resection.count_bed(1) is None
        else:
            assert resection.count_bench("specimen") is None
        if end == "stopped":
            resection.stop()
        elif end == "not counted":
            table.count_bench(0.5, 3)
            resection.stop()
        elif end == "counted":
            table.count_bench(11, 500)
        elif end == "taken back":
            await resection.restore(1)
        else:
            table.count_bed(30, 0.0)
            await table.until(lambda: resection.counting is None)
    later = Theatre(journal)
    later.session.resume()
    assert later.table.resection.trouble == ""
    assert not journal.of("cut off")


async def test_an_ended_procedure_is_not_gone_on_with(theatre: Theatre, journal: Journal) -> None:
    """After a restart there is none, and the next patient may be chosen."""
    await theatre.begin()
    await theatre.move(Step.ENDED, "called off")
    later = Theatre(journal)
    assert later.session.resume() == frozenset()
    assert later.session.procedure.number == 0
    assert later.session.refuse(BERTA) is None


async def test_a_wrong_label_s_correction_leaves_both_in_the_record(theatre: Theatre) -> None:
    """The report says what it was said to be of before, and who corrected it."""
    await theatre.reach(Step.IN_VIVO)
    resection = theatre.table.resection
    await resection.remove("node")
    resection.count_bench("specimen")
    theatre.table.count_bench(11, 500)
    assert "no target" in str(resection.label(1, "another node"))
    assert "no specimen" in str(resection.label(9, None))
    with acting_as("nurse"):
        assert resection.label(1, None) is None
    report = report_of(theatre.journal, theatre.session.procedure.number)
    assert report is not None
    (specimen,) = report.specimens
    assert specimen.counted.told["of"] == "node"
    assert specimen.of is None
    assert [(label.told["was"], label.told["of"], label.person) for label in specimen.labels] == [
        ("node", None, "nurse")
    ]


async def test_a_report_holds_its_own_procedure_alone(theatre: Theatre) -> None:
    """Neither what came before it began nor what came after it ended; no number but a procedure's gives one."""
    session, journal = theatre.session, theatre.journal
    session.note("started", {"session_id": "s", "simulated": True})
    await session.mark(rate_cps=1.0, tip_mm=None)
    await theatre.begin()
    first = session.procedure.number
    await session.mark(rate_cps=float("nan"), tip_mm=(1.0, 2.0, 3.0))
    await theatre.move(Step.ENDED, "called off")
    await session.mark(rate_cps=3.0, tip_mm=None)
    report = report_of(journal, first)
    assert report is not None
    assert [entry.told["rate_cps"] for entry in report.marks] == [None]
    assert report.is_simulated
    assert report_of(journal, first + 1) is None
    assert report_of(journal, 999) is None
