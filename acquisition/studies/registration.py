"""How one frame of reference lies to another: spatial registration objects (PS3.3 C.20.2), or a person's word.

Nothing else joins two frames of reference whose UIDs differ.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from acquisition.studies.attributes import Attributes, attribute_name
from acquisition.studies.errors import SeriesRefused
from acquisition.studies.grids import FARTHEST_MM
from acquisition.studies.objects import StoredObject
from navigation.volume import VolumeGeometry

Array = NDArray[np.float64]

ROTATION_TOLERANCE = 1e-4
"""How far a rotation may be from orthonormal: matrices are written as decimal text."""

SAME_MM = 0.5
"""Two registrations of the same frames agree where they move no point within `REACH_MM` further apart."""

REACH_MM = 500.0

MOST_LINKS = 100
"""Registrations of one study; a department makes one of a handful."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SameFrames:
    """A person's confirmation that two frames of reference are one space: no offset lies between them.

    Attributes
    ----------
    frames
        Both Frame of Reference UIDs (0020,0052).
    confirmed_by
        Who says so, for the display and the record.

    """

    frames: tuple[str, str]
    confirmed_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameLink:
    """A rigid motion between two frames of reference.

    Attributes
    ----------
    to_uid, from_uid
        Frame of Reference UIDs.
    to_from_from
        4 x 4, LPS mm of ``from_uid`` into LPS mm of ``to_uid``.
    words
        On whose authority, for people.

    """

    to_uid: str
    from_uid: str
    to_from_from: Array
    words: str

    @property
    def inverse(self) -> FrameLink:
        """The motion back."""
        return FrameLink(
            to_uid=self.from_uid,
            from_uid=self.to_uid,
            to_from_from=np.asarray(np.linalg.inv(self.to_from_from), dtype=np.float64),
            words=self.words,
        )

    def move(self, geometry: VolumeGeometry) -> VolumeGeometry:
        """Place a grid of ``from_uid`` in ``to_uid``."""
        return replace(
            geometry,
            patient_from_voxel=self.to_from_from @ geometry.patient_from_voxel,
            frame_of_reference_uid=self.to_uid,
        )

    def move_points(self, points_mm: Array) -> Array:
        """Move points (..., 3) of ``from_uid`` into ``to_uid``, LPS mm."""
        return points_mm @ self.to_from_from[:3, :3].T + self.to_from_from[:3, 3]


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameLinks:
    """All that is known of how frames of reference lie to each other."""

    links: tuple[FrameLink, ...] = ()

    def find(self, *, to_uid: str, from_uid: str) -> FrameLink | None:
        """Find the motion over the fewest links; None where nothing joins the two."""
        if to_uid == from_uid:
            return FrameLink(to_uid=to_uid, from_uid=from_uid, to_from_from=np.eye(4), words="")
        both_ways = [*self.links, *(link.inverse for link in self.links)]
        queue = deque([FrameLink(to_uid=from_uid, from_uid=from_uid, to_from_from=np.eye(4), words="")])
        seen = {from_uid}
        while queue:
            path = queue.popleft()
            for link in both_ways:
                if link.from_uid != path.to_uid or link.to_uid in seen:
                    continue
                longer = FrameLink(
                    to_uid=link.to_uid,
                    from_uid=from_uid,
                    to_from_from=link.to_from_from @ path.to_from_from,
                    words=f"{path.words}, then {link.words}" if path.words else link.words,
                )
                if link.to_uid == to_uid:
                    return longer
                seen.add(link.to_uid)
                queue.append(longer)
        return None


def confirm_links(confirmed: Iterable[SameFrames]) -> tuple[FrameLink, ...]:
    """Turn people's confirmations into links without a motion."""
    return tuple(
        FrameLink(
            to_uid=one.frames[0],
            from_uid=one.frames[1],
            to_from_from=np.eye(4),
            words=f"confirmed by {one.confirmed_by} as the same space",
        )
        for one in confirmed
    )


