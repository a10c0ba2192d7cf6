"""What the site file says of the tip's calibration: where it is kept, and what a good one must keep."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

from navigation.calibration.pivot import LEAST_SPREAD_DEG

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Section(BaseModel):
    """A table of the settings: fixed once read, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TipSettings(Section):
    """Calibration of the probe's tip by ``acquire tool``."""

    file: Path = Field(description="Written by acquire tool, read by radionav.")
    serial: str = Field(default="", description="Engraved on the probe's marker: a file of another is refused.")
    up: tuple[float, float, float] = Field(
        default=(0.0, 1.0, 0.0), description="The way of the probe's up mark, in the tool's own axes."
    )
    valid_days: Positive = Field(default=30.0, description="After them the tip is no longer trusted.")
    spread_deg: float = Field(
        default=20.0, ge=LEAST_SPREAD_DEG, le=60, description="Tilt to all sides, RMS, at which the pivot may end."
    )
    spin_deg: float = Field(default=60.0, ge=25, le=85, description="Turn about the shaft, RMS, likewise.")
    poses: int = Field(default=200, ge=50, description="Poses of either, at least.")
    greatest_sigma_mm: Positive = Field(default=0.2, description="Standard error of the tip that passes.")
    greatest_rms_mm: Positive = Field(default=1.0, description="RMS distance in space from the divot that passes.")
    longest_s: Positive = Field(default=60.0, description="Time for either motion.")
    swing_s: float = Field(
        default=30.0, ge=10, le=120, description="How long the probe is swung about a source, by acquire axis."
    )
    greatest_axis_deg: Positive = Field(
        default=2.0, description="Angle between the axis and the way it counts most that passes: the site's limit."
    )

    def beside(self, folder: Path) -> Self:
        """Take a relative path as relative to ``folder``."""
        return self.model_copy(update={"file": folder / self.file})


class RegistrationSettings(Section):
    """Registration of the patient by ``acquire register``."""

    file: Path = Field(description="Written by acquire register, read by radionav, also while it runs.")
    fle_mm: Positive = Field(
        default=2.0,
        description="How far a touched landmark is from the marked one, RMS in space: known beforehand.",
    )
    greatest_tre_mm: Positive = Field(
        default=5.0, description="Predicted error (RMS) above which a position is not trusted: the site's limit."
    )
    least_extent_mm: Positive = Field(
        default=25.0, description="Landmarks nearer to one line than it, RMS, are warned of."
    )
    still_mm: Positive = Field(default=2.0, description="RMS of the tip's wander while it touches.")
    hold_s: Positive = Field(default=1.0, description="How long it is to be held still.")
    longest_s: Positive = Field(default=60.0, description="Time for one landmark.")
    draw_s: Positive = Field(default=20.0, description="How long the tip is drawn over the skin, with a CT.")
    skin_mm: Positive = Field(default=2.0, description="How far a drawn point is from the CT's skin, RMS.")
    valid_hours: Positive = Field(default=12.0, description="After them the registration is no longer trusted.")
    verify_within_min: Positive | None = Field(
        default=None, description="A check by acquire verify is due so often; none: it is not asked for."
    )

    def beside(self, folder: Path) -> Self:
        """Take a relative path as relative to ``folder``."""
        return self.model_copy(update={"file": folder / self.file})


class AccuracySettings(Section):
    """What the room's error budget rests on."""

    tracker_mm: Positive = Field(default=0.3, description="Of a tool's position, RMS in space.")
    tracker_deg: Positive = Field(default=0.2, description="Of a tool's turn about each axis.")
    tip_mm: Positive | None = Field(
        default=None, description="Of a tool_from_tip that was typed in, RMS in space; acquire tool measures it."
    )
    delay_sigma_s: float = Field(
        default=0.02, ge=0, le=1, description="How well the delay between counts and poses is known."
    )
    tissue_mm: Positive | None = Field(
        default=4.0, description="How far tissue moves between scan and table, RMS in space. None: not known."
    )


class TimingSettings(Section):
    """Delay of the counts behind the poses, by ``acquire timing``."""

    file: Path = Field(description="Written by acquire timing, read by radionav.")
    sweep_s: float = Field(default=20.0, ge=10, le=120, description="How long the probe is moved to and fro.")
    greatest_sigma_ms: Positive = Field(default=2.5, description="Standard error that passes: 5 ms at 95 %.")

    def beside(self, folder: Path) -> Self:
        """Take a relative path as relative to ``folder``."""
        return self.model_copy(update={"file": folder / self.file})
