"""Where which source goes: one sentence for a person, one position for the arithmetic."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from math import cos, radians, sin
from typing import Protocol, runtime_checkable


class Source(StrEnum):
    """The sources of a morning, by what they are for."""

    CHECK = "check"
    POINT = "point"
    FIRST = "first"
    """One of the two that dead time is measured with."""
    SECOND = "second"
    STRONG = "strong"
    """One that decays while it is counted again and again."""
    LAMP = "lamp"


class Medium(StrEnum):
    """What lies before the tip."""

    AIR = "air"
    WATER = "water"
    """Its surface all but touches the tip and is square to the axis."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedSource:
    """A source and where it stands: mm in the probe's TIP frame, +z the way the probe looks."""

    source: Source
    position_mm: tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """What stands in front of the probe, and the sentence that asks for it.

    Attributes
    ----------
    instruction
        Imperative, without a full stop: "Place the Co-57 check source on the axis, 10 mm from the tip".
    sources
        All that are near; every other source is put away.
    medium
        What they stand in.

    """

    instruction: str
    sources: tuple[PlacedSource, ...] = ()
    medium: Medium = Medium.AIR


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """One placement and the counts taken there.

    Attributes
    ----------
    placement
        What is placed.
    longest_s
        Length of each count, s, or the longest where ``counts_wanted`` ends it earlier.
    counts_wanted
        Events after which a count may end; None: it lasts ``longest_s``.
    is_decided
        Whether so many events in so long a live time, s, may end it; asked at each reading. None: never.
    times
        Number of counts.
    wait_s
        Time that must pass before the first of them, for a source to decay, s.

    """

    placement: Placement
    longest_s: float
    counts_wanted: int | None = None
    is_decided: Callable[[int, float], bool] | None = None
    times: int = 1
    wait_s: float = 0.0


@runtime_checkable
class Trayed(Protocol):
    """A probe's entry in the site file that says where it has what it counts, if not before its tip."""

    @property
    def tray_said(self) -> str:
        """In words, as "on its tray"; empty: before its tip."""


def tray_of(device: object) -> str:
    """Say where a probe has what it counts by its entry in the site file; empty: before its tip."""
    return device.tray_said if isinstance(device, Trayed) else ""


def emptied(what: str, device: object = None) -> Placement:
    """Have ``what`` put away, so that the probe of this entry in the site file sees nothing."""
    tray = tray_of(device)
    rest = f"leave nothing {tray}" if tray else "point the probe at the empty bench"
    return Placement(instruction=f"Put {what} away and {rest}")


def around_tip(source: Source, called: str, distance_mm: float, angle_deg: float = 0.0) -> Placement:
    """Place a source at a distance from the tip's centre, on the axis or at an angle to it."""
    angle_rad = radians(angle_deg)
    where = "on the axis" if angle_deg == 0 else f"{angle_deg:g}° off the axis"
    return Placement(
        instruction=f"Place {called} {where}, {distance_mm:g} mm from the tip",
        sources=(
            PlacedSource(
                source=source,
                position_mm=(distance_mm * sin(angle_rad), 0.0, distance_mm * cos(angle_rad)),
            ),
        ),
    )
