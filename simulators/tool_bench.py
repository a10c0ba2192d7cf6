"""A hand that moves a tracked tool before a camera as it is asked: in a divot, about its shaft, to a landmark.

What goes wrong in hands is there too: a tool held still, a tip that slides, two landmarks taken for each other.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from devices.clock import Clock
from navigation.frames import Frame
from navigation.transforms import RigidTransform
from simulators.body import Body
from simulators.ports import open_pty_port
from simulators.probe_physics import ProbePhysics
from simulators.probes.amptek import SimulatedAmptek
from simulators.theatre import PATIENT_FROM_REFERENCE, PATIENT_TOOL, PROBE_TOOL, TOOL_FROM_TIP
from simulators.trackers.openigtlink import SimulatedTracker, serve_tracker

DIVOT_MM = np.array((80.0, -40.0, -1300.0))
"""Where the divot stands before the camera."""

POSITION_SIGMA_MM, ROTATION_SIGMA_DEG = 0.1, 0.1
"""Noise of an optical tracker on each axis (NDI Polaris: 0.12 mm RMS in space for a sphere)."""


TRACKER_FROM_REFERENCE = RigidTransform.from_quaternion(
    (0.92, 0.1, -0.3, 0.2), (120.0, -60.0, -1400.0), to=Frame.TRACKER, from_=Frame.REFERENCE
)
"""Where the patient lies before the camera."""

LANDMARKS = {
    "sternal notch": (0.0, 100.0),
    "left shoulder": (0.75, 90.0),
    "right shoulder": (-0.8, 85.0),
    "xiphoid": (0.1, -40.0),
    "left rib": (0.7, -85.0),
    "right rib": (-0.62, -100.0),
}
"""On the front skin: x over the body's half width, and z, mm."""

TARGETS_MM = {"target node": (90.0, -60.0, 10.0)}
"""What the registration is for, patient frame."""

SOURCE_MM = DIVOT_MM + np.array((0.0, 4.0, 20.0))
"""A point source of 1 MBq under the probe, where it is swept."""

DELAY_S = 0.06
"""How late the bench's probe tells its events."""

ANSWER_S = 0.01
"""From the probe being asked to its answer leaving: longer than the host computes at it."""

MOTIONS = frozenset({"pivot", "spin", "touch", "sweep", "swing", "draw"})

BENT_DEG = 3.0
"""How far a probe's head is bent, where it is."""

TOUCH_SIGMA_MM = 1.0
"""On each axis: how far a touched landmark is from the one that was marked."""


LEAN_DEG = 20.0
"""How far a hand leans the probe from the skin's normal when it touches: towards her feet, as it comes to it."""


def landmarks_mm() -> dict[str, np.ndarray]:
    """Places of the landmarks, patient frame."""
    return {name: Body().skin(*place)[0] for name, place in LANDMARKS.items()}


def write_markups(path: Path) -> None:
    """Write landmarks and targets as 3D Slicer does (``.mrk.json``), in RAS, its own default."""
    marked = landmarks_mm() | {name: np.array(place) for name, place in TARGETS_MM.items()}
    points = [
        {"label": name, "position": (place * (-1, -1, 1)).tolist(), "positionStatus": "defined"}
        for name, place in marked.items()
    ]
    markup = {"type": "Fiducial", "coordinateSystem": "RAS", "coordinateUnits": "mm", "controlPoints": points}
    path.write_text(json.dumps({"markups": [markup]}), encoding="utf-8")


class HandFault(StrEnum):
    """What goes wrong in a hand."""

    HELD_STILL = "held-still"
    """The tool is not moved."""
    SLIDING_TIP = "sliding-tip"
    """The tip leaves the divot, up to 8 mm."""
    SWAPPED_LANDMARKS = "swapped-landmarks"
    """The two shoulders are taken for each other."""
    BENT_HEAD = "bent-head"
    """The probe looks 3° beside its shaft."""
    SLIPPED_REFERENCE = "slipped-reference"
    """The patient's marker was pushed by 15 mm."""


