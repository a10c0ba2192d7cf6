"""What a person said of a hot spot follows its place when late objects change the map, and after a restart."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from acquisition.archive import ArchivedStudy
from acquisition.session.journal import Journal, acting_as, open_journal
from acquisition.session.names import MAPPED, names_in_use
from acquisition.session.steps import Step
from navigation.hotspots import Hotspot
from navigation.routes import Route
from tests.acquisition.received import hotspot, received, study, study_map
from tests.acquisition.session.test_session import SURGEON, Theatre

HERE_MM, THERE_MM = (0.0, -20.0, 0.0), (40.0, -20.0, 10.0)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """An empty record."""
    with open_journal(tmp_path / "record.sqlite", now=lambda: datetime.now(tz=UTC)) as opened:
        yield opened


def spots(*places_mm: tuple[float, float, float]) -> tuple[Hotspot, ...]:
    """Targets by falling content, as they are found."""
    return tuple(
        replace(hotspot(), name=f"target {number}", centre_mm=np.array(place_mm))
        for number, place_mm in enumerate(places_mm, start=1)
    )


def archived(journal: Journal, *places_mm: tuple[float, float, float], frame: str = "1.2") -> ArchivedStudy:
    """The study as it is read now, its spots named by what the record says."""
    scanned = study()
    assert scanned.anatomy is not None
    assert scanned.activity is not None
    geometry = replace(scanned.anatomy.geometry, frame_of_reference_uid=frame)
    scanned = replace(
        scanned,
        anatomy=replace(scanned.anatomy, geometry=geometry),
        activity=replace(scanned.activity, geometry=geometry),
    )
    found = replace(study_map(scanned), hotspots=spots(*places_mm))
    return ArchivedStudy(received=received(), map=found.named_as(names_in_use(journal, "1.1")))


def confirmed(theatre: Theatre) -> dict[tuple[float, ...], str | None]:
    """What is confirmed of each place of the map in use."""
    assert theatre.session._in_use is not None
    return {
        tuple(spot.centre_mm.tolist()): theatre.session.procedure.sorts.get(spot.name)
        for spot in theatre.session._in_use.map.hotspots
    }


async def planned(journal: Journal) -> Theatre:
    """A room in which the first spot is confirmed as an organ and the second as a target."""
    theatre = Theatre(journal)
    await theatre.reach(Step.PLAN)
    await theatre.session.use(archived(journal, HERE_MM, THERE_MM))
    with acting_as(SURGEON):
        assert await theatre.session.sort("target 1", "organ") is None
        assert await theatre.session.sort("target 2", "target") is None
    return theatre


async def test_what_was_confirmed_follows_the_place(journal: Journal) -> None:
    """A late series makes the second spot the hotter one: the organ stays an organ, the target a target."""
    theatre = await planned(journal)
    await theatre.session.use(archived(journal, THERE_MM, HERE_MM))
    assert confirmed(theatre) == {HERE_MM: "organ", THERE_MM: "target"}


async def test_it_follows_over_a_restart(journal: Journal) -> None:
    """A late series came while the service was down, and another one after it."""
    await planned(journal)
    later = Theatre(journal)
    await later.session.use(archived(journal, THERE_MM, HERE_MM))
    assert confirmed(later) == {HERE_MM: "organ", THERE_MM: "target"}
    latest = Theatre(journal)
    await latest.session.use(archived(journal, HERE_MM, THERE_MM))
    assert confirmed(latest) == {HERE_MM: "organ", THERE_MM: "target"}


async def test_a_spot_that_is_new_is_confirmed_by_nobody(journal: Journal) -> None:
    """It takes no name that another had, though that one is seen no more; which comes back as what it was."""
    theatre = await planned(journal)
    await theatre.session.use(archived(journal, (0.0, -20.0, 40.0), THERE_MM))
    assert confirmed(theatre) == {(0.0, -20.0, 40.0): None, THERE_MM: "target"}
    await theatre.session.use(archived(journal, HERE_MM, THERE_MM))
    assert confirmed(theatre) == {HERE_MM: "organ", THERE_MM: "target"}


async def test_in_another_space_everything_is_to_be_said_anew(journal: Journal) -> None:
    """A late CT and a registration give the map other axes: neither what was confirmed nor drawn is of them."""
    theatre = await planned(journal)
    with acting_as(SURGEON):
        drawing = theatre.session.draw("target", (20.0, -20.0, -20.0), 5.0, name="Drawn", activity_mbq=None)
        assert await drawing is None
    assert [source.name for source in theatre.session.sources] == ["target 1", "target 2", "Drawn"]
    await theatre.session.use(archived(journal, HERE_MM, THERE_MM, frame="1.9"))
    assert confirmed(theatre) == {HERE_MM: None, THERE_MM: None}
    assert [source.name for source in theatre.session.sources] == ["target 3", "target 4"]
    assert theatre.session.trouble.startswith("Drawn was drawn in another space than the map has now")
    with acting_as(SURGEON):
        drawing = theatre.session.draw("target", (20.0, -20.0, -20.0), 5.0, name="Anew", activity_mbq=None)
        assert await drawing is None
    assert [source.name for source in theatre.session.sources] == ["target 3", "target 4", "Anew"]
    await theatre.session.use(archived(journal, HERE_MM, THERE_MM))
    assert confirmed(theatre) == {HERE_MM: "organ", THERE_MM: "target"}
    assert [source.name for source in theatre.session.sources] == ["target 1", "target 2", "Drawn"]


async def test_the_way_in_follows_the_name(journal: Journal) -> None:
    """Routes are by the names that the spots have now."""
    await planned(journal)
    ways = [
        Route(
            entry_mm=np.zeros(3),
            direction=np.array([0.0, 1.0, 0.0]),
            depth_mm=depth_mm,
            water_mm=depth_mm,
        )
        for depth_mm in (7.0, 9.0)
    ]
    found = study_map(study())
    found = replace(
        found, hotspots=spots(THERE_MM, HERE_MM), routes=dict(zip(["target 1", "target 2"], ways, strict=True))
    )
    kept = found.named_as(names_in_use(journal, "1.1"))
    assert {name: route.depth_mm for name, route in kept.routes.items()} == {"target 2": 7.0, "target 1": 9.0}


async def test_a_map_is_entered_once(journal: Journal) -> None:
    """The same map in use again, as when a person chooses it anew, adds nothing to the record."""
    theatre = await planned(journal)
    entered = len(journal.of(MAPPED))
    await theatre.session.use(archived(journal, HERE_MM, THERE_MM))
    assert len(journal.of(MAPPED)) == entered
