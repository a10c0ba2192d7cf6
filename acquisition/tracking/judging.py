"""What touched landmarks say: which is which, where the patient lies, and how wrong that may be at a target."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri

from acquisition.quality.results import Figure, StepResult, failure
from acquisition.tracking.landmark_plan import LandmarkPlan
from acquisition.tracking.settings import RegistrationSettings
from navigation.calibration.landmarks import LandmarkRegistration, register_landmarks
from navigation.calibration.matching import Matching, match_landmarks
from navigation.errors import NavigationError
from navigation.registration_error import RegistrationError

Array = NDArray[np.float64]

NAME = "registration"

GREATEST_PAIR = 3.5
"""Localisation errors that a pair may lie apart: fewer than one in a thousand lies further."""

CHANCE = 0.001
"""A residual that chance leaves less often is of a wrong landmark, or of an error that is larger than assumed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A registration that passed.

    Attributes
    ----------
    names
        Of the landmarks that were used.
    patient_mm, reference_mm
        Where they are in the patient, and where they were touched, shapes (N, 3).
    registration, error
        The motion, and how far it may be wrong.

    """

    names: tuple[str, ...]
    patient_mm: Array
    reference_mm: Array
    registration: LandmarkRegistration
    error: RegistrationError


def judge_registration(
    plan: LandmarkPlan, touched_mm: Array, settings: RegistrationSettings, *, tip_mm: Array | None = None
) -> tuple[Found | None, StepResult]:
    """Judge points (M, 3) of frame ``REFERENCE``, touched in the plan's order or in any, some too many or missing.

    ``tip_mm`` is where the tip is now, frame ``REFERENCE``: the error is told there too.
    """
    limit = f"predicted error at most {settings.greatest_tre_mm:g} mm RMS at each target"
    try:
        matching = _matched(plan, touched_mm, settings)
        ours, theirs = matching.pairs.T
        patient_mm, reference_mm = plan.patient_mm[ours], touched_mm[theirs]
        registration = register_landmarks(patient_mm, reference_mm)
        error = RegistrationError.of_landmarks(patient_mm, fle_mm=settings.fle_mm)
    except NavigationError as exc:
        return None, failure(NAME, limit, str(exc))
    names = tuple(plan.names[one] for one in ours)
    places = dict(plan.targets_mm) or {"the landmarks' middle": patient_mm.mean(axis=0)}
    errors_mm = {name: error.at(place_mm) for name, place_mm in places.items()}
    if tip_mm is not None:
        errors_mm["the tip"] = error.at(registration.patient_from_reference.points_mm(tip_mm))
    figures = _figures(errors_mm, registration, names)
    if reason := _misfit(registration, names, settings):
        return None, failure(NAME, limit, reason, *figures)
    worst, worst_mm = max(errors_mm.items(), key=lambda each: each[1])
    if worst_mm > settings.greatest_tre_mm:
        reason = (
            f"{worst_mm:.1f} mm are to be expected at {worst}: add landmarks around it, and far from each other"
        )
        return None, failure(NAME, limit, reason, *figures)
    found = Found(
        names=names, patient_mm=patient_mm, reference_mm=reference_mm, registration=registration, error=error
    )
    words = [_graded(worst, worst_mm, settings), *_remarks(plan, touched_mm, matching, registration, settings)]
    return found, StepResult(name=NAME, passed=True, figures=figures, limit=limit, reason="; ".join(words))


def _matched(plan: LandmarkPlan, touched_mm: Array, settings: RegistrationSettings) -> Matching:
    """Pair what can be paired; where that fails in the plan's own order, the mistake has a name."""
    is_whole = len(touched_mm) == len(plan.names)
    try:
        found = match_landmarks(plan.patient_mm, touched_mm, tolerance_mm=GREATEST_PAIR * settings.fle_mm)
    except NavigationError:
        if is_whole:
            register_landmarks(plan.patient_mm, touched_mm)
        raise
    if len(found.pairs) < min(len(plan.names), len(touched_mm)) and is_whole:
        register_landmarks(plan.patient_mm, touched_mm)
    if found.is_ambiguous:
        in_order = np.stack([np.arange(len(plan.names))] * 2, axis=1)
        for pairs in (found.pairs, *found.rivals):
            if is_whole and np.array_equal(pairs, in_order):
                return Matching(pairs=in_order, fre_mm=found.fre_mm, rivals=found.rivals)
        raise NavigationError(
            f"{len(found.rivals) + 1} ways to pair the points with the landmarks fit alike: touch them in order, "
            "or add one that breaks the symmetry"
        )
    return found


def _misfit(registration: LandmarkRegistration, names: tuple[str, ...], settings: RegistrationSettings) -> str:
    """Say that the landmarks fit worse than their assumed error allows; empty where they fit."""
    count = len(names)
    squares = count * registration.fre_mm**2 / (settings.fle_mm**2 / 3)
    if squares <= chdtri(3 * count - 6, CHANCE):
        return ""
    left_out = registration.left_out_mm
    doubted = ""
    if np.isfinite(left_out).any():
        worst = int(np.nanargmax(left_out))
        doubted = f"; most doubtful is {names[worst]}, {left_out[worst]:.1f} mm from where the others put it"
    return f"the landmarks fit to {registration.fre_mm:.1f} mm only: one was moved, or is another one{doubted}"


def _graded(worst: str, worst_mm: float, settings: RegistrationSettings) -> str:
    called = "very good" if worst_mm <= settings.greatest_tre_mm / 2 else "good"
    return f"{called}: {worst_mm:.1f} mm are to be expected at {worst}"


def _remarks(
    plan: LandmarkPlan,
    touched_mm: Array,
    matching: Matching,
    registration: LandmarkRegistration,
    settings: RegistrationSettings,
) -> list[str]:
    remarks = []
    ours, theirs = matching.pairs.T.tolist()
    exchanged = [plan.names[one] for one, other in zip(ours, theirs, strict=True) if one != other]
    is_whole = len(touched_mm) == len(plan.names) == len(ours)
    if is_whole and exchanged:
        called = "swapped" if len(exchanged) == 2 else "touched in another order"
        remarks.append(f"{' and '.join(exchanged)} were {called}, and were told apart by their distances")
    if missing := [name for n, name in enumerate(plan.names) if n not in ours]:
        remarks.append(f"without {', '.join(missing)}, which no point fits")
    if strange := len(touched_mm) - len(theirs):
        remarks.append(f"{strange} points fit no landmark and were left out")
    if matching.is_ambiguous:
        remarks.append("other orders fit alike: that they were touched in order was taken for granted")
    if registration.least_extent_mm < settings.least_extent_mm:
        extent = f"{registration.least_extent_mm:.0f} mm"
        remarks.append(f"the landmarks lie near one line ({extent}): the turn about it is hardly known")
    return remarks


def _figures(
    errors_mm: Mapping[str, float], registration: LandmarkRegistration, names: tuple[str, ...]
) -> tuple[Figure, ...]:
    figures = [Figure(name=f"error at {name}", value=value, unit="mm") for name, value in errors_mm.items()]
    figures.append(Figure(name="left between the landmarks", value=registration.fre_mm, unit="mm RMS"))
    figures.append(Figure(name="smallest axis", value=registration.least_extent_mm, unit="mm"))
    for name, left_mm in zip(names, registration.left_out_mm.tolist(), strict=True):
        if np.isfinite(left_mm):
            figures.append(Figure(name=f"{name}, left out", value=left_mm, unit="mm"))
    return tuple(figures)
