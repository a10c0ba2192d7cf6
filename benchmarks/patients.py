"""Draws scenes with known truth: probes, their morning on the bench, patients, maps and a hand that scans.

The families are those of the recordings; everything else is drawn anew for each seed. What is drawn has the form
of the recordings (``calibration.json``, a scene's header, ``truth.json``), so that the same code fits, replays
and judges.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.recordings import Scene
from benchmarks.scattering import WINDOW_KEV, ScatteringProbe
from navigation.observations import Observations
from simulators.probe_physics import ProbePhysics

Array = NDArray[np.float64]

READING_S = 0.1
LONGEST_S = 60.0
TIP_SIGMA_MM, AXIS_SIGMA_RAD = 0.3, np.radians(0.3)
"""Noise of the tracked pose, an axis."""

TILT_DEG = 25.0
HALF_WIDTH_MM = 30.0
"""The scan covers 60 by 60 mm."""

TIP_ABOVE_WATER_MM = 0.4
BENCH_MBQ = 1.0

NODE_SIGMA_MM, NODE_FACTOR = 8.0, 2.0
INJECTION_SIGMA_MM, INJECTION_FACTOR = 2.0, 1.2
"""Error of a map, an axis, and of its activities: a one-sigma factor."""

INJECTION_MBQ, INJECTION_DEPTH_MM = 100.0, 15.0

WATER_PER_MM = 0.01536
"""Attenuation of water at 140.5 keV, coherent scatter in (NIST XCOM)."""

WRONG_BY, WRONG_LEAK_BY = 1.1, 3.0
"""How much a probe in theatre may differ from the one that was calibrated, as factors either way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A kind of scene.

    Attributes
    ----------
    depth_mm
        Of the nodes.
    activity_mbq
        Of each node; none at all for a phantom, of which only the map knows.
    apart_mm
        From the first node to the second.
    injection_mm
        How far beside the first node an injection site lies; None without one.
    shift_mm
        How far the tissue has moved since the map was made, mostly along the skin.
    is_mapped
        Whether the map shows the nodes.

    """

    depth_mm: float = 25.0
    activity_mbq: tuple[float, ...] = (0.1,)
    apart_mm: float = 0.0
    injection_mm: float | None = None
    shift_mm: float = 0.0
    is_mapped: bool = True


FAMILIES = {
    "isolated-20mm": Family(depth_mm=20.0),
    "isolated-30mm": Family(depth_mm=30.0),
    "deep-50mm": Family(depth_mm=50.0),
    "faint-25mm": Family(activity_mbq=(0.013,)),
    "shine-40mm": Family(injection_mm=40.0),
    "shine-30mm": Family(injection_mm=30.0),
    "shine-20mm": Family(injection_mm=20.0),
    "pair-11mm": Family(depth_mm=20.0, activity_mbq=(0.1, 0.1), apart_mm=11.0),
    "pair-20mm": Family(depth_mm=20.0, activity_mbq=(0.1, 0.03), apart_mm=20.0),
    "shift-20mm": Family(shift_mm=20.0),
    "unmapped": Family(is_mapped=False),
    "phantom-hotspot": Family(activity_mbq=()),
    "phantom-beside-injection": Family(activity_mbq=(), injection_mm=35.0),
}


def drawn_probe(rng: np.random.Generator) -> ScatteringProbe:
    """Draw one of the collimated probes that there may be: openings of 7 to 15 mm, fields of 35 to 65 degrees."""

    def about(value: float, factor: float) -> float:
        return float(value * np.exp(np.log(factor) * rng.normal()))

    return ScatteringProbe(
        physics=ProbePhysics(
            crystal_radius_mm=about(5.5, 1.12),
            aperture_radius_mm=about(5.2, 1.12),
            crystal_depth_mm=about(23.0, 1.12),
            edge_mm=about(0.3, 1.3),
            efficiency=float(rng.uniform(0.5, 0.9)),
            leak=about(5e-4, 1.8),
            attenuation_per_mm=WATER_PER_MM,
            dead_time_s=about(5e-6, 1.3),
            background_cps=about(4.0, 1.2),
        )
    )


def drawn_error(probe: ScatteringProbe, rng: np.random.Generator) -> ScatteringProbe:
    """Make it another probe than was calibrated: width and attenuation 10 % off, the leak by three, either way."""
    width, attenuation, leak = rng.choice([-1.0, 1.0], 3)
    return probe.wrong(width=WRONG_BY**width, attenuation=WRONG_BY**attenuation, leak=WRONG_LEAK_BY**leak)


def counted(rate_cps: Array, live_time_s: Array | float, dead_time_s: float, rng: np.random.Generator) -> Array:
    """Poisson counts after a non-paralysable dead time."""
    return rng.poisson(rate_cps / (1 + rate_cps * dead_time_s) * live_time_s).astype(np.float64)


def bench_counts(probe: ScatteringProbe, name: str, rng: np.random.Generator) -> dict[str, Any]:
    """Count a probe's morning on the bench: what ``calibration.json`` holds."""
    physics = probe.physics
    places = [("air", distance, 0.0, 0.0, 20.0) for distance in (5.0, 10.0, 20.0, 30.0, 50.0, 70.0, 100.0)]
    places += [("air", 30.0, 0.0, float(angle), 60.0) for angle in range(5, 95, 5)]
    places += [("air", 30.0, aside, 0.0, 20.0) for aside in (5.0, 10.0, 15.0, 20.0, 30.0, 40.0)]
    places += [
        ("water", depth, aside, 0.0, 20.0)
        for depth in (8.0, 15.0, 20.0, 30.0, 50.0)
        for aside in (0.0, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0)
    ]
    tip, ahead = np.array([[0.0, 0.0, TIP_ABOVE_WATER_MM]]), np.array([[0.0, 0.0, -1.0]])

    def rate_cps(medium: str, distance: float, aside: float, angle_deg: float, activity_mbq: float) -> Array:
        angle, is_in_air = np.radians(angle_deg), medium == "air"
        below = distance * np.cos(angle) - (TIP_ABOVE_WATER_MM if is_in_air else 0.0)
        place = np.array([[distance * np.sin(angle) + aside, 0.0, -below]])
        seen = probe.rate_cps(place, np.array([activity_mbq]), tip, ahead, is_in_air=is_in_air)
        return seen + physics.background_cps

    def counts(rate: Array, live_s: float) -> int:
        return int(counted(rate, live_s, physics.dead_time_s, rng)[0])

    return {
        "probe": name,
        "nuclide": "Tc-99m",
        "window_kev": list(WINDOW_KEV),
        "tip_to_water_mm": TIP_ABOVE_WATER_MM,
        "background": {"live_s": 300.0, "counts": counts(np.array([physics.background_cps]), 300.0)},
        "point_source": [
            {
                "medium": medium,
                "distance_mm": distance,
                "lateral_mm": aside,
                "angle_deg": angle_deg,
                "activity_mbq": BENCH_MBQ,
                "live_s": live_s,
                "counts": counts(rate_cps(medium, distance, aside, angle_deg, BENCH_MBQ), live_s),
            }
            for medium, distance, aside, angle_deg, live_s in places
        ],
        "two_source": [
            {"which": which, "live_s": 60.0, "counts": counts(rate_cps("air", 10.0, 0.0, 0.0, activity), 60.0)}
            for which, activity in (("first", 3.0), ("second", 4.0), ("both", 7.0))
        ],
    }


