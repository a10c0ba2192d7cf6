"""What a person draws in the plan: where, what, how much now, what to expect at the skin; recorded, believed."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import pi
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from acquisition.archive import ArchivedStudy
from acquisition.mapping import Decided, premises_of
from acquisition.session.drawn import RADIUS_MM, DrawnSpot, drawn_of, spots_now
from acquisition.session.journal import Journal, acting_as, open_journal
from acquisition.session.plan import PlannedSource, plan_of
from acquisition.session.report import report_of
from acquisition.session.steps import Step
from acquisition.studies.reading import StudyMap
from config.nuclides import load_nuclides
from navigation.estimation.prior import NODE_ACTIVITY_MBQ
from navigation.hotspots import Resolution
from navigation.volume import Volume
from tests.acquisition.received import geometry, received, study, study_map
from tests.acquisition.resection.test_resection import RESPONSE
from tests.acquisition.session.test_session import ANNA, SURGEON, Theatre

AT = datetime(2026, 1, 5, 9, tzinfo=UTC)
HALF_LIFE_S = 21_654.0
THERE_MM = (20.0, -20.0, 10.0)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """An empty record."""
    with open_journal(tmp_path / "record.sqlite", now=lambda: datetime.now(tz=UTC)) as opened:
        yield opened


@pytest.fixture
def theatre(journal: Journal) -> Theatre:
    """A room in which no procedure has begun."""
    return Theatre(journal)


def even(unit: str = "Bq/mL") -> Volume:
    """The same everywhere."""
    values = np.full((24, 24, 24), 2000.0, dtype=np.float32)
    return Volume(geometry=geometry(), values=values, quantity="activity concentration", unit=unit)


def drawn(*, activity_mbq: float | None, name: str = "drawn target 1", radius_mm: float = RADIUS_MM) -> DrawnSpot:
    return DrawnSpot(
        name=name,
        kind="target",
        centre_mm=THERE_MM,
        activity_mbq=activity_mbq,
        activity_at=AT,
        radius_mm=radius_mm,
        at=AT,
        frame_of_reference_uid="1.2",
    )


@pytest.mark.parametrize(
    ("expected_mbq", "volume", "left", "now_mbq"),
    [
        (0.4, even(), None, 0.2),  # half a life after it was drawn, whatever is left of the scan's
        (None, even(), 0.25, None),
        (None, even("1"), 0.25, None),
        (None, None, 0.25, None),
    ],
)
def test_its_activity_is_what_is_left_of_it_now(
    expected_mbq: float | None, volume: Volume | None, left: float | None, now_mbq: float | None
) -> None:
    """As a person expects it, else as the image has it, decayed; where neither says, it is not known."""
    now = AT + timedelta(seconds=HALF_LIFE_S)
    spots = [drawn(activity_mbq=expected_mbq)]
    (spot,) = spots_now(spots, in_map(volume), left=left, half_life_s=HALF_LIFE_S, now=now)
    assert (spot.name, spot.kind) == ("drawn target 1", "target")
    assert np.allclose(spot.centre_mm, THERE_MM)
    assert spot.activity_mbq == (now_mbq if now_mbq is None else pytest.approx(now_mbq, rel=1e-3))


def in_map(volume: Volume | None) -> StudyMap:
    """A map of this activity alone, seen at 9 mm."""
    resolution = Resolution(fwhm_mm=9.0, sigma_mm=0.0) if volume else None
    scanned = replace(study(), activity=volume)
    return StudyMap(study=scanned, hotspots=(), skin=None, obstacle="", resolution=resolution)


def with_a_node(activity_mbq: float, *, radius_mm: float = RADIUS_MM) -> Volume:
    """A ball, blurred by 9 mm, on an even ground."""
    positions_mm = geometry().positions_mm(np.moveaxis(np.indices((24, 24, 24)), 0, -1))
    sigma_mm2 = (9.0 / 2.3548) ** 2 + radius_mm**2 / 5
    blurred = np.exp(-0.5 * ((positions_mm - THERE_MM) ** 2).sum(axis=-1) / sigma_mm2)
    values = 2000.0 + activity_mbq * 1e9 / (2 * pi * sigma_mm2) ** 1.5 * blurred
    return replace(even(), values=values.astype(np.float32))


@pytest.mark.parametrize(("left", "share"), [(0.25, 0.25), (None, None)])
def test_the_image_says_what_is_in_it(left: float | None, share: float | None) -> None:
    """All of a small node, also what the blur has carried out of the ball, decayed; its ground is none of it."""
    spots = [drawn(activity_mbq=None)]
    (spot,) = spots_now(spots, in_map(with_a_node(0.08)), left=left, half_life_s=HALF_LIFE_S, now=AT)
    assert spot.activity_mbq == (None if share is None else pytest.approx(0.08 * share, rel=0.2))
    assert 1.5 < spot.activity_factor < 2.1


@pytest.mark.parametrize("radius_mm", [2.0, 8.0])
def test_it_is_read_in_all_of_the_ball(radius_mm: float) -> None:
    """Of the size that it was drawn in; what is in a small one is known less well."""
    (spot,) = spots_now(
        [drawn(activity_mbq=None, radius_mm=radius_mm)],
        in_map(with_a_node(0.3, radius_mm=radius_mm)),
        left=1.0,
        half_life_s=HALF_LIFE_S,
        now=AT,
    )
    (node,) = spots_now(
        [drawn(activity_mbq=None)], in_map(with_a_node(0.3)), left=1.0, half_life_s=HALF_LIFE_S, now=AT
    )
    assert spot.volume_ml == pytest.approx(4 / 3 * pi * radius_mm**3 / 1000)
    assert spot.activity_mbq is not None
    assert 0.3 / spot.activity_factor < spot.activity_mbq < 0.3 * spot.activity_factor
    assert (spot.activity_factor > node.activity_factor) == (radius_mm < RADIUS_MM)


async def draw(theatre: Theatre, **changes: object) -> str | None:
    told: dict[str, Any] = {"kind": "target", "centre_mm": THERE_MM, "name": "", "activity_mbq": 0.5} | changes
    radius_mm = told.pop("radius_mm", RADIUS_MM)
    with acting_as(SURGEON):
        return await theatre.session.draw(told.pop("kind"), told.pop("centre_mm"), radius_mm, **told)


async def test_what_is_drawn_is_planned_recorded_and_believed(theatre: Theatre) -> None:
    """It stands beside the map's spots with side, depth, activity and rate, confirmed, and is believed."""
    await theatre.reach(Step.PLAN)
    assert await draw(theatre) is None
    assert (
        await draw(theatre, kind="injection", centre_mm=(-20.0, -20.0, 0.0), activity_mbq=20.0, radius_mm=9.0)
        is None
    )
    mapped, target, site = theatre.session.sources
    assert (mapped.is_drawn, target.is_drawn) == (False, True)
    assert (mapped.drawn_radius_mm, target.centre_mm) == (None, THERE_MM)
    assert target.drawn_radius_mm == pytest.approx(RADIUS_MM)
    assert site.drawn_radius_mm == pytest.approx(9.0)
    assert (target.name, target.side) == ("drawn target 1", "left")
    assert (site.name, site.side) == ("drawn site 1", "right")
    assert target.activity_mbq == pytest.approx(0.5, rel=1e-3)
    assert site.activity_mbq == pytest.approx(20.0, rel=1e-3)
    assert target.depth_mm == pytest.approx(10.0, abs=2.0)
    assert site.skin_rate_cps is not None
    assert target.skin_rate_cps is not None
    assert site.skin_rate_cps > target.skin_rate_cps > RESPONSE.background_cps
    assert theatre.session.procedure.sorts == {"drawn target 1": "target", "drawn site 1": "injection"}
    assert [spot.name for spot in theatre.drawn] == ["drawn target 1", "drawn site 1"]
    theatre.table.now_s += HALF_LIFE_S
    _, later, _ = theatre.session.sources
    assert later.activity_mbq == pytest.approx(0.25, rel=1e-3)
    assert later.skin_rate_cps == pytest.approx((target.skin_rate_cps + RESPONSE.background_cps) / 2, rel=1e-3)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"centre_mm": (500.0, 0.0, 0.0)}, "outside of the study's images"),
        ({"centre_mm": (3.0, -20.0, 0.0)}, "target 1 is there already, 3 mm away"),
        ({"name": "target 1"}, "there is a target 1 already"),
    ],
)
async def test_what_makes_no_sense_is_not_drawn(theatre: Theatre, changes: dict[str, object], said: str) -> None:
    """Refused with a sentence, and nothing is recorded."""
    await theatre.reach(Step.PLAN)
    assert said in str(await draw(theatre, **changes))
    assert [entry.kind for entry in theatre.journal.after(0)][-1] == "moved"


