"""A study's map as what the estimator starts from, for as long as it is the map in use."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime
from math import isnan
from typing import Any

import numpy as np
import structlog

from acquisition.archive import ArchivedStudy
from acquisition.estimate.estimating import Premises
from acquisition.estimate.localising import Localiser
from acquisition.image.imaging import Field, Imager
from acquisition.session.drawn import DrawnSpot, spots_now
from acquisition.session.plan import sorted_spots
from acquisition.session.procedure import Sort
from acquisition.studies import Study
from acquisition.studies.reading import StudyMap
from navigation.decay import decay_factor
from navigation.errors import NavigationError
from navigation.estimation.prior import Prior
from navigation.hotspots import Hotspot
from navigation.nuclides import Nuclide
from navigation.probe.response import Response
from navigation.volume import Volume

SAME_HALF_LIFE = 0.02
"""Relative difference of half-lives that rounding in a file explains."""

LONGEST_HALF_LIVES = 20.0
"""After so many a millionth is left."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What persons decided about the hot spots of one study's map, by their names.

    Attributes
    ----------
    study_uid
        Whose hot spots they are.
    taken_out
        Cut out of the patient.
    sorts
        What each is; one that is not named is what the map proposes.
    drawn
        Spots that a person drew beside the map's.

    """

    study_uid: str = ""
    taken_out: frozenset[str] = frozenset()
    sorts: Mapping[str, Sort] = field(default_factory=dict)
    drawn: tuple[DrawnSpot, ...] = ()

    def told(self) -> dict[str, Any]:
        """Tell it, for a recording; ``decided_of`` reads it back."""
        drawn = [
            {
                **asdict(spot),
                "centre_mm": list(spot.centre_mm),
                "at": spot.at.isoformat(),
                "activity_at": spot.activity_at.isoformat(),
            }
            for spot in self.drawn
        ]
        return {
            "study_uid": self.study_uid,
            "taken_out": sorted(self.taken_out),
            "sorts": dict(self.sorts),
            "drawn": drawn,
        }


def decided_of(told: Mapping[str, Any]) -> Decided:
    """Read back what ``Decided.told`` told.

    Raises
    ------
    KeyError, TypeError, ValueError
        Where it is none.

    """
    drawn = [
        DrawnSpot(
            **{
                **spot,
                "centre_mm": tuple(spot["centre_mm"]),
                "at": datetime.fromisoformat(spot["at"]),
                "activity_at": datetime.fromisoformat(spot.get("activity_at", spot["at"])),
            }
        )
        for spot in told["drawn"]
    ]
    return Decided(
        study_uid=told["study_uid"],
        taken_out=frozenset(told["taken_out"]),
        sorts=told["sorts"],
        drawn=tuple(drawn),
    )


class MapInUse:
    """Shows the study in use and lets the localiser believe its map, until another map is to be believed.

    Parameters
    ----------
    localiser, imager
        Begin with each new map.
    response
        Of the probe in hand; None where it is not calibrated: then maps are shown, and nothing is estimated.
    nuclide
        What was injected.
    show
        Shows a study; None takes the one that is shown away.
    wall_time
        Gives the time now, with its zone: activity decays from the scan to now.
    taken_out_of
        Names what was taken out of the patient of a study's map, as that comes into use again.
    on_begin
        Told just before an estimate begins of what it begins with; of no study where there is no map any more.

    """

    def __init__(
        self,
        localiser: Localiser,
        imager: Imager,
        *,
        response: Response | None,
        nuclide: Nuclide,
        show: Callable[[ArchivedStudy | None], Awaitable[None]],
        wall_time: Callable[[], datetime],
        taken_out_of: Callable[[str], frozenset[str]] = lambda _: frozenset(),
        on_begin: Callable[[Decided], None] = lambda _: None,
    ) -> None:
        self._localiser = localiser
        self._imager = imager
        self._response = response
        self._nuclide = nuclide
        self._show = show
        self._wall_time = wall_time
        self._taken_out_of = taken_out_of
        self._on_begin = on_begin
        self._in_use: ArchivedStudy | None = None
        self._believed: StudyMap | None = None
        self._decided = Decided()
        self._beginning = asyncio.Lock()

    async def use(self, archived: ArchivedStudy | None) -> None:
        """Take a study into use: shown as the map, and believed until the counts say otherwise; None: no map.

        Where its map is the one believed, as after late objects of no volume, or when a person chooses it again,
        the estimate goes on with all that was counted. One that has failed starts afresh.
        """
        async with self._beginning:
            await self._use(archived)

    async def begin_anew(self) -> None:
        """Forget what was counted, and begin again from the map in use: its places were another registration's."""
        async with self._beginning:
            await self._begin_anew()

    async def take_out(self, names: frozenset[str]) -> None:
        """Begin anew from the map in use without these of its hot spots: what was counted is of what is cut."""
        async with self._beginning:
            self._decided = replace(self._decided, taken_out=names)
            await self._begin_anew()

    async def sort(self, sorts: Mapping[str, Sort], drawn: Sequence[DrawnSpot]) -> None:
        """Take hot spots for what a person says they are, and those that she drew; begins anew after a change."""
        async with self._beginning:
            former, self._decided = self._decided, replace(self._decided, sorts=dict(sorts), drawn=tuple(drawn))
            spots = self._in_use.map.hotspots if self._in_use else ()
            is_sorted_anew = _kinds(spots, former.sorts) != _kinds(spots, sorts)
            if is_sorted_anew or _drawn_kinds(former) != _drawn_kinds(self._decided):
                await self._begin_anew()

    def resume(self, decided: Decided) -> None:
        """Go on, after a restart, with what was decided before about a study that is yet to come into use."""
        self._decided = decided

    async def begin_as(self, decided: Decided) -> None:
        """Forget what was counted, and begin again from the map in use with what was decided about it."""
        async with self._beginning:
            self._decided = decided
            await self._begin_anew()

    async def _begin_anew(self) -> None:
        if self._in_use is not None:
            self._forget()
            await self._begin(self._in_use)

    async def _use(self, archived: ArchivedStudy | None) -> None:
        self._in_use = archived
        if archived is None:
            self._decided = Decided()
        elif self._decided.study_uid != (uid := archived.study.study_uid):
            # the names are the former map's
            self._decided = Decided(study_uid=uid, taken_out=self._taken_out_of(uid))
        is_believed = archived is not None and await self._is_believed(archived.map)
        if archived is not None and is_believed and self._localiser.is_estimating:
            log.info("map unchanged", study=archived.study.study_uid)
            self._believed = archived.map  # equal, and the archive holds it: the former one's voxels are let go
            await self._show(archived)
            return
        self._forget()
        await self._show(archived)
        if archived is None:
            self._on_begin(self._decided)
        else:
            await self._begin(archived)

    def _forget(self) -> None:
        """Stop: what was believed belongs to another map."""
        self._believed = None
        self._localiser.begin(None)
        self._imager.begin(None)

    async def _begin(self, archived: ArchivedStudy) -> None:
        self._on_begin(self._decided)
        if self._response is None:
            return
        response, now = self._response, self._wall_time()
        try:
            premises = premises_of(archived, response, self._nuclide, now=now, decided=self._decided)
        except NavigationError as exc:
            self._localiser.begin(None, obstacle=str(exc))
            return
        self._localiser.begin(premises)
        self._believed = archived.map
        activity, skin = archived.study.activity, archived.map.skin
        if activity is not None and skin is not None:
            uid = activity.geometry.frame_of_reference_uid
            self._imager.begin(
                Field(
                    response=response,
                    tissue=skin,
                    frame_of_reference_uid=uid,
                    half_life_s=self._nuclide.half_life_s,
                )
            )

    async def _is_believed(self, found: StudyMap) -> bool:
        believed = self._believed
        if believed is None or believed.study.study_uid != found.study.study_uid:
            return False  # said at once: nobody waits for voxels with another patient's map before them
        return await asyncio.to_thread(is_same_map, believed, found)


