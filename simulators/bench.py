"""A bench in the morning: a probe, sources in air that a rig places, decay, background, and what can go wrong.

Sources stand at positions in the probe's TIP frame. Time is the instrument's, which a ``FastClock`` lets run
faster than the host's, so that a morning of ten minutes takes seconds and decays as it should.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import numpy as np

from devices.clock import Clock
from simulators.probe_physics import ProbePhysics

DAY_S = 86400.0
CHECK_AGE = timedelta(days=174)
"""Since the check source's reference: long enough that forgetting its decay shows (36 % of Co-57)."""
STRONG_MBQ = 12.0
"""Of the source that decays: it costs the simulated probe a third of its counts."""
LIGHT_CPS = 400.0
"""What a lamp adds in the window of a crystal whose foil has a hole."""
TIP_ABOVE_WATER_MM = 0.4
SHUTTER_S = 0.05
"""Host seconds that the shutter takes to open."""
SPOT_MM = np.array([[5.0, 0.0, 40.0]])
SPOT_MBQ = np.array([0.02])
"""A drop of Tc-99m on the bench before the probe."""


LONGEST_LOOK_S = 0.01
"""Host seconds that a fast clock lets pass between two looks at it, at most."""


class FastClock:
    """A clock that runs ``speed`` times as fast as the host's from the moment it is made.

    It stands still while a busy host takes the processor away: an answer that a person waits for a second late
    would else seem to be of minutes later, when other sources stood before the probe.
    """

    def __init__(self, clock: Clock, speed: float, started_at: datetime) -> None:
        self._clock = clock
        self._speed = speed
        self._started_at = started_at
        self.started_s = clock()
        self._looked_at_s = self.started_s
        self._time_s = self.started_s

    def __call__(self) -> float:
        """Seconds of this clock."""
        now_s = self._clock()
        self._time_s += min(now_s - self._looked_at_s, LONGEST_LOOK_S) * self._speed
        self._looked_at_s = now_s
        return self._time_s

    def skip(self, seconds: float) -> None:
        """Jump so far ahead, for what takes hours in which nothing happens."""
        self._time_s += seconds

    def wall_time(self, taken_at_s: float) -> datetime:
        """UTC of a stamp of this clock."""
        return self._started_at + timedelta(seconds=taken_at_s - self.started_s)


