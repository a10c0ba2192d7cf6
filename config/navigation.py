"""The table of the site file that says which probe and tracker navigate, and what joins them to the patient."""

from pathlib import Path
from typing import Annotated, Self

import numpy as np
from pydantic import AfterValidator, Field, model_validator

from acquisition.tracking.settings import AccuracySettings, RegistrationSettings, TimingSettings, TipSettings
from config.section import Section
from navigation.errors import NavigationError
from navigation.frames import Frame
from navigation.registration_error import RegistrationError
from navigation.transforms import RigidTransform

Row = tuple[float, float, float, float]
Rows = tuple[Row, Row, Row, Row]


def _checked_matrix(rows: Rows) -> Rows:
    try:
        RigidTransform.from_matrix(rows, to=Frame.PATIENT, from_=Frame.REFERENCE)
    except NavigationError as exc:
        raise ValueError(str(exc).partition(": ")[2]) from exc
    return rows


Matrix = Annotated[Rows, AfterValidator(_checked_matrix)]
"""A rigid motion as four rows of a homogeneous matrix, mm."""

IDENTITY: Rows = ((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1))


class NavigationSettings(Section):
    """Which probe and tracker navigate, and what joins them to the patient."""

    probe: str = Field(description="Name of the probe in the surgeon's hand.")
    tracker: str = Field(description="Name of the tracker that sees it.")
    reference_tool: str | None = Field(
        default=None,
        description="The tracker's name for the tool fixed to the patient; none: the tracker stands still.",
    )
    tool_from_tip: Matrix = Field(
        default=IDENTITY, description="Where the probe's tip is in its tool, where acquire tool does not say."
    )
    tip: TipSettings | None = Field(
        default=None, description="Where the probe's tip is in its tool, measured by acquire tool."
    )
    patient_from_reference: Matrix | None = Field(
        default=None, description="Where the reference is in the study: from registration. None: not yet known."
    )
    registration: RegistrationSettings | None = Field(
        default=None, description="The same by acquire register, for the patient on the table."
    )
    timing: TimingSettings | None = Field(
        default=None, description="How late counts are behind poses, measured by acquire timing. None: not at all."
    )
    accuracy: AccuracySettings = Field(
        default=AccuracySettings(), description="What the error that is told at the tip rests on."
    )
    landmarks_mm: tuple[tuple[float, float, float], ...] | None = Field(
        default=None, description="Landmarks that it was registered by, in the study: tells its error at the tip."
    )
    fre_mm: float | None = Field(
        default=None, gt=0, description="RMS distance that the registration left at them; goes with landmarks_mm."
    )
    longest_gap_s: float = Field(
        default=0.1, gt=0, le=1, description="Poses further apart are not joined to a count between them."
    )

    def beside(self, folder: Path) -> Self:
        """Take relative paths as relative to ``folder``."""
        tip, registration, timing = self.tip, self.registration, self.timing
        update = {
            "tip": tip and tip.beside(folder),
            "registration": registration and registration.beside(folder),
            "timing": timing and timing.beside(folder),
        }
        return self.model_copy(update=update)

    @model_validator(mode="after")
    def _said_once(self) -> Self:
        if self.tip is not None and "tool_from_tip" in self.model_fields_set:
            raise ValueError("tip and tool_from_tip both say where the tip is: keep the one that was measured")
        if self.registration is not None and self.patient_from_reference is not None:
            raise ValueError("registration and patient_from_reference both register the patient: keep one")
        return self

    @model_validator(mode="after")
    def _knows_its_error_or_not(self) -> Self:
        if (self.landmarks_mm is None) != (self.fre_mm is None):
            raise ValueError("landmarks_mm and fre_mm go together: both tell the registration's error at the tip")
        if self.landmarks_mm is not None and self.fre_mm is not None:
            try:
                RegistrationError.of_residual(np.array(self.landmarks_mm), fre_mm=self.fre_mm)
            except NavigationError as exc:
                raise ValueError(str(exc)) from exc
        return self