class Hand:
    """The hand and its tool.

    Parameters
    ----------
    started_s
        Clock reading at which its time is zero.
    rng
        Where counts are drawn; its misses of a landmark come from a stream of their own, so that they are the same
        however many poses and counts the host's time allows between them.
    fault
        What it does wrongly.
    delay_s
        How late its probe tells its events.

    """

    def __init__(
        self,
        *,
        started_s: float,
        rng: np.random.Generator,
        fault: HandFault | None = None,
        delay_s: float = DELAY_S,
    ) -> None:
        self._delay_s = delay_s
        self._started_s = started_s
        self._rng = rng
        (self._missing,) = rng.spawn(1)
        self._fault = fault
        self._motion = ""
        self._touched_mm, self._touched_from = np.zeros(3), np.array((0.0, -1.0, 0.0))
        self._untouched = list[str]()
        self._physics = ProbePhysics()

    def move(self, motion: str, place: str = "") -> None:
        """Begin one of ``MOTIONS``: ``draw`` is over the skin, ``touch`` of a landmark, or of any.

        Raises
        ------
        ValueError
            Where it knows no such motion or landmark.

        """
        if motion not in MOTIONS or (motion == "touch" and place not in {"", *LANDMARKS}):
            raise ValueError(f"no motion is called {motion} {place}".rstrip())
        self._motion = motion
        if motion == "touch":
            place = place or self._next_landmark()
            if self._fault is HandFault.SWAPPED_LANDMARKS and "shoulder" in place:
                place = "left shoulder" if place == "right shoulder" else "right shoulder"
            landmark_mm, self._touched_from = Body().skin(*LANDMARKS[place])
            self._touched_mm = landmark_mm + self._missing.normal(0.0, TOUCH_SIGMA_MM, 3)

    def _next_landmark(self) -> str:
        """Name one that was not touched yet, in whatever order comes to the hand."""
        self._untouched = self._untouched or self._missing.permutation(list(LANDMARKS)).tolist()
        return self._untouched.pop()

    def poses(self, now_s: float) -> dict[str, RigidTransform | None]:
        """Give ``tracker_from_tool`` at a clock reading."""
        at_s = now_s - self._started_s
        tip_mm = DIVOT_MM.copy()
        turn = Rotation.identity()
        if self._fault is HandFault.SLIDING_TIP:
            tip_mm += 8.0 * np.sin(2 * np.pi * at_s / np.array((1.7, 2.3, 2.9)))
        if self._motion == "pivot" and self._fault is not HandFault.HELD_STILL:
            angles = np.array((35.0, 35.0, 25.0)) * np.sin(2 * np.pi * at_s / np.array((2.1, 3.1, 4.3)))
            turn = Rotation.from_euler("xyz", angles, degrees=True)
        elif self._motion == "spin" and self._fault is not HandFault.HELD_STILL:
            sway = 0.5 * np.sin(2 * np.pi * at_s / np.array((1.3, 1.9)))
            turn = Rotation.from_euler("xyz", (*sway, 120.0 * np.sin(2 * np.pi * at_s / 3.7)), degrees=True)
        elif self._motion == "sweep" and self._fault is not HandFault.HELD_STILL:
            tip_mm += (45.0 * np.sin(2 * np.pi * at_s / 1.9), 2.0 * np.sin(2 * np.pi * at_s / 3.1), 0.0)
        elif self._motion == "swing" and self._fault is not HandFault.HELD_STILL:
            angles = np.array((35.0, 35.0, 100.0)) * np.sin(2 * np.pi * at_s / np.array((2.9, 4.1, 5.3)))
            turn = Rotation.from_euler("xyz", angles, degrees=True)
        tracker_from_tip = RigidTransform(
            to=Frame.TRACKER, from_=Frame.TIP, rotation=turn.as_matrix(), translation_mm=tip_mm
        )
        marker = TRACKER_FROM_REFERENCE
        if self._motion in {"touch", "draw"}:
            touched = (self._touched_mm, self._touched_from)
            patient_from_tip = _held_to(*(touched if self._motion == "touch" else _drawn(at_s)))
            tracker_from_tip = marker @ PATIENT_FROM_REFERENCE.inverse @ patient_from_tip
        if self._fault is HandFault.SLIPPED_REFERENCE:
            pushed_mm = marker.translation_mm + np.array((15.0, 0.0, 0.0))
            marker = RigidTransform(
                to=marker.to, from_=marker.from_, rotation=marker.rotation, translation_mm=pushed_mm
            )
        seen = RigidTransform(
            to=marker.to, from_=Frame.TOOL, rotation=marker.rotation, translation_mm=marker.translation_mm
        )
        return {PROBE_TOOL: tracker_from_tip @ TOOL_FROM_TIP.inverse, PATIENT_TOOL: seen}

    def events(self, start_s: float, end_s: float) -> int:
        """Events that the probe tells between two clock readings, ``delay_s`` after they happened."""
        middles_s = start_s + (end_s - start_s) * (np.arange(5) + 0.5) / 5 - self._delay_s
        rates_cps = [self._rate_cps(at_s) for at_s in middles_s]
        return int(self._rng.poisson(np.mean(rates_cps) * (end_s - start_s)))

    def _rate_cps(self, at_s: float) -> float:
        tool = self.poses(at_s)[PROBE_TOOL]
        if tool is None:
            return 0.0
        tip = tool @ TOOL_FROM_TIP
        source_mm = tip.inverse.points_mm(SOURCE_MM[None])
        if self._fault is HandFault.BENT_HEAD:
            source_mm = Rotation.from_euler("y", -BENT_DEG, degrees=True).apply(source_mm)
        return self._physics.rate_cps(source_mm, np.ones(1), np.zeros(1))