class BenchFault(StrEnum):
    """What a morning or a calibration must find."""

    DEAD_CRYSTAL = "dead-crystal"
    """No event reaches the electronics."""
    STUCK_VALUE = "stuck-value"
    """The first rate is sent for ever."""
    WRONG_SOURCE = "wrong-source"
    """The check source in the fixture is another one, of half the activity."""
    CONTAMINATED_BENCH = "contaminated-bench"
    """A drop of activity lies before the probe."""
    DRIFTED_PEAK = "drifted-peak"
    """The gain has fallen by a tenth."""
    LIGHT_LEAK = "light-leak"
    """Light reaches the crystal."""
    BROAD_PEAK = "broad-peak"
    """The crystal's coupling has suffered: the photopeak is three times as wide."""
    LEAKING_SHIELD = "leaking-shield"
    """Twenty times as much passes the shield."""
    WIDE_COLLIMATOR = "wide-collimator"
    """A collimator of another probe is on it."""
    SLOW_ELECTRONICS = "slow-electronics"
    """Dead time of 80 us, and no fast channel that would tell."""
    FLAT_BATTERY = "flat-battery"
    """What feeds the instrument is nearly empty: its detector's bias has fallen."""
    EMPTY_TANK = "empty-tank"
    """What is said to stand in water stands in air."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchSource:
    """A point source.

    Attributes
    ----------
    activity_mbq
        At the start of the morning.
    half_life_s
        Of its nuclide.
    seen
        Counts for each decay, relative to the nuclide that the probe's physics is given for.

    """

    activity_mbq: float
    half_life_s: float
    seen: float = 1.0


TC99M_S = 6.015 * 3600
CO57_S = 271.74 * DAY_S
CO57_IN_TC99M_WINDOW = 0.28
"""Of 122.1 keV (0.856) a sixth lies above 126 keV at 8 % resolution, with all of 136.5 keV (0.107); over 0.89."""


FAULTY_PHYSICS = {
    BenchFault.LEAKING_SHIELD: ProbePhysics(leak=1e-2),
    BenchFault.WIDE_COLLIMATOR: ProbePhysics(aperture_radius_mm=9.0),
}
"""Probes of some faults."""


class Bench:
    """What the simulated probe sees; ``stand``, ``wait`` and ``assay`` are what a rig for ``acquire`` offers.

    Parameters
    ----------
    started_at
        UTC of ``started_s``.
    started_s
        The instrument's clock at the start, s.
    rng
        Where counts are drawn.
    physics
        The probe.
    fault
        What is wrong this morning.
    skip
        Lets the clock jump ahead, s; without it ``wait`` is refused.

    """

    def __init__(
        self,
        *,
        started_at: datetime,
        started_s: float,
        rng: np.random.Generator,
        physics: ProbePhysics | None = None,
        fault: BenchFault | None = None,
        skip: Callable[[float], None] | None = None,
    ) -> None:
        self._started_at = started_at
        self._started_s = started_s
        self._rng = rng
        self._healthy = physics or ProbePhysics()
        self._physics = self._healthy if fault is None else FAULTY_PHYSICS.get(fault, self._healthy)
        self._fault = fault
        self._skip = skip
        self._is_in_water = False
        self._stuck_cps: float | None = None
        self._is_lit = False
        self._standing: Mapping[str, tuple[float, float, float]] = {}
        check = self._check_at_reference()
        left = 2 ** -(CHECK_AGE.total_seconds() / check.half_life_s)
        wrong = 0.5 if fault is BenchFault.WRONG_SOURCE else 1.0
        self._sources = {
            "check": BenchSource(
                activity_mbq=check.activity_mbq * left * wrong, half_life_s=check.half_life_s, seen=check.seen
            ),
            "point": BenchSource(activity_mbq=1.0, half_life_s=TC99M_S),
            "first": BenchSource(activity_mbq=4.0, half_life_s=TC99M_S),
            "second": BenchSource(activity_mbq=3.5, half_life_s=TC99M_S),
            "strong": BenchSource(activity_mbq=STRONG_MBQ, half_life_s=TC99M_S),
        }

    @staticmethod
    def _check_at_reference() -> BenchSource:
        return BenchSource(activity_mbq=0.37, half_life_s=CO57_S, seen=CO57_IN_TC99M_WINDOW)

    def label(self, distance_mm: float = 10.0) -> dict[str, Any]:
        """Give the check source's certificate: keys of the site file's ``acquire.check_source``."""
        at, sources = {"check": (0.0, 0.0, distance_mm)}, {"check": self._check_at_reference()}
        rate_cps = self._rate_cps(at, sources, 0.0, self._healthy)
        return {
            "nuclide": "Co-57",
            "label": "SIM-57",
            "reference_at": self._started_at - CHECK_AGE,
            "reference_cps": rate_cps - self._healthy.background_cps,
            "distance_mm": distance_mm,
        }

    async def stand(self, positions_mm: Mapping[str, tuple[float, float, float]], medium: str = "air") -> None:
        """Put these sources at these places (mm, TIP frame), in air or water, and every other one away."""
        if unknown := set(positions_mm) - set(self._sources) - {"lamp"}:
            raise ValueError(f"the bench has no source {', '.join(sorted(unknown))}")
        self._is_lit = "lamp" in positions_mm
        self._standing = {name: place for name, place in positions_mm.items() if name != "lamp"}
        self._is_in_water = medium == "water" and self._fault is not BenchFault.EMPTY_TANK

    async def wait(self, seconds: float) -> None:
        """Let time pass at once, the sources behind a shutter meanwhile."""
        if self._skip is None:
            raise ValueError("the bench's clock cannot jump ahead")
        standing, self._standing = self._standing, {}
        self._skip(seconds)
        # what came until now is counted before the shutter opens again: no instrument asks sooner than this
        await asyncio.sleep(SHUTTER_S)
        self._standing = standing

    def assay(self) -> tuple[float, datetime]:
        """Activity of the point source, MBq, and when it was measured: at the start."""
        return self._sources["point"].activity_mbq, self._started_at

    def events(self, start_s: float, end_s: float) -> int:
        """Count true events in the window between two times of the instrument's clock, s."""
        if self._fault is BenchFault.DEAD_CRYSTAL:
            return 0
        rate_cps = self._rate_cps(self._standing, self._sources, start_s - self._started_s)
        if self._fault is BenchFault.CONTAMINATED_BENCH:
            rate_cps += self._physics.rate_cps(SPOT_MM, SPOT_MBQ, np.zeros(1)) - self._physics.background_cps
        if self._fault is BenchFault.LIGHT_LEAK and self._is_lit:
            rate_cps += LIGHT_CPS
        if self._fault is BenchFault.STUCK_VALUE:
            if self._stuck_cps is None:
                self._stuck_cps = rate_cps
            # differences of a running number, so that pieces of an interval add up to it
            return int(self._stuck_cps * (end_s - self._started_s)) - int(
                self._stuck_cps * (start_s - self._started_s)
            )
        return int(self._rng.poisson(rate_cps * (end_s - start_s)))

    def _rate_cps(
        self,
        standing: Mapping[str, tuple[float, float, float]],
        sources: Mapping[str, BenchSource],
        elapsed_s: float,
        physics: ProbePhysics | None = None,
    ) -> float:
        positions_mm = np.array(list(standing.values()), dtype=np.float64).reshape(-1, 3)
        seen_mbq = np.array(
            [
                sources[name].activity_mbq * 2 ** -(elapsed_s / sources[name].half_life_s) * sources[name].seen
                for name in standing
            ]
        )
        # of the straight way from source to tip, that below the surface
        reach_mm = np.linalg.norm(positions_mm, axis=1)
        under = np.maximum(positions_mm[:, 2] - TIP_ABOVE_WATER_MM, 0.0) / np.maximum(positions_mm[:, 2], 1e-9)
        path_mm = reach_mm * under if self._is_in_water else np.zeros(len(seen_mbq))
        return (physics or self._physics).rate_cps(positions_mm, seen_mbq, path_mm)
