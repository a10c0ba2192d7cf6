"""Volumes as the page fetches them: raw little-endian voxels under a name that is their digest."""

import hashlib
from collections import deque
from dataclasses import dataclass
from typing import Literal

import numpy as np

from acquisition.studies.surfaces import Surface
from display.messages.measures import Point
from display.messages.volume import SurfaceState, VolumeState
from navigation.volume import Volume

KEPT_IMAGES = 2
"""The newest live image, and the one that a page may just be fetching."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShelvedVolume:
    """One volume's voxels, ready to send, and what the page must know of them."""

    state: VolumeState
    packed: bytes


def shelve(volume: Volume) -> ShelvedVolume:
    """Pack a volume with a value in it: CT numbers as int16, all else as float32; i fastest, then j, then k."""
    dtype: Literal["int16", "float32"] = "int16" if volume.unit == "HU" else "float32"
    values = np.rint(volume.values).clip(-32768, 32767) if dtype == "int16" else volume.values
    voxels = np.ascontiguousarray(values, dtype="<i2" if dtype == "int16" else "<f4").tobytes()
    affine = volume.geometry.patient_from_voxel
    digest = hashlib.sha256(voxels)
    digest.update(affine.tobytes())
    etag = digest.hexdigest()[:32]

    def row(index: int) -> Point:
        return float(affine[index, 0]), float(affine[index, 1]), float(affine[index, 2])

    return ShelvedVolume(
        packed=voxels,
        state=VolumeState(
            url=f"/v1/volumes/{etag}",
            etag=etag,
            dtype=dtype,
            shape=volume.geometry.shape,
            patient_from_voxel=(row(0), row(1), row(2)),
            origin_mm=(float(affine[0, 3]), float(affine[1, 3]), float(affine[2, 3])),
            quantity=volume.quantity,
            unit=volume.unit,
            greatest=float(np.nanmax(volume.values)),
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ShelvedSurface:
    """One surface, ready to send, and what the page must know of it."""

    state: SurfaceState
    packed: bytes


def shelve_surface(surface: Surface) -> ShelvedSurface:
    """Pack a surface: positions, then triangles."""
    packed = surface.vertices_mm.astype("<f4").tobytes() + surface.triangles.astype("<u4").tobytes()
    etag = hashlib.sha256(packed).hexdigest()[:32]
    return ShelvedSurface(
        packed=packed,
        state=SurfaceState(
            kind=surface.kind,
            url=f"/v1/volumes/{etag}",
            etag=etag,
            vertices=len(surface.vertices_mm),
            triangles=len(surface.triangles),
        ),
    )


class Shelf:
    """The volumes and surfaces of the study in use and the newest live images, by their ETag."""

    def __init__(self) -> None:
        self._volumes: dict[str, ShelvedVolume | ShelvedSurface] = {}
        self._images: deque[ShelvedVolume] = deque(maxlen=KEPT_IMAGES)

    def replace(self, *volumes: ShelvedVolume | ShelvedSurface) -> None:
        """Put these volumes on the shelf and take those of the study before away."""
        self._volumes = {volume.state.etag: volume for volume in volumes}

    def renew(self, image: ShelvedVolume) -> None:
        """Put a live image on the shelf; the one before stays for who is fetching it."""
        self._images.append(image)

    def clear_images(self) -> None:
        """Take all live images away: they are of another map."""
        self._images.clear()

    def find(self, etag: str) -> ShelvedVolume | ShelvedSurface | None:
        """Find a volume or surface, None where it is not, or no longer, on the shelf."""
        images = (image for image in self._images if image.state.etag == etag)
        return self._volumes.get(etag) or next(images, None)
