"""PET series (PS3.3 A.21, and A.72 legacy-converted) into activity concentration where they say enough."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from acquisition.studies.attributes import Attributes, attribute_name
from acquisition.studies.errors import SeriesRefused
from acquisition.studies.frames import flatten, place_frames
from acquisition.studies.multiframe import read_one, read_rescale, scale_frames
from acquisition.studies.objects import StoredObject
from acquisition.studies.pet_values import PetValues, read_pet_values
from acquisition.studies.pixels import read_pixels
from acquisition.studies.plans import Beside, Reading, VolumePlan
from acquisition.studies.resolution import assume_pet
from acquisition.studies.slices import read_stack, stack_slices
from navigation.volume import Volume, VolumeGeometry


def plan_pet(objects: Sequence[StoredObject], _: Beside) -> VolumePlan:
    """Place a PET series of single slices.

    Raises
    ------
    SeriesRefused
        Where slices differ in unit or corrections, some of the announced Number of Slices are missing, or they
        do not form an even stack.

    """
    _require_every_slice(objects)
    stack = stack_slices(objects)
    values = read_pet_values([stored.attributes for stored in stack.objects])

    def read() -> tuple[Volume, str]:
        read_values = read_stack(stack, factors=values.factors)
        return _make(stack.geometry, values, read_values), values.words

    return _plan(stack.geometry, stack.objects[0].attributes, values, read)


def plan_converted_pet(objects: Sequence[StoredObject], _: Beside) -> VolumePlan:
    """Place a Legacy Converted Enhanced PET object: its units and times are the converted slices' own.

    Raises
    ------
    SeriesRefused
        As `plan_pet`; for several objects in one series.

    """
    stored, frames = read_one(objects)
    geometry, order = place_frames(stored.attributes, frames)
    flat = [flatten(stored.attributes, frame) for frame in frames]
    values = read_pet_values(flat)
    slopes, intercepts = read_rescale(frames)[:2]

    def read() -> tuple[Volume, str]:
        pixels = read_pixels(stored, frames=len(frames))
        scaled = scale_frames(stored, pixels, slopes * values.factors, intercepts * values.factors)
        return _make(geometry, values, scaled[order]), values.words

    return replace(_plan(geometry, flat[0], values, read), first=flat[0])


def _plan(geometry: VolumeGeometry, first: Attributes, values: PetValues, read: Reading) -> VolumePlan:
    return VolumePlan(
        role="activity",
        geometry=geometry,
        rank=(float(values.is_activity), float(values.is_attenuation_corrected), -geometry.voxel_volume_ml),
        taken_at=values.reference.at,
        read=read,
        uptake=values.uptake,
        resolution=assume_pet(first, geometry),
    )


def _make(geometry: VolumeGeometry, values: PetValues, voxels: NDArray[np.float32]) -> Volume:
    return Volume(geometry=geometry, values=voxels, quantity=values.quantity, unit=values.unit)


def _require_every_slice(objects: Sequence[StoredObject]) -> None:
    """Slices missing at an end leave no gap; only Number of Slices (PS3.3 C.8.9.1) tells of them."""
    announced = objects[0].attributes.optional_number("NumberOfSlices")
    held = len({stored.sop_instance_uid for stored in objects})
    if announced is not None and held < announced:
        raise SeriesRefused(
            f"{attribute_name('NumberOfSlices')} announces {announced:.0f} slices and {held} came: "
            "a target may lie in the missing ones"
        )
