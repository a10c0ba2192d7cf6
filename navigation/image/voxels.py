"""The voxels that a probe has looked at: a part of a regular grid in the patient frame, growing with the scan."""

import numpy as np
from numpy.typing import NDArray

from navigation.tissue import Tissue
from navigation.volume import Volume, VolumeGeometry

Array = NDArray[np.float64]
Cells = NDArray[np.int64]

REACH_MM = 70.0
"""Farthest voxel from the tip that is taken in, unless told otherwise."""

FIELD_COSINE = 0.8
"""Voxels are taken in within 37 degrees of the axis, unless told otherwise: beyond, a probe counts little."""

VIEW_MM, VIEW_AXIS = 6.0, 0.15
"""Poses are rounded to these, tip and components of the axis, before a cone is drawn from them."""

_HALF = 1 << 20
"""Cells are counted from -2**20 to 2**20, so that three of them fit one 64-bit key."""


def _keys(cells: Cells) -> Cells:
    return np.asarray(((cells[:, 2] + _HALF) << 42) | ((cells[:, 1] + _HALF) << 21) | (cells[:, 0] + _HALF))


class Voxels:
    """Cells of a grid whose nodes are multiples of its spacing.

    Parameters
    ----------
    spacing_mm
        Side of a voxel.
    reach_mm, field_cosine
        Distance from a tip and cosine of the angle off its axis within which voxels are taken in.

    Attributes
    ----------
    spacing_mm
        Side of a voxel.
    cells
        x, y and z of each voxel in units of the spacing, in the order in which they were taken in, shape (M, 3).

    """

    def __init__(
        self, spacing_mm: float, *, reach_mm: float = REACH_MM, field_cosine: float = FIELD_COSINE
    ) -> None:
        self.spacing_mm = spacing_mm
        self.cells: Cells = np.zeros((0, 3), dtype=np.int64)
        self._reach_mm, self._field_cosine = reach_mm, field_cosine
        self._views: set[tuple[int, ...]] = set()
        self._waiting: Cells = np.zeros((0, 3), dtype=np.int64)
        steps = np.arange(-int(reach_mm // spacing_mm) - 1, int(reach_mm // spacing_mm) + 2)
        cube = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
        self._ball = cube[np.linalg.norm(cube * spacing_mm, axis=1) < reach_mm + spacing_mm]

    def __len__(self) -> int:
        return len(self.cells)

    @property
    def points_mm(self) -> Array:
        """Centres, shape (M, 3), mm, patient frame."""
        return np.asarray(self.cells * self.spacing_mm, dtype=np.float64)

    def extend(self, tip_mm: Array, axis: Array, tissue: Tissue, *, most: int | None = None) -> int:
        """Take in what poses (N, 3) look at, inside the tissue; return how many voxels are new.

        New ones are sorted, so that the order of the poses does not matter. No more than ``most`` are taken in at
        once, those nearest to the last tip first; the others wait for the next call.
        """
        rounded = np.hstack((np.round(tip_mm / VIEW_MM), np.round(axis / VIEW_AXIS))).astype(np.int64)
        views = [tuple(each) for each in np.unique(rounded, axis=0).tolist()]
        views = [each for each in views if each not in self._views]
        self._views.update(views)
        seen = [self._cone(np.array(each[:3]) * VIEW_MM, np.array(each[3:]) * VIEW_AXIS, tissue) for each in views]
        cells = np.concatenate((self._waiting, *seen))
        if not len(cells):
            return 0
        keys, index = np.unique(_keys(cells), return_index=True)
        fresh = cells[index][~np.isin(keys, _keys(self.cells), assume_unique=True)]
        self._waiting = fresh[:0]
        if most is not None and len(fresh) > most:
            distance = np.linalg.norm(fresh * self.spacing_mm - tip_mm[-1], axis=1)
            is_first = np.zeros(len(fresh), dtype=np.bool_)
            is_first[np.argsort(distance, kind="stable")[:most]] = True
            fresh, self._waiting = fresh[is_first], fresh[~is_first]
        self.cells = np.concatenate((self.cells, fresh))
        return len(fresh)

    def _cone(self, tip_mm: Array, axis: Array, tissue: Tissue) -> Cells:
        cells = self._ball + np.round(tip_mm / self.spacing_mm).astype(np.int64)
        offset = cells * self.spacing_mm - tip_mm
        distance = np.sqrt(np.einsum("mk,mk->m", offset, offset))
        is_seen = offset @ axis > self._field_cosine * distance * np.linalg.norm(axis)
        is_seen &= distance < self._reach_mm
        skin = tissue.skin_at(tip_mm[None])
        if np.isfinite(skin.height_mm[0]):
            # the whole voxel: one that is half in the air would gather the noise of the few poses beside it
            is_seen &= offset @ skin.normal[0] <= -skin.height_mm[0] - self.spacing_mm / 2
        return np.asarray(cells[is_seen])

    def nearest(self, point_mm: Array, most: int) -> NDArray[np.intp]:
        """Index of the ``most`` voxels nearest to a point, in their order."""
        distance = np.linalg.norm(self.points_mm - point_mm, axis=1)
        return np.sort(np.argsort(distance, kind="stable")[:most])

    def keep(self, chosen: NDArray[np.intp]) -> None:
        """Forget all other voxels; a pose that looks at them takes them in anew."""
        self.cells = self.cells[chosen]
        self._waiting = self._waiting[:0]
        self._views.clear()

    def neighbours(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Pairs of voxels that share a face, shapes (P,)."""
        keys = _keys(self.cells)
        order = np.argsort(keys)
        first, second = [], []
        for step in np.eye(3, dtype=np.int64):
            sought = _keys(self.cells + step)
            place = np.minimum(np.searchsorted(keys, sought, sorter=order), max(len(keys) - 1, 0))
            is_there = keys[order[place]] == sought
            first.append(np.flatnonzero(is_there))
            second.append(order[place[is_there]])
        return np.concatenate(first), np.concatenate(second)

    def volume(self, values: Array, *, quantity: str, unit: str, frame_of_reference_uid: str) -> Volume:
        """Fill the box about the voxels with a value each (M,), NaN where there is no voxel."""
        corner = self.cells.min(axis=0)
        shape = self.cells.max(axis=0) - corner + 1
        affine = np.zeros((4, 4))
        # index order is (k, j, i): steps along z, y, x
        affine[[2, 1, 0], [0, 1, 2]] = self.spacing_mm
        affine[:3, 3] = corner * self.spacing_mm
        affine[3, 3] = 1.0
        filled = np.full((shape[2], shape[1], shape[0]), np.nan, dtype=np.float32)
        i, j, k = (self.cells - corner).T
        filled[k, j, i] = values
        geometry = VolumeGeometry(
            patient_from_voxel=affine,
            shape=(int(shape[2]), int(shape[1]), int(shape[0])),
            frame_of_reference_uid=frame_of_reference_uid,
        )
        return Volume(geometry=geometry, values=filled, quantity=quantity, unit=unit)
