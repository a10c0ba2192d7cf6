"""What a series would become: its place in the patient is known, its pixels are not read yet."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from navigation.uptake import UptakeFactors
from navigation.volume import Volume, VolumeGeometry

Role = Literal["anatomy", "activity", "reference"]


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

    """

    role: Role
    geometry: VolumeGeometry
    rank: tuple[float, ...]
    taken_at: datetime | None
    read: Reading
    uptake: Uptake | None = None