async def test_an_activity_of_before_has_decayed_since(theatre: Theatre, journal: Journal) -> None:
    """20 MBq of one half-life ago are 10 now; the record says what was entered, and of when."""
    await theatre.reach(Step.PLAN)
    then = theatre.now() - timedelta(seconds=HALF_LIFE_S)
    elsewhere = {"centre_mm": (-20.0, -20.0, 0.0)}
    assert await draw(theatre, kind="injection", activity_mbq=20.0, activity_at=then, **elsewhere) is None
    _, site = theatre.session.sources
    assert site.activity_mbq == pytest.approx(10.0, rel=1e-3)
    kept = Theatre(journal).session.procedure.drawn["drawn site 1"]
    assert (kept.activity_mbq, kept.activity_at) == (20.0, then)


@pytest.mark.parametrize(
    ("activity_mbq", "hours", "said"),
    [
        (20.0, -2, "lies ahead"),
        (20.0, 24 * 30, "nothing is left of that activity"),
        (None, 1, "a time without an activity says nothing"),
    ],
)
async def test_an_activity_that_cannot_be_now_is_refused(
    theatre: Theatre, activity_mbq: float | None, hours: float, said: str
) -> None:
    """Of a time to come, of one so long ago that nothing is left, or a time alone: nothing is drawn."""
    await theatre.reach(Step.PLAN)
    at = theatre.now() - timedelta(hours=hours)
    assert said in str(await draw(theatre, activity_mbq=activity_mbq, activity_at=at))
    assert theatre.session.procedure.drawn == {}


