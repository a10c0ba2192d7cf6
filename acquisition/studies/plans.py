"""What a series would become: its place in the patient is known, its pixels are not read yet."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from acquisition.studies.attributes import Attributes
from acquisition.studies.calibrations import SpectCalibration
from acquisition.studies.registration import SameFrames
from navigation.hotspots import Resolution
from navigation.uptake import UptakeFactors
from navigation.volume import Volume, VolumeGeometry

Role = Literal["anatomy", "activity", "reference"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """What the site and its people know that no object says.

    Attributes
    ----------
    same_frames
        Frames of reference that a person has confirmed to be one space.
    calibrations
        Of the site's cameras.

    """

    same_frames: tuple[SameFrames, ...] = ()
    calibrations: tuple[SpectCalibration, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What is known of a series beside its own objects.

    Attributes
    ----------
    mappings
        Real-world value mappings of other objects (Real World Value Mapping Storage), by the SOP Instance UID of
        the image that they are for.
    calibrations
        Of the site's cameras.

    """

    mappings: Mapping[str, tuple[Attributes, ...]] = field(default_factory=dict)
    calibrations: tuple[SpectCalibration, ...] = ()


Reading = Callable[[], tuple[Volume, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Uptake:
    """Factors from Bq/mL to standardised uptake values, or why there are none."""

    factors: UptakeFactors | None
    why_not: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumePlan:
    """A series that can be read into a volume.

    Attributes
    ----------
    role
        ``"anatomy"`` (CT), ``"activity"`` (reconstructed NM, PET), or ``"reference"`` (MR, maps of other
        quantities): placed, and used for nothing here.
    geometry
        Where the voxels lie.
    rank
        The higher, the rather it is used where a study holds several of one role.
    taken_at
        When the values were true: the decay reference of activities, else the start of acquisition.
    read
        Reads the pixels; gives the volume and a sentence on its values. Raises `SeriesRefused`.
    uptake
        Of a PET.
    resolution
        Of an activity: the width of a point in it.
    first
        Attributes of its first frame where the object's own do not hold them, as of a converted one.

    """

    role: Role
    geometry: VolumeGeometry
    rank: tuple[float, ...]
    taken_at: datetime | None
    read: Reading
    uptake: Uptake | None = None
    resolution: Resolution | None = None
    first: Attributes | None = None
