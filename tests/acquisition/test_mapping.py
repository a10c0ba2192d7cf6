"""A study's map as the estimator starts from it."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count, islice

import numpy as np
import pytest

from acquisition.archive import ArchivedStudy
from acquisition.estimate.localising import Localiser
from acquisition.image.imaging import Imager
from acquisition.mapping import Decided, MapInUse, decided_of, premises_of
from acquisition.session.drawn import DrawnSpot
from acquisition.studies import SeriesReport
from acquisition.studies.reading import StudyMap
from config.nuclides import load_nuclides
from devices.clock import monotonic
from navigation.errors import NavigationError
from navigation.estimation.estimate import TargetEstimate
from navigation.estimation.posterior import Estimator
from navigation.estimation.prior import NODE_ACTIVITY_MBQ
from navigation.observations import Observations
from navigation.volume import Volume
from tests.acquisition.estimate.test_localising import (
    broken_premises,
    response,
    running,
    tracked,
    until,
    until_counted,
)
from tests.acquisition.received import ct, hotspot, received, spect, study, study_map, without_skin

NOW = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)
TC99M = load_nuclides()["Tc-99m"]
HALF_LIFE = timedelta(hours=6.015)


def archived(
    *,
    taken_at: datetime | None = NOW,
    half_life_s: float | None = None,
    activity_mbq: float | None = 1.0,
    nuclide: str | None = None,
) -> ArchivedStudy:
    scanned = replace(study(), taken_at=taken_at, half_life_s=half_life_s, nuclide=nuclide)
    return ArchivedStudy(received=received(), map=study_map(scanned, activity_mbq=activity_mbq))


def believed_first(found: ArchivedStudy) -> TargetEstimate:
    """Its target before the first count."""
    premises = premises_of(found, response(), TC99M, now=NOW)
    estimator = Estimator(premises.response, premises.prior, premises.tissue, half_life_s=premises.half_life_s)
    (target,) = estimator.add(Observations.empty()).targets
    return target


def believed_mbq(found: ArchivedStudy) -> float:
    """Activity of its target before the first count."""
    return believed_first(found).activity_mbq


def test_a_scan_of_six_hours_ago_has_half_of_its_activity() -> None:
    """Tc-99m, half-life 6.015 h: what the map says is brought to the theatre's time."""
    assert believed_mbq(archived(taken_at=NOW)) == pytest.approx(1.0)
    assert believed_mbq(archived(taken_at=NOW, nuclide="Tc-99m")) == pytest.approx(1.0)
    assert believed_mbq(archived(taken_at=NOW - HALF_LIFE)) == pytest.approx(0.5, rel=1e-4)
    assert believed_mbq(archived(taken_at=NOW - 2 * HALF_LIFE)) == pytest.approx(0.25, rel=1e-4)


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(archived(activity_mbq=None), id="relative counts"),
        pytest.param(archived(taken_at=None), id="no time of the scan"),
        pytest.param(archived(taken_at=NOW + HALF_LIFE), id="a scan in the future"),
        pytest.param(archived(taken_at=NOW - 30 * HALF_LIFE), id="a scan of last week"),
        pytest.param(archived(half_life_s=6586.2), id="a scan of F-18"),
        pytest.param(archived(nuclide="In-111"), id="a SPECT of In-111, which names no half-life"),
        pytest.param(archived(nuclide="In-111 + Tc-99m"), id="a SPECT of two nuclides"),
    ],
)
def test_an_activity_that_is_not_known_stays_unknown(found: ArchivedStudy) -> None:
    """Nothing can be said of how much is there: what is known of nodes in general, never the file's number."""
    assert believed_mbq(found) == pytest.approx(NODE_ACTIVITY_MBQ)


def test_without_a_skin_there_is_no_estimate() -> None:
    """Nobody knows the depth of tissue then, and a guess would look like a measurement."""
    found = archived()
    with pytest.raises(NavigationError, match="no CT"):
        premises_of(replace(found, map=without_skin(found.map)), response(), TC99M, now=NOW)


def test_the_map_is_what_is_believed_first() -> None:
    """Before a count the target is where the study shows it, and not yet localisable."""
    target = believed_first(archived())
    assert np.allclose(target.centre_mm, hotspot().centre_mm)
    assert target.mapped_mm is not None
    assert np.allclose(target.mapped_mm, hotspot().centre_mm)
    assert not target.is_localisable