async def test_only_the_plan_is_drawn_in(theatre: Theatre) -> None:
    """Neither before a map is in use nor after the plan; nor is anything erased then."""
    await theatre.session.begin(ANNA, study_uid="")
    await theatre.move(Step.PLAN)
    assert "no map in use" in str(await draw(theatre))
    await theatre.begin()
    assert await draw(theatre) is None
    await theatre.move(Step.TIME_OUT, "for a test")
    assert "go back to it first" in str(await draw(theatre))
    assert "go back to it first" in str(await theatre.session.erase("drawn target 1"))


async def test_what_is_erased_leaves_both_in_the_record(theatre: Theatre) -> None:
    """The plan is without it, the report has it and who took it back; the map's own spots cannot be erased."""
    await theatre.reach(Step.PLAN)
    await draw(theatre, name="Nodule")
    assert await draw(theatre, name="Another", centre_mm=(-20.0, -20.0, 0.0), activity_mbq=None) is None
    with acting_as("nurse"):
        assert await theatre.session.erase("Nodule") is None
    assert "nobody drew target 1" in str(await theatre.session.erase("target 1"))
    assert [source.name for source in theatre.session.sources] == ["target 1", "Another"]
    assert theatre.session.procedure.sorts == {"Another": "target"}
    assert [spot.name for spot in theatre.drawn] == ["Another"]
    report = report_of(theatre.journal, theatre.session.procedure.number)
    assert report is not None
    assert [(entry.told["name"], entry.person) for entry in report.drawn] == [
        ("Nodule", SURGEON),
        ("Another", SURGEON),
    ]
    assert [(entry.told["name"], entry.person) for entry in report.erased] == [("Nodule", "nurse")]


async def test_a_restart_keeps_it_and_another_study_does_not(theatre: Theatre, journal: Journal) -> None:
    """Positions are of one study's space: with another study of hers they mean nothing."""
    await theatre.reach(Step.PLAN)
    await draw(theatre)
    later = Theatre(journal)
    assert later.session.procedure.drawn == theatre.session.procedure.drawn
    await later.session.use(ArchivedStudy(received=received(), map=study_map(study())))
    assert [source.name for source in later.session.sources] == ["target 1", "drawn target 1"]
    other = ArchivedStudy(received=received("1.2"), map=study_map(study("1.2")))
    await later.session.use(other)
    assert [source.name for source in later.session.sources] == ["target 1"]
    await later.session.begin(ANNA, study_uid="1.2")
    assert later.session.procedure.drawn == {}