def _drawn(at_s: float) -> tuple[np.ndarray, np.ndarray]:
    """Give a place of the tip that is drawn over the front of the body, and the outward normal there."""
    across, along = np.sin(2 * np.pi * at_s / np.array((5.3, 8.7)))
    return Body().skin(0.75 * float(across), 75.0 * float(along))


def _held_to(place_mm: np.ndarray, outward: np.ndarray) -> RigidTransform:
    """Hold the tip to a place of the skin, leaning by ``LEAN_DEG``: ``patient_from_tip``."""
    headwards = np.array((0.0, 0.0, 1.0))
    lean = np.radians(LEAN_DEG)
    ahead = -np.cos(lean) * outward + np.sin(lean) * headwards
    up = np.sin(lean) * outward + np.cos(lean) * headwards
    rotation = np.column_stack((np.cross(up, ahead), up, ahead))
    return RigidTransform(to=Frame.PATIENT, from_=Frame.TIP, rotation=rotation, translation_mm=place_mm)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolBench:
    """The running bench: the hand is a rig, the tracker says where its tool is, the probe what it counts.

    Attributes
    ----------
    hand, tracker
        The rig and the server.
    probe
        URL of the probe's port.

    """

    hand: Hand
    tracker: SimulatedTracker
    probe: str


@asynccontextmanager
async def open_tool_bench(
    folder: Path, *, rng: np.random.Generator, clock: Clock, fault: HandFault | None = None
) -> AsyncIterator[ToolBench]:
    """Set up a hand with an Amptek probe before an OpenIGTLink tracker; ``folder`` takes the port's link."""
    hand = Hand(started_s=clock(), rng=rng, fault=fault)
    instrument = SimulatedAmptek(
        hand.events, powered_at_s=clock(), rng=rng, dead_time_s=ProbePhysics().dead_time_s
    )
    async with (
        serve_tracker(
            hand.poses,
            rng=rng,
            position_sigma_mm=POSITION_SIGMA_MM,
            rotation_sigma_deg=ROTATION_SIGMA_DEG,
            clock=clock,
        ) as tracker,
        open_pty_port(instrument, folder / "probe", clock=clock, answer_s=ANSWER_S) as port,
    ):
        yield ToolBench(hand=hand, tracker=tracker, probe=port.url)