class Table:
    """A map in use, the localiser that believes it, and what was shown."""

    def __init__(self) -> None:
        self.localiser = Localiser(clock=monotonic)
        self.imager = Imager(clock=monotonic)
        self.shown: list[ArchivedStudy | None] = []
        self.begun: list[Decided] = []
        self.taken_out: dict[str, frozenset[str]] = {}
        self._middles_s = (0.1 * number for number in count())
        self.map_in_use = MapInUse(
            self.localiser,
            self.imager,
            response=response(),
            nuclide=TC99M,
            show=self._show,
            wall_time=lambda: NOW,
            taken_out_of=lambda uid: self.taken_out.get(uid, frozenset()),
            on_begin=self.begun.append,
        )

    async def _show(self, shown: ArchivedStudy | None) -> None:
        self.shown.append(shown)

    async def count(self, readings: int, *, believed: int) -> None:
        """Count, and wait until the belief rests on so many readings."""
        for middle_s in islice(self._middles_s, readings):
            self.localiser.take(tracked(middle_s))
        assert (await until_counted(self.localiser, believed)).readings == believed


@asynccontextmanager
async def counting() -> AsyncIterator[Table]:
    """A map in use on which three readings were counted."""
    table = Table()
    async with running(table.localiser):
        await table.map_in_use.use(archived())
        await table.count(3, believed=3)
        yield table


def with_a_capture(found: StudyMap) -> StudyMap:
    """The same map, read again after a screen capture came to the study."""
    capture = SeriesReport(
        series_uid="1.1.9",
        modality="OT",
        description="",
        objects=1,
        accepted=False,
        reason="not a volume: Secondary Capture Image Storage",
        volume=None,
    )
    return replace(found, study=replace(found.study, series=(*found.study.series, capture), description="Report"))


async def test_late_objects_of_no_volume_let_the_estimate_go_on() -> None:
    """The study as it is now is shown, and what was counted is not forgotten: the next reading is the fourth."""
    async with counting() as table:
        before = table.localiser.newest
        late = ArchivedStudy(received=received(objects=2), map=with_a_capture(archived().map))
        await table.map_in_use.use(late)
        assert table.localiser.newest is before
        assert table.shown[-1] is late
        await table.count(1, believed=4)


async def test_the_study_in_use_chosen_again_lets_the_estimate_go_on() -> None:
    """Confirming who lies there a second time forgets nothing: the next reading is the fourth."""
    async with counting() as table:
        before = table.localiser.newest
        chosen = table.shown[-1]
        await table.map_in_use.use(chosen)
        assert table.localiser.newest is before
        await table.count(1, believed=4)


def elsewhere(volume: Volume) -> Volume:
    """The same voxels 5 mm away."""
    affine = np.array(volume.geometry.patient_from_voxel)
    affine[0, 3] += 5.0
    return replace(volume, geometry=replace(volume.geometry, patient_from_voxel=affine))


def in_another_space(volume: Volume) -> Volume:
    """The same voxels in another frame of reference."""
    return replace(volume, geometry=replace(volume.geometry, frame_of_reference_uid="1.3"))


def with_one_voxel_more(volume: Volume) -> Volume:
    """As after a slice that was missing came."""
    values = volume.values.copy()
    values[3, 12, 12] += 1.0
    return replace(volume, values=values)


AGAIN = archived().map
"""The map that `counting` counts on, read again."""

SECOND = replace(hotspot(), name="target 2", centre_mm=np.array([30.0, -20.0, 0.0]))


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(study_map(replace(AGAIN.study, study_uid="2.2"), activity_mbq=1.0), id="another study"),
        pytest.param(study_map(AGAIN.study, activity_mbq=2.0), id="another hot spot"),
        pytest.param(replace(AGAIN, hotspots=(*AGAIN.hotspots, SECOND)), id="one hot spot more"),
        pytest.param(
            replace(AGAIN, study=replace(AGAIN.study, activity=with_one_voxel_more(spect()))), id="more activity"
        ),
        pytest.param(replace(AGAIN, study=replace(AGAIN.study, activity=elsewhere(spect()))), id="activity moved"),
        pytest.param(
            replace(AGAIN, study=replace(AGAIN.study, activity=in_another_space(spect()))), id="another space"
        ),
        pytest.param(
            replace(AGAIN, study=replace(AGAIN.study, activity=replace(spect(), unit="1"))), id="another unit"
        ),
        pytest.param(
            replace(AGAIN, study=replace(AGAIN.study, anatomy=with_one_voxel_more(ct()))), id="more anatomy"
        ),
        pytest.param(replace(AGAIN, study=replace(AGAIN.study, anatomy=None)), id="no anatomy"),
        pytest.param(
            replace(AGAIN, study=replace(AGAIN.study, taken_at=NOW - HALF_LIFE)), id="scanned at another time"
        ),
        pytest.param(replace(AGAIN, study=replace(AGAIN.study, half_life_s=6586.2)), id="another nuclide"),
    ],
)
async def test_another_map_starts_the_estimate_afresh(found: StudyMap) -> None:
    """Whatever the estimate began from is not as it was: nothing counted on the former map is kept."""
    async with counting() as table:
        await table.map_in_use.use(ArchivedStudy(received=received(objects=2), map=found))
        assert table.localiser.newest is None
        await table.count(1, believed=1)


