"""What every probe's entry in the site file has."""

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from devices.links import PortUrl


class ProbeSettings(BaseModel):
    """Fields shared by all probes; each driver adds its own, and its ``driver`` name.

    Attributes
    ----------
    port
        ``/dev/serial/by-id/…`` (does not move when cables do), ``/dev/ttyUSB0``, or ``socket://host:port``.
    label
        What people call the probe.
    silence_s
        Longest time between readings, s; after it the probe is shown as silent and opened again. Bounded, for
        page and server take it as the age at which a reading is stale, and nothing old looks live for a second.
    tool
        Name of the tracked tool that carries the probe; none for a probe that is not tracked.
    dead_time_s
        Non-paralysable dead time per event that the instrument does not correct for, s.
    extending_dead_time_s
        Paralysable dead time per event that it does not correct for, s; behind the other where there are both.
        ``acquire calibrate`` finds which kind a probe has.
    response
        Calibration file that ``acquire`` wrote for this probe.

    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    port: PortUrl
    label: str = ""
    silence_s: float = Field(default=0.8, gt=0, le=0.9)
    tool: str | None = None
    dead_time_s: float = Field(default=0.0, ge=0)
    extending_dead_time_s: float = Field(default=0.0, ge=0)
    response: Path | None = None

    @property
    def window_said(self) -> str:
        """The window in words, where it is set in other numbers than keV; empty where it is not."""
        return ""

    @property
    def tray_said(self) -> str:
        """Where it has what it counts, in words; empty: before its tip."""
        return ""

    @property
    def streams(self) -> bool:
        """Whether readings come all the time, and not finished counts now and then."""
        return True

    @property
    def stale_after_s(self) -> float | None:
        """Age at which its readings are stale, s; None: of what does not stream the display's holds."""
        return self.silence_s if self.streams else None

    @property
    def opening_s(self) -> float:
        """Longest time to open the link and learn who answers, s."""
        return 5.0


class PolledSettings(ProbeSettings):
    """What a probe's entry has besides where it is asked for each reading.

    Attributes
    ----------
    interval_s
        Time from poll to poll, s.
    answer_s
        Longest wait for an answer, s; then it is asked again. With ``interval_s`` it stays below ``silence_s``, so
        that an answer lost on the line is asked for again before the probe counts as silent and is opened, and so
        cleared, anew.

    """

    interval_s: float = Field(default=0.1, gt=0, le=10)
    answer_s: float = Field(default=0.25, gt=0)

    @model_validator(mode="after")
    def _asked_again_before_silent(self) -> Self:
        if self.interval_s + self.answer_s >= self.silence_s:
            raise ValueError(
                f"interval_s + answer_s ({self.interval_s:g} + {self.answer_s:g} s) must be below silence_s "
                f"({self.silence_s:g} s), or a lost answer looks like a probe that is gone before it is asked "
                "for again: shorten one of them"
            )
        return self