def _kinds(spots: Sequence[Hotspot], sorts: Mapping[str, Sort]) -> list[tuple[str, str]]:
    return [(spot.name, spot.kind) for spot in sorted_spots(spots, sorts)]


def _drawn_kinds(decided: Decided) -> list[tuple[DrawnSpot, Sort]]:
    kinds = [(spot, decided.sorts.get(spot.name, spot.kind)) for spot in decided.drawn]
    return [(spot, kind) for spot, kind in kinds if kind != "neither"]


def is_same_map(one: StudyMap, other: StudyMap) -> bool:
    """Whether an estimate that began from one map would have begun alike from the other.

    Labels and reports on series may differ. Voxels are compared themselves: the objects' UIDs would not tell two
    objects apart that came under one UID, and for a CT of 500 slices it takes 0.15 s.
    """

    def start(found: StudyMap) -> tuple[object, ...]:
        study = found.study
        uids = study.study_uid, study.taken_at, study.half_life_s, study.nuclide
        return *uids, found.skin is None, len(found.hotspots)

    return (
        start(one) == start(other)
        and all(_is_same_spot(*spots) for spots in zip(one.hotspots, other.hotspots, strict=True))
        and _is_same_volume(one.study.activity, other.study.activity)
        and _is_same_volume(one.study.anatomy, other.study.anatomy)
    )


