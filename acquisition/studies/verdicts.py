"""Which series of a study are used, as what, and why the others are not."""

import itertools
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import structlog
from pydicom import uid

from acquisition.studies.attributes import Attributes, attribute_name
from acquisition.studies.drawn import Drawn
from acquisition.studies.errors import NO_MEMORY, SeriesRefused
from acquisition.studies.objects import StoredObject
from acquisition.studies.plans import Beside, Knowledge, Role, VolumePlan
from acquisition.studies.registration import (
    FrameLink,
    FrameLinks,
    SameFrames,
    confirm_links,
    read_registration,
    require_agreement,
)
from acquisition.studies.segmentation import read_segmentations
from acquisition.studies.series import Series, plan_volume
from acquisition.studies.structures import read_structures
from acquisition.studies.units import read_mapping_objects
from navigation.outlines import Outline
from navigation.volume import Volume

DrawnReader = Callable[[Sequence[StoredObject]], Drawn]

DRAWN: dict[uid.UID, DrawnReader] = {
    uid.SegmentationStorage: read_segmentations,
    uid.RTStructureSetStorage: read_structures,
}

SAME_FRAME = f"the same {attribute_name('FrameOfReferenceUID')}"

log = structlog.get_logger()


@dataclass(slots=True, kw_only=True)
class Verdicts:
    """What becomes of each series, by its UID; filled by `judge`.

    Attributes
    ----------
    plans
        Series that have a place in the patient.
    reasons
        A sentence for every series.
    volumes
        What was read of those in use, in the frame of reference of the anatomy.
    applied
        Series that are used without being a volume: registrations, value mappings,
        drawn targets.
    chosen
        The series in use for each role.
    joined_by
        Why anatomy and activity are in one space.
    outlines
        Drawn targets, in that space.
    apart
        Frame of Reference UIDs that nothing joins: of the space in use, and of something that is not used for it.

    """

    plans: dict[str, VolumePlan] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    volumes: dict[str, Volume] = field(default_factory=dict)
    applied: set[str] = field(default_factory=set)
    chosen: dict[Role, str] = field(default_factory=dict)
    joined_by: str = ""
    outlines: list[Outline] = field(default_factory=list)
    apart: set[tuple[str, str]] = field(default_factory=set)
    _links: FrameLinks = field(default_factory=FrameLinks)
    _drawn: dict[str, Drawn] = field(default_factory=dict)

    def refuse(self, series_uid: str, reason: str) -> None:
        """Take a series out, with the reason."""
        self.plans.pop(series_uid, None)
        self.volumes.pop(series_uid, None)
        self.applied.discard(series_uid)
        self.reasons[series_uid] = reason

    def volume(self, role: Role) -> Volume | None:
        """Give what is used in a role."""
        return self.volumes[self.chosen[role]] if role in self.chosen else None

    def judge(self, series: Sequence[Series], knowledge: Knowledge) -> None:
        """Place every series, choose which are used, read these, and say of all why."""
        self._read_links(
            [one for one in series if _is(one, uid.SpatialRegistrationStorage)], knowledge.same_frames
        )
        mappings: dict[str, tuple[Attributes, ...]] = {}
        here = frozenset(stored.sop_instance_uid for one in series for stored in one.objects)
        for one in series:
            if _is(one, uid.RealWorldValueMappingStorage):
                self._try(one.series_uid, partial(self._read_mappings, one, mappings, here))
        beside = Beside(mappings=mappings, calibrations=knowledge.calibrations)
        for kind, reader in DRAWN.items():
            for one in series:
                if _is(one, kind):
                    self._try(one.series_uid, partial(self._read_drawn, one, reader))
        for one in series:
            if one.series_uid not in self.reasons:
                self._try(one.series_uid, partial(self._plan, one, beside))
        self._read_chosen()
        self._explain_unused()

    def _try(self, series_uid: str, step: Callable[[], None]) -> bool:
        """Take a step with a series; what stops it costs this series and no other."""
        try:
            step()
        except SeriesRefused as exc:
            self.refuse(series_uid, str(exc))
        except MemoryError:
            self.refuse(series_uid, NO_MEMORY)
        except Exception as exc:
            # an odd object must not take the others with it, nor reach the feed
            log.exception("series not understood", series=series_uid)
            self.refuse(series_uid, f"not understood: {type(exc).__name__}: {exc}")
        else:
            return True
        return False

    def _plan(self, one: Series, beside: Beside) -> None:
        self.plans[one.series_uid] = plan_volume(one, beside)

    def _read_mappings(
        self, one: Series, mappings: dict[str, tuple[Attributes, ...]], here: frozenset[str]
    ) -> None:
        found = read_mapping_objects(one.objects)
        mappings.update(found)
        self.reasons[one.series_uid] = f"real-world value mappings of {len(found)} objects"
        if here.isdisjoint(found):
            self.reasons[one.series_uid] += ", none of which has come"
        else:
            self.applied.add(one.series_uid)

    def _read_links(self, registrations: Sequence[Series], same_frames: Collection[SameFrames]) -> None:
        links = list(confirm_links(same_frames))
        read: list[FrameLink] = []

        def join(one: Series) -> None:
            found = read_registration(one.objects)
            pairs = " and ".join(f"{link.from_uid} into {link.to_uid}" for link in found)
            self.reasons[one.series_uid] = f"rigid registration of {pairs}"
            self.applied.add(one.series_uid)
            read.extend(found)

        for one in registrations:
            self._try(one.series_uid, partial(join, one))
        try:
            require_agreement([*links, *read])
        except SeriesRefused as exc:
            for series_uid in list(self.applied):
                self.refuse(series_uid, str(exc))
            read.clear()
            links.clear()
        self._links = FrameLinks(links=(*links, *read))

    def _choose(self) -> dict[Role, str]:
        """Choose the best activity that lies in one space with an anatomy, and the best such anatomy.

        One frame of reference before a registration. Where none can be joined, the anatomy stands alone:
        navigation has one patient space.
        """

        def rank(series_uid: str) -> tuple[tuple[float, ...], str]:
            return self.plans[series_uid].rank, series_uid

        def frame(series_uid: str) -> str:
            return self.plans[series_uid].geometry.frame_of_reference_uid

        anatomies = [key for key, plan in self.plans.items() if plan.role == "anatomy"]
        activities = [key for key, plan in self.plans.items() if plan.role == "activity"]
        pairs = [
            (activity, anatomy)
            for activity, anatomy in itertools.product(activities, anatomies)
            if self._links.find(to_uid=frame(anatomy), from_uid=frame(activity)) is not None
        ]
        if pairs:
            activity, anatomy = max(
                pairs, key=lambda pair: (rank(pair[0]), frame(pair[0]) == frame(pair[1]), rank(pair[1]))
            )
            return {"anatomy": anatomy, "activity": activity}
        if anatomies:
            return {"anatomy": max(anatomies, key=rank)}
        return {"activity": max(activities, key=rank)} if activities else {}

    def _read_chosen(self) -> None:
        """Read the chosen series; where one fails, refuse it and choose again among the rest."""
        while True:
            self.chosen = self._choose()
            for series_uid in set(self.volumes) - set(self.chosen.values()):
                del self.volumes[series_uid]
            unread = [series_uid for series_uid in self.chosen.values() if series_uid not in self.volumes]
            if all(self._try(series_uid, partial(self._read, series_uid)) for series_uid in unread):
                break
        self._join()
        self._place_drawn()

    def _read(self, series_uid: str) -> None:
        plan = self.plans[series_uid]
        self.volumes[series_uid], words = plan.read()
        self.reasons[series_uid] = f"used as {plan.role}: {words}"

    def _join(self) -> None:
        """Bring the activity into the anatomy's frame of reference."""
        anatomy, activity = self.volume("anatomy"), self.volume("activity")
        if anatomy is None or activity is None:
            return
        link = self._links.find(
            to_uid=anatomy.geometry.frame_of_reference_uid, from_uid=activity.geometry.frame_of_reference_uid
        )
        if link is None or not link.words:
            self.joined_by = SAME_FRAME
            return
        self.joined_by = link.words
        series_uid = self.chosen["activity"]
        self.volumes[series_uid] = replace(activity, geometry=link.move(activity.geometry))
        self.reasons[series_uid] += f"; brought into the space of the anatomy: {link.words}"

    def _read_drawn(self, one: Series, reader: DrawnReader) -> None:
        drawn = reader(one.objects)
        self._drawn[one.series_uid] = drawn
        self.reasons[one.series_uid] = drawn.words

    def _place_drawn(self) -> None:
        """Bring drawn targets into the study's space, or say that nothing joins them to it."""
        base = self.volume("anatomy") or self.volume("activity")
        for series_uid, drawn in self._drawn.items():
            if base is None or not drawn.targets:
                continue
            space = base.geometry.frame_of_reference_uid
            links = {
                outline.frame_of_reference_uid: self._links.find(
                    to_uid=space, from_uid=outline.frame_of_reference_uid
                )
                for outline in drawn.targets
            }
            placed = [
                replace(outline, points_mm=link.move_points(outline.points_mm), frame_of_reference_uid=space)
                for outline in drawn.targets
                if (link := links[outline.frame_of_reference_uid]) is not None
            ]
            self.apart.update((space, uid) for uid, link in links.items() if link is None)
            self.outlines.extend(placed)
            if placed:
                self.applied.add(series_uid)
            if len(placed) < len(drawn.targets):
                name = attribute_name("FrameOfReferenceUID")
                self.reasons[series_uid] += f"; {len(drawn.targets) - len(placed)} not used: {name} is another"

    def _explain_unused(self) -> None:
        for series_uid, plan in self.plans.items():
            if series_uid in self.chosen.values():
                continue
            if plan.role == "reference":
                self.reasons[series_uid] = "not used: placed in the patient, but neither CT nor activity"
                continue
            other = self.plans[self.chosen.get("anatomy") or self.chosen[plan.role]]
            here, there = plan.geometry.frame_of_reference_uid, other.geometry.frame_of_reference_uid
            if self._links.find(to_uid=there, from_uid=here) is not None:
                self.reasons[series_uid] = f"not used: another series is preferred as {plan.role}"
                continue
            self.apart.add((there, here))
            self.reasons[series_uid] = (
                f"not used: its {attribute_name('FrameOfReferenceUID')} is not that of the {other.role}, "
                "so how the two lie to each other is unknown: send their registration object, or let a person "
                f"confirm that {here} and {there} are the same space"
            )


def _is(series: Series, sop_class: uid.UID) -> bool:
    return all(stored.sop_class_uid == sop_class for stored in series.objects)