def hand_path(rng: np.random.Generator, size: int) -> tuple[Array, Array]:
    """Tips (N, 3) and axes (N, 3) of a hand-held scan, a reading apart: 60 by 60 mm in 20 s, leaning up to 25 deg.

    Lines across that drift along and back, never twice the same: line, drift and lean have periods of their own.
    """
    now_s = np.arange(0.5, size) * READING_S

    def swing(shortest_s: float, longest_s: float) -> Array:
        return np.asarray(np.sin(2 * np.pi * (now_s / rng.uniform(shortest_s, longest_s) + rng.uniform())))

    across = HALF_WIDTH_MM * swing(4.0, 5.0)
    back_and_forth = np.abs((now_s / rng.uniform(38.0, 42.0) + rng.uniform()) % 1.0 * 2 - 1) * 2 - 1
    along = HALF_WIDTH_MM * back_and_forth + 1.5 * swing(1.5, 2.5)
    turn = rng.uniform(0, 2 * np.pi)
    first, second = np.array([np.cos(turn), np.sin(turn)]), np.array([-np.sin(turn), np.cos(turn)])
    height = 1.2 + 1.2 * swing(2.0, 3.0)
    tips = np.column_stack((across[:, None] * first + along[:, None] * second, height))
    lean = np.tan(np.radians(TILT_DEG)) * np.sqrt(0.5)
    axes = np.column_stack((lean * swing(2.7, 3.5), lean * swing(4.2, 5.2), np.full(size, -1.0)))
    return tips, axes / np.linalg.norm(axes, axis=1)[:, None]


