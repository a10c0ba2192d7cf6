"""What a simulated tracker measures: where its tools are, and its noise about that."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np

from navigation.frames import Frame
from navigation.transforms import RigidTransform

Poses: TypeAlias = Callable[[float], Mapping[str, RigidTransform | None]]
"""Gives each tool's ``tracker_from_tool`` at a time of the clock, s; None for one that is out of sight."""


def measure(
    pose: RigidTransform, *, position_sigma_mm: float, rotation_sigma_rad: float, rng: np.random.Generator
) -> RigidTransform:
    """Give a pose with normal noise in position, and in rotation about each of the tool's axes."""
    turn_rad, shift_mm = rng.normal(0.0, rotation_sigma_rad, 3), rng.normal(0.0, position_sigma_mm, 3)
    if not position_sigma_mm and not rotation_sigma_rad:
        return pose
    turned = RigidTransform.from_quaternion((1.0, *(turn_rad / 2)), np.zeros(3), to=Frame.TOOL, from_=Frame.TOOL)
    return RigidTransform(
        to=pose.to,
        from_=pose.from_,
        rotation=pose.rotation @ turned.rotation,
        translation_mm=pose.translation_mm + shift_mm,
    )