def _is_same_spot(one: Hotspot, other: Hotspot) -> bool:
    return all(_is_same(getattr(one, each.name), getattr(other, each.name)) for each in fields(Hotspot))


def _is_same(one: object, other: object) -> bool:
    """Whether two values are the same; what is not known (NaN) is the same as what is not known."""
    if isinstance(one, float) and isinstance(other, float):
        return one == other or (isnan(one) and isnan(other))
    return np.array_equal(one, other)  # type: ignore[arg-type] # texts and None too


def _is_same_volume(one: Volume | None, other: Volume | None) -> bool:
    if one is None or other is None:
        return one is other
    here, there = one.geometry, other.geometry
    return (
        (here.frame_of_reference_uid, one.quantity, one.unit)
        == (there.frame_of_reference_uid, other.quantity, other.unit)
        and np.array_equal(here.patient_from_voxel, there.patient_from_voxel)
        and np.array_equal(one.values, other.values)
    )


def premises_of(
    archived: ArchivedStudy,
    response: Response,
    nuclide: Nuclide,
    *,
    now: datetime,
    decided: Decided | None = None,
) -> Premises:
    """Say what an estimate starts from: hot spots decayed to now, as decided and drawn, and skin from the CT.

    Raises
    ------
    NavigationError
        Where there is no skin (nobody would know how much tissue lies between probe and target, and a depth
        could only be guessed), or the hot spots make no prior; the message says why.

    """
    study, skin = archived.study, archived.map.skin
    if skin is None:
        raise NavigationError(archived.map.obstacle)
    left = share_left(study, nuclide, now)
    decided = decided or Decided()
    mapped = [_decay(spot, left) for spot in archived.map.hotspots]
    drawn = spots_now(decided.drawn, archived.map, left=left, half_life_s=nuclide.half_life_s, now=now)
    spots = [spot for spot in (*mapped, *drawn) if spot.name not in decided.taken_out]
    prior = Prior.from_hotspots(sorted_spots(spots, decided.sorts))
    return Premises(response=response, prior=prior, tissue=skin, half_life_s=nuclide.half_life_s)


def share_left(study: Study, nuclide: Nuclide, now: datetime) -> float | None:
    """Share of the scan's activity that is left; None where nothing can be said of it.

    That is so without a time of the scan, with one in the future, after so long that nothing measurable is left,
    and where the scan was of another nuclide: its map still says where, but not how much.
    """
    if study.taken_at is None:
        return None
    if study.nuclide is not None and study.nuclide != nuclide.name:
        return None
    if study.half_life_s is not None and abs(study.half_life_s / nuclide.half_life_s - 1) > SAME_HALF_LIFE:
        return None
    elapsed_s = (now - study.taken_at).total_seconds()
    if not 0 <= elapsed_s <= LONGEST_HALF_LIVES * nuclide.half_life_s:
        return None
    return decay_factor(half_life_s=nuclide.half_life_s, elapsed_s=elapsed_s)


def _decay(spot: Hotspot, left: float | None) -> Hotspot:
    """Bring a hot spot's activity from the scan to now."""
    if spot.activity_mbq is None or left is None:
        return replace(spot, activity_mbq=None)
    return replace(spot, activity_mbq=spot.activity_mbq * left)
