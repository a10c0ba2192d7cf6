"""What is asked of a calibration over HTTP, and how it stands."""

from typing import Annotated, Any, Literal, TypeAlias

from msgspec import Meta, Struct

StepName: TypeAlias = Literal["tool", "axis", "timing", "register", "verify"]
LyingName: TypeAlias = Literal["supine", "prone", "left", "right"]
PhaseName: TypeAlias = Literal["idle", "working", "waiting", "measuring", "judging", "accepting", "ended"]


class InstallRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of ``POST /v1/calibrations/tool``, ``…/axis`` and ``…/timing``, empty: all stands in the site file."""


class RegisterRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of ``POST /v1/calibrations/register``: the patient of the study in use, by landmarks."""

    landmarks: Annotated[
        dict[str, Any], Meta(description="Content of the .mrk.json that 3D Slicer wrote of this study.")
    ]
    points: Annotated[
        Annotated[int, Meta(ge=3, le=12)] | None,
        Meta(description="So many are touched in any order; null: each by its name."),
    ] = None
    with_skin: Annotated[bool, Meta(description="The tip is drawn over the skin of her CT too.")] = False
    lies: Annotated[
        LyingName,
        Meta(
            description="How she lies on the table: on her back, front, left or right side. The tip comes from "
            "above; where it does not, her landmarks are turned by half, as RAS saved as LPS are."
        ),
    ] = "supine"


class VerifyRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of ``POST /v1/calibrations/verify``: a landmark of the registration in use is touched again."""

    landmark: str


class CalibrationAct(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of ``POST /v1/calibrations/<step>/acts``: what a person says in the one that is under way."""

    act: Annotated[
        Literal["continue", "repeat", "end"],
        Meta(
            description="Begin the motion, go on without it where it failed, or use what passed; make it again; "
            "end it all, and discard what passed."
        ),
    ]
    seq: Annotated[
        int | None,
        Meta(description="Of the CalibrationState that is answered; refused where it asks something else by now."),
    ] = None


class LandmarkList(Struct, frozen=True, kw_only=True):
    """Answer to ``GET /v1/calibrations/landmarks``: what a check of the registration in use can touch."""

    names: Annotated[tuple[str, ...], Meta(description="Empty where nothing is registered.")]
    trouble: Annotated[str, Meta(description="Why they cannot be read; empty where they were.")]


class VerdictFigure(Struct, frozen=True, kw_only=True):
    """A number that was measured."""

    name: str
    value: float
    unit: str
    sigma: float | None


class Verdict(Struct, frozen=True, kw_only=True):
    """What was said of a motion."""

    name: str
    passed: bool
    figures: tuple[VerdictFigure, ...]
    limit: str
    reason: str
    attempts: int


class CalibrationState(Struct, frozen=True, kw_only=True):
    """Answer to ``GET /v1/calibrations``: how the newest stands."""

    seq: Annotated[int, Meta(ge=0, description="Grows with each change.")]
    simulated: bool
    step: Annotated[StepName | None, Meta(description="Null before the first.")]
    phase: PhaseName
    instruction: Annotated[str, Meta(description="What the person is to do; empty for nothing.")]
    share: Annotated[float, Meta(ge=0, le=1, description="Of the motion that is made.")]
    words: Annotated[str, Meta(description="How far it is, in words.")]
    results: tuple[Verdict, ...]
    passed: Annotated[bool | None, Meta(description="Null until it has ended.")]
    reason: Annotated[str, Meta(description="What came of it.")]
