"""Landmarks touched with the tip, each held still for a while."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from acquisition.quality.results import StepResult, failure
from acquisition.quality.technologist import Choice
from acquisition.tracking.following import Camera, Follower, Pose, Progress, Screen
from acquisition.tracking.operator import Motion, Move, Operator
from acquisition.tracking.settings import RegistrationSettings
from acquisition.tracking.tool import say_verdict
from navigation.frames import Frame
from navigation.transforms import RigidTransform

Array = NDArray[np.float64]

FEWEST = 10
"""Poses of a touch, at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Touch:
    """Where a landmark was touched and which way the tip looked, its mean while held, frame ``REFERENCE``.

    Attributes
    ----------
    place_mm
        Shape (3,), mm.
    axis
        Unit vector, shape (3,).

    """

    place_mm: Array
    axis: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Hand:
    """What touches the patient, and who she is.

    Attributes
    ----------
    camera, tool_from_tip, serial
        The tracker, where the tip is in its tool, and the number on its marker.
    operator
        Who moves it.
    tip_calibrated_at
        When it was measured where the tip is; None where that was typed in.
    patient_id
        Whose landmarks they are.
    frame_of_reference_uid
        Of her CT that they were marked in; empty where that is not known.
    is_simulated
        Whether tracker and hand are simulated.

    """

    camera: Camera
    tool_from_tip: RigidTransform
    serial: str
    operator: Operator
    patient_id: str
    tip_calibrated_at: datetime | None = None
    frame_of_reference_uid: str = ""
    is_simulated: bool = False


async def touch_all(
    follower: Follower,
    asked: Mapping[str, str],
    hand: Hand,
    *,
    settings: RegistrationSettings,
    console: Console,
    screen: Screen,
) -> tuple[list[Touch], list[StepResult]]:
    """Give each touch; one that failed and was not repeated is left out.

    ``asked`` says what is to be touched, and which landmark that is: the empty string where it may be any.
    """
    touched, failed = list[Touch](), list[StepResult]()
    for name, place in asked.items():
        while True:
            instruction = f"Touch {name} with the tip of {hand.camera.tool} and hold it still"
            await hand.operator.ready(Move(motion=Motion.TOUCH, instruction=instruction, place=place))
            poses = await follower.collect(
                Frame.REFERENCE,
                Frame.TIP,
                progress=lambda poses: touch_progress(poses, settings),
                longest_s=settings.longest_s,
                screen=screen,
            )
            held = _held(poses, settings)
            if touch_progress(poses, settings).share >= 1:
                touched.append(_touch(held))
                break
            result = failure(name, "held still", _not_held(follower, _places(held)))
            say_verdict(result, console)
            if await hand.operator.judge(result) is not Choice.REPEAT:
                failed.append(result)
                break
    return touched, failed


def touch_progress(poses: Sequence[Pose], settings: RegistrationSettings) -> Progress:
    """Say how long the tip has been held still."""
    if len(poses) < FEWEST:
        return Progress(share=0.0, words="wanted: the tip on the landmark")
    held = _places(_held(poses, settings))
    wander_mm = _wander_mm(held)
    since_s = min(settings.hold_s, poses[-1].at_s - poses[0].at_s)
    if len(held) < FEWEST or wander_mm > settings.still_mm:
        return Progress(share=0.0, words=f"hold it still: the tip wanders by {wander_mm:.1f} mm")
    share = since_s / settings.hold_s
    return Progress(
        share=1.0 if share > 0.95 else share, words=f"still for {since_s:.1f} s of {settings.hold_s:g} s"
    )


def _held(poses: Sequence[Pose], settings: RegistrationSettings) -> list[Pose]:
    """Poses over the newest ``hold_s``."""
    newest_s = poses[-1].at_s if poses else 0.0
    return [pose for pose in poses if newest_s - pose.at_s <= settings.hold_s]


def _places(poses: Sequence[Pose]) -> Array:
    return np.array([pose.transform.translation_mm for pose in poses]).reshape(-1, 3)


def _touch(held: Sequence[Pose]) -> Touch:
    ahead = np.mean([pose.transform.rotation[:, 2] for pose in held], axis=0)
    return Touch(place_mm=_places(held).mean(axis=0), axis=ahead / np.linalg.norm(ahead))


def _wander_mm(places: Array) -> float:
    if not len(places):
        return 0.0
    return float(np.sqrt(np.mean(np.sum((places - places.mean(axis=0)) ** 2, axis=1))))


def _not_held(follower: Follower, held: Array) -> str:
    if unseen := follower.unseen():
        if not follower.has_told(unseen):
            return f"the camera never saw {unseen}: check its name and its line of sight"
        return f"the camera does not see {unseen}: clear its line of sight"
    return f"the tip was not held still: it wandered by {_wander_mm(held):.1f} mm"
