"""A hand that moves a tracked tool before a camera as it is asked: tilts it in a divot, turns it about its shaft.

What goes wrong in hands is there too: a tool held still, a tip that slides.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy.spatial.transform import Rotation

from devices.clock import Clock
from navigation.frames import Frame
from navigation.transforms import RigidTransform
from simulators.theatre import PROBE_TOOL, TOOL_FROM_TIP
from simulators.trackers.openigtlink import SimulatedTracker, serve_tracker

DIVOT_MM = np.array((80.0, -40.0, -1300.0))
"""Where the divot stands before the camera."""

POSITION_SIGMA_MM, ROTATION_SIGMA_DEG = 0.1, 0.1
"""Noise of an optical tracker on each axis (NDI Polaris: 0.12 mm RMS in space for a sphere)."""


class HandFault(StrEnum):
    """What goes wrong in a hand."""

    HELD_STILL = "held-still"
    """The tool is not moved."""
    SLIDING_TIP = "sliding-tip"
    """The tip leaves the divot, up to 8 mm."""


class Hand:
    """The hand and its tool.

    Parameters
    ----------
    started_s
        Clock reading at which its time is zero.
    fault
        What it does wrongly.

    """

    def __init__(self, *, started_s: float, fault: HandFault | None = None) -> None:
        self._started_s = started_s
        self._fault = fault
        self._motion = ""

    def move(self, motion: str) -> None:
        """Begin a motion: ``pivot`` or ``spin``.

        Raises
        ------
        ValueError
            Where it knows no such motion.

        """
        if motion not in {"pivot", "spin"}:
            raise ValueError(f"no motion is called {motion}")
        self._motion = motion

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
        tracker_from_tip = RigidTransform(
            to=Frame.TRACKER, from_=Frame.TIP, rotation=turn.as_matrix(), translation_mm=tip_mm
        )
        return {PROBE_TOOL: tracker_from_tip @ TOOL_FROM_TIP.inverse}


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolBench:
    """The running bench: the hand is a rig, the tracker says where its tool is."""

    hand: Hand
    tracker: SimulatedTracker


@asynccontextmanager
async def open_tool_bench(
    *, rng: np.random.Generator, clock: Clock, fault: HandFault | None = None
) -> AsyncIterator[ToolBench]:
    """Set up a hand with a tool before an OpenIGTLink tracker."""
    hand = Hand(started_s=clock(), fault=fault)
    async with serve_tracker(
        hand.poses,
        rng=rng,
        position_sigma_mm=POSITION_SIGMA_MM,
        rotation_sigma_deg=ROTATION_SIGMA_DEG,
        clock=clock,
    ) as tracker:
        yield ToolBench(hand=hand, tracker=tracker)