def _sideways(length_mm: float, rng: np.random.Generator) -> Array:
    turn = rng.uniform(0, 2 * np.pi)
    return np.array([length_mm * np.cos(turn), length_mm * np.sin(turn), 0.0])


def _spot(true: dict[str, Any], map_error_mm: Array, rng: np.random.Generator) -> dict[str, Any]:
    """Show a source on the map."""
    is_injection = true["kind"] == "injection"
    factor = INJECTION_FACTOR if is_injection else NODE_FACTOR
    return {
        "name": true["name"],
        "kind": true["kind"],
        "position_mm": (np.array(true["position_mm"]) + map_error_mm).tolist(),
        "sigma_mm": INJECTION_SIGMA_MM if is_injection else NODE_SIGMA_MM,
        "activity_mbq": float(true["activity_mbq"] * np.exp(rng.normal(0.0, np.log(factor)))),
        "activity_factor": factor,
    }


def drawn_scene(
    family: str, number: int, probe: ScatteringProbe, rng: np.random.Generator
) -> tuple[Scene, list[dict[str, Any]]]:
    """Draw a scene and let the probe count through it.

    Returns
    -------
    scene
        As ``read_scene`` gives one.
    truth
        Its sources, as ``truth.json`` has them.

    """
    kind = FAMILIES[family]
    first = np.append(rng.uniform(-8.0, 8.0, 2), -kind.depth_mm)
    places = [first, first + _sideways(kind.apart_mm, rng)]
    names = ("node",) if len(kind.activity_mbq) < 2 else ("node 1", "node 2")
    truth: list[dict[str, Any]] = [
        {"name": name, "kind": "node", "position_mm": place.tolist(), "activity_mbq": activity}
        for name, place, activity in zip(names, places, kind.activity_mbq, strict=False)
    ]
    # a phantom stands on the map alone
    shown = truth or [{"name": "node", "kind": "node", "position_mm": first.tolist(), "activity_mbq": 0.1}]
    if kind.injection_mm is not None:
        beside = first[:2] + _sideways(kind.injection_mm, rng)[:2]
        site = {"name": "injection", "kind": "injection", "activity_mbq": INJECTION_MBQ}
        site["position_mm"] = [*beside.tolist(), -INJECTION_DEPTH_MM]
        truth, shown = [*truth, site], [*shown, site]
    spots = []
    for each in shown:
        sigma_mm = INJECTION_SIGMA_MM if each["kind"] == "injection" else NODE_SIGMA_MM
        error = _sideways(kind.shift_mm, rng) if kind.shift_mm else rng.normal(0.0, sigma_mm, 3)
        spots.append(_spot(each, error, rng))
    physics = probe.physics
    background_cps = physics.background_cps * float(rng.uniform(0.5, 1.4))
    tips, axes = hand_path(rng, round(LONGEST_S / READING_S))
    rate_cps = np.full(len(tips), background_cps)
    if truth:
        sources_mm = np.array([each["position_mm"] for each in truth])
        activity_mbq = np.array([each["activity_mbq"] for each in truth])
        rate_cps += probe.rate_cps(sources_mm, activity_mbq, tips, axes)
    seen_axes = axes + rng.normal(0.0, AXIS_SIGMA_RAD, axes.shape)
    name = f"{family}-{number}"
    header = {
        "scene": name,
        "family": family,
        "surface": {"point_mm": [0.0, 0.0, 0.0], "normal": [0.0, 0.0, 1.0]},
        "background": {"live_s": 30.0, "counts": int(rng.poisson(background_cps * 30.0))},
        "map": spots if kind.is_mapped else [],
    }
    observations = Observations(
        counts=counted(rate_cps, READING_S, physics.dead_time_s, rng),
        live_time_s=np.full(len(tips), READING_S),
        tip_mm=tips + rng.normal(0.0, TIP_SIGMA_MM, tips.shape),
        axis=seen_axes / np.linalg.norm(seen_axes, axis=1)[:, None],
        taken_at_s=np.arange(0.5, len(tips)) * READING_S,
    )
    return Scene(name=name, family=family, header=header, observations=observations), truth