def test_the_estimate_starts_from_what_was_drawn() -> None:
    """A target with the activity that was expected, one that nobody knows of as a node's; none that is neither."""
    scanned = ArchivedStudy(received=received(), map=study_map(replace(study(), taken_at=AT), activity_mbq=1.0))
    spots = (
        drawn(activity_mbq=0.4),
        replace(drawn(activity_mbq=None, name="Another"), centre_mm=(-20.0, -20.0, 0.0)),
    )
    decided = Decided(
        study_uid="1.1", drawn=(*spots, drawn(activity_mbq=1.0, name="Gone")), sorts={"Gone": "neither"}
    )
    now = AT + timedelta(seconds=HALF_LIFE_S)
    premises = premises_of(scanned, RESPONSE, load_nuclides()["Tc-99m"], now=now, decided=decided)
    means = {source.name: np.exp(source.log_activity_mean) for source in premises.prior.sources}
    assert means["target 1"] == pytest.approx(0.5, rel=1e-3)
    assert means["drawn target 1"] == pytest.approx(0.2, rel=1e-3)
    assert means["Another"] == pytest.approx(NODE_ACTIVITY_MBQ)
    assert "Gone" not in means


async def test_a_name_is_never_given_twice(theatre: Theatre) -> None:
    """A spot that is called as one that was taken out would be left out of the estimate, and nobody told."""
    await theatre.reach(Step.PLAN)
    assert await draw(theatre) is None
    assert await theatre.session.erase("drawn target 1") is None
    assert await draw(theatre) is None
    assert [spot.name for spot in theatre.drawn] == ["drawn target 2"]
    await theatre.table.resection.remove("node")
    elsewhere = {"centre_mm": (-20.0, -20.0, 0.0)}
    assert "node was taken out" in str(await draw(theatre, name="node", **elsewhere))
    await theatre.table.resection.restore(1)
    assert await draw(theatre, name="node", **elsewhere) is None


async def test_of_two_plans_at_once_the_newer_stands(theatre: Theatre, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plan without the second spot is ready last: the plan shown has both."""
    await theatre.reach(Step.PLAN)
    started, is_released = asyncio.Event(), threading.Event()
    loop, slow = asyncio.get_running_loop(), iter([True])

    def plan_slowly_once(*told: Any, **named: Any) -> tuple[PlannedSource, ...]:
        if next(slow, False):
            loop.call_soon_threadsafe(started.set)
            assert is_released.wait(60)
        return plan_of(*told, **named)

    monkeypatch.setattr("acquisition.session.planner.plan_of", plan_slowly_once)
    first = asyncio.create_task(draw(theatre))
    async with asyncio.timeout(60):
        await started.wait()
        assert await draw(theatre, centre_mm=(-20.0, -20.0, 0.0)) is None
        is_released.set()
        assert await first is None
    names = [source.name for source in theatre.session.sources]
    assert names == ["target 1", "drawn target 1", "drawn target 2"]


async def test_what_was_drawn_before_it_had_a_size_is_read_as_a_node(theatre: Theatre, journal: Journal) -> None:
    """A record that an older version kept goes on."""
    await theatre.reach(Step.PLAN)
    told = {"name": "old", "as": "target", "centre_mm": list(THERE_MM), "activity_mbq": None}
    with acting_as(SURGEON):
        journal.add("drawn", told)
    spot = Theatre(journal).session.procedure.drawn["old"]
    assert (spot.centre_mm, spot.radius_mm) == (THERE_MM, RADIUS_MM)


def test_an_entry_that_names_no_space_is_of_the_maps() -> None:
    """What was drawn before entries told their space is not lost."""
    told = {"name": "Nodule", "as": "target", "centre_mm": THERE_MM, "activity_mbq": 0.4}
    (spot,) = spots_now([drawn_of(told, AT)], in_map(even()), left=None, half_life_s=HALF_LIFE_S, now=AT)
    assert spot.name == "Nodule"