async def test_a_failed_estimate_starts_afresh_when_the_study_is_chosen_again() -> None:
    """As its sentence tells people to do, though the map is the same."""
    async with counting() as table:
        table.localiser.begin(broken_premises())
        table.localiser.take(tracked(1.0))
        await until(lambda: table.localiser.obstacle)
        assert not table.localiser.is_estimating
        await table.map_in_use.use(table.shown[-1])
        assert table.localiser.obstacle == ""
        await table.count(1, believed=1)


async def test_a_map_out_of_use_is_believed_no_longer() -> None:
    """With no study in use nothing is; the same study, in use again, is begun afresh."""
    async with counting() as table:
        (chosen,) = table.shown
        await table.map_in_use.use(None)
        assert (table.localiser.newest, table.localiser.is_estimating) == (None, False)
        assert table.shown == [chosen, None]
        await table.map_in_use.use(chosen)
        await table.count(1, believed=1)


async def test_a_map_without_a_skin_is_shown_and_says_why_nothing_is_estimated() -> None:
    """The slices are there, no position is, and the reason stands there for people."""
    async with counting() as table:
        bare = replace(archived(), map=without_skin(archived().map))
        await table.map_in_use.use(bare)
        assert table.shown[-1] is bare
        assert not table.localiser.is_estimating
        assert "no CT" in table.localiser.obstacle


async def test_the_image_is_made_in_the_map_in_use_and_begins_anew_with_it() -> None:
    """With the map's skin and frame; another field with another map, none without."""
    async with counting() as table:
        field = table.imager._field
        assert field is not None
        assert field.frame_of_reference_uid == "1.2"
        assert field.tissue is table.localiser.tissue
        await table.map_in_use.use(with_another_uid())
        assert table.imager._field is not field
        await table.map_in_use.use(None)
        assert table.imager._field is None


async def test_a_hot_spot_that_was_taken_out_is_no_prior_any_more() -> None:
    """Counts from before the cut are forgotten; another map has all of its own spots again."""
    async with counting() as table:
        await table.map_in_use.take_out(frozenset({"target 1"}))
        assert table.localiser.newest is None
        await table.count(1, believed=1)
        assert table.localiser.newest is not None
        assert all(each.mapped_mm is None for each in table.localiser.newest.posterior.targets)
        await table.map_in_use.take_out(frozenset())
        await table.count(1, believed=1)
        assert [each.name for each in table.localiser.newest.posterior.targets] == ["target 1"]
        await table.map_in_use.take_out(frozenset({"target 1"}))
        await table.map_in_use.use(with_another_uid())
        await table.count(1, believed=1)
        assert [each.name for each in table.localiser.newest.posterior.targets] == ["target 1"]


async def test_a_map_that_comes_into_use_again_is_without_what_was_taken_out_of_it() -> None:
    """Between the two another study's was in use: a node that was cut out is no target of the first any more."""
    async with counting() as table:
        table.taken_out = {"1.1": frozenset({"target 1"})}
        await table.map_in_use.use(with_another_uid())
        assert table.begun[-1].taken_out == frozenset()
        await table.map_in_use.use(archived())
        assert table.begun[-1] == Decided(study_uid="1.1", taken_out=frozenset({"target 1"}))
        await table.count(1, believed=1)
        assert table.localiser.newest is not None
        assert all(each.mapped_mm is None for each in table.localiser.newest.posterior.targets)


def with_another_uid() -> ArchivedStudy:
    """Another study of the same patient."""
    return ArchivedStudy(received=received("1.9"), map=study_map(study("1.9")))


async def test_what_each_estimate_begins_from_is_told() -> None:
    """Of which study, without what was taken out; of none where there is no map. It reads back the same."""
    async with counting() as table:
        await table.map_in_use.take_out(frozenset({"node"}))
        await table.map_in_use.use(archived())
        spot = DrawnSpot(
            name="drawn 1",
            kind="target",
            centre_mm=(1.0, -2.0, 0.1),
            activity_mbq=None,
            activity_at=NOW,
            at=NOW,
            radius_mm=4.0,
            frame_of_reference_uid="1.9",
        )
        decided = Decided(study_uid="1.1", sorts={"node": "neither"}, drawn=(spot,))
        await table.map_in_use.begin_as(decided)
        await table.map_in_use.use(None)
    uid = archived().study.study_uid
    assert table.begun == [
        Decided(study_uid=uid),
        Decided(study_uid=uid, taken_out=frozenset({"node"})),
        decided,
        Decided(),
    ]
    assert [decided_of(json.loads(json.dumps(each.told()))) for each in table.begun] == table.begun
