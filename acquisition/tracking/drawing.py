"""The tip drawn over the patient: her skin holds the registration where landmarks alone do not."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri

from acquisition.quality.results import Figure, StepResult, failure
from acquisition.tracking.following import Follower, Pose, Progress, Screen
from acquisition.tracking.judging import CHANCE, Found
from acquisition.tracking.operator import Motion, Move, Operator
from acquisition.tracking.settings import RegistrationSettings
from navigation.calibration.on_skin import doubt_landmarks
from navigation.calibration.surface import Evidence, register_surface, thinned
from navigation.errors import NavigationError
from navigation.frames import Frame
from navigation.tissue import Tissue
from navigation.transforms import RigidTransform

NAME = "skin"


async def draw(
    follower: Follower, operator: Operator, tool: str, settings: RegistrationSettings, screen: Screen
) -> NDArray[np.float64]:
    """Have the tip drawn over the skin; returns where it was, frame ``REFERENCE``, shape (N, 3).

    Raises
    ------
    DeviceError
        Where the tracker failed.

    """
    instruction = f"Draw the tip of {tool} over the skin around the target, always touching it"
    await operator.ready(Move(motion=Motion.DRAW, instruction=instruction))

    def progress(poses: Sequence[Pose]) -> Progress:
        lasted_s = poses[-1].at_s - poses[0].at_s if poses else 0.0
        words = f"{lasted_s:.0f} s of {settings.draw_s:.0f} s"
        return Progress(share=min(1.0, lasted_s / settings.draw_s), words=words)

    poses = await follower.collect(
        Frame.REFERENCE,
        Frame.TIP,
        progress=progress,
        longest_s=settings.draw_s + settings.longest_s,
        screen=screen,
    )
    return thinned([pose.transform.translation_mm for pose in poses] or np.empty((0, 3)))


def judge_skin(
    found: Found, drawn_mm: NDArray[np.float64], skin: Tissue, settings: RegistrationSettings
) -> tuple[Found | None, StepResult]:
    """Judge drawn points with the landmarks that passed; the registration by both is there where they agree."""
    limit = f"points {3 * settings.skin_mm:g} mm RMS from the skin at most, and in one place only"
    if doubt := doubt_landmarks(found.patient_mm, skin):
        return None, failure(NAME, limit, doubt)
    evidence = Evidence(
        landmarks_mm=found.patient_mm,
        touched_mm=found.reference_mm,
        fle_mm=settings.fle_mm,
        drawn_mm=drawn_mm,
        sigma_mm=settings.skin_mm,
    )
    try:
        laid = register_surface(evidence, skin, found.registration.patient_from_reference)
    except NavigationError as exc:
        return None, failure(NAME, limit, str(exc))
    figures = (
        Figure(name="from the skin", value=laid.residual_mm, unit="mm RMS"),
        Figure(name="points", value=laid.points, unit=f"of {len(drawn_mm)}"),
        Figure(name="moved by", value=laid.moved_mm, unit="mm RMS"),
        Figure(name="starts that agree", value=100 * laid.share_converged, unit="%"),
    )
    if _contradicts(found, laid.patient_from_reference, settings):
        reason = (
            f"the skin lies {laid.moved_mm:.1f} mm from where the landmarks put it, further than they can be "
            "wrong: were they marked in this study, RAS or LPS as their file says, and is she lying as in the CT?"
        )
        return None, failure(NAME, limit, reason, *figures)
    reason = f"the skin moved it by {laid.moved_mm:.1f} mm, and fits to {laid.residual_mm:.1f} mm"
    registration = replace(found.registration, patient_from_reference=laid.patient_from_reference)
    by_both = replace(found, registration=registration, error=laid.error)
    return by_both, StepResult(name=NAME, passed=True, figures=figures, limit=limit, reason=reason)


def _contradicts(found: Found, patient_from_reference: RigidTransform, settings: RegistrationSettings) -> bool:
    """Whether a motion leaves the landmarks further apart than their assumed error does by chance.

    Half a turn of a patient who lies evenly about the axis of the study's coordinates shows in nothing else: the
    skin of her back is drawn onto that of her front.
    """
    away_mm = patient_from_reference.points_mm(found.reference_mm) - found.patient_mm
    squares = float(np.sum(away_mm**2)) / (settings.fle_mm**2 / 3)
    return squares > float(chdtri(away_mm.size, CHANCE))