def read_registration(objects: Sequence[StoredObject]) -> tuple[FrameLink, ...]:
    """Read the rigid motions of a series of Spatial Registration objects.

    Raises
    ------
    SeriesRefused
        Where a motion scales or deforms, mirrors, moves out of all reach or is no motion, where its frames of
        reference are not named, or where there are more than `MOST_LINKS`.

    """
    links = []
    count = sum(len(stored.attributes.items("RegistrationSequence")) for stored in objects)
    if count > MOST_LINKS:
        raise SeriesRefused(
            f"{attribute_name('RegistrationSequence')} holds {count} items, more than the {MOST_LINKS} read"
        )
    for stored in objects:
        to_uid = stored.attributes.required_uid("FrameOfReferenceUID")
        label = stored.attributes.text("ContentLabel") or stored.attributes.text("SeriesDescription")
        for item in stored.attributes.items("RegistrationSequence"):
            from_uid = item.required_uid("FrameOfReferenceUID")
            if from_uid == to_uid:
                _require_rest(item, stored.path.name)
                continue
            links.append(
                FrameLink(
                    to_uid=to_uid,
                    from_uid=from_uid,
                    to_from_from=_read_motion(item),
                    words=f"registration object {stored.path.name}{f' ({label})' if label else ''}",
                )
            )
    if not links:
        raise SeriesRefused(f"{attribute_name('RegistrationSequence')} joins no two frames of reference")
    return tuple(links)


def require_agreement(links: Sequence[FrameLink]) -> None:
    """Refuse registrations that disagree: of the same two frames, or on the way round over several.

    Raises
    ------
    SeriesRefused
        With by how much, and which objects; where there are more than `MOST_LINKS`.

    """
    if len(links) > MOST_LINKS:
        raise SeriesRefused(f"{len(links)} registrations are more than the {MOST_LINKS} that are read")
    corners = np.stack(np.meshgrid(*[(-REACH_MM, REACH_MM)] * 3), axis=-1).reshape(-1, 3)
    for place, one in enumerate(links):
        other = FrameLinks(links=tuple(links[:place])).find(to_uid=one.to_uid, from_uid=one.from_uid)
        if other is None:
            continue
        apart = (one.to_from_from - other.to_from_from)[:3]
        apart_mm = float(np.linalg.norm(corners @ apart[:, :3].T + apart[:, 3], axis=1).max())
        if apart_mm > SAME_MM:
            raise SeriesRefused(
                f"{other.words} and {one.words} place the same two frames of reference up to {apart_mm:.1f} "
                "mm apart; send only the one that holds"
            )


def _require_rest(item: Attributes, where: str) -> None:
    """Refuse a motion of the registered frame itself, which may be listed with an identity only."""
    keyword = "FrameOfReferenceTransformationMatrix"
    for motion in _matrices(item):
        if np.abs(np.array(motion.numbers(keyword, 16)).reshape(4, 4) - np.eye(4)).max() > ROTATION_TOLERANCE:
            raise SeriesRefused(
                f"{attribute_name(keyword)} in {where} moves images within one frame of reference: not applied"
            )


def _matrices(item: Attributes) -> list[Attributes]:
    registrations = item.items("MatrixRegistrationSequence")
    return [matrix for registration in registrations for matrix in registration.items("MatrixSequence")]


def _read_motion(item: Attributes) -> Array:
    motions = _matrices(item)
    if len(motions) != 1:
        name = attribute_name("MatrixSequence")
        raise SeriesRefused(f"{name} in {item.where} holds {len(motions)} matrices; only one is applied")
    (motion,) = motions
    name = f"{attribute_name('FrameOfReferenceTransformationMatrix')} in {item.where}"
    kind = motion.required_text("FrameOfReferenceTransformationMatrixType")
    if kind != "RIGID":
        raise SeriesRefused(f"{name} is {kind}: only rigid registrations are applied")
    matrix = np.array(motion.numbers("FrameOfReferenceTransformationMatrix", 16)).reshape(4, 4)
    rotation = matrix[:3, :3]
    error = np.abs(rotation @ rotation.T - np.eye(3)).max()
    if not np.array_equal(matrix[3], (0, 0, 0, 1)) or error > ROTATION_TOLERANCE:
        raise SeriesRefused(f"{name} says RIGID and is no rotation and translation")
    if np.linalg.det(rotation) < 0:
        raise SeriesRefused(f"{name} mirrors: left would become right")
    if (farthest_mm := float(np.abs(matrix[:3, 3]).max())) > FARTHEST_MM:
        raise SeriesRefused(f"{name} moves by {farthest_mm:g} mm: no frame of reference lies so far off")
    return matrix
