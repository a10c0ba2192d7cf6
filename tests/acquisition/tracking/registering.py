"""Landmarks of the simulated patient, and points touched near them."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from acquisition.tracking.landmark_plan import LandmarkPlan, read_plan
from acquisition.tracking.settings import RegistrationSettings
from simulators.theatre import PATIENT_FROM_REFERENCE
from simulators.tool_bench import write_markups

SETTINGS = RegistrationSettings(file=Path("registration.json"))


def plan(folder: Path) -> LandmarkPlan:
    path = folder / "landmarks.mrk.json"
    write_markups(path)
    return read_plan(path)


def touched(planned: LandmarkPlan, *, sigma_mm: float = 0.8, seed: int = 1) -> NDArray[np.float64]:
    """Points of frame ``REFERENCE``."""
    noise_mm = np.random.default_rng(seed).normal(0.0, sigma_mm, planned.patient_mm.shape)
    return PATIENT_FROM_REFERENCE.inverse.points_mm(planned.patient_mm + noise_mm)
