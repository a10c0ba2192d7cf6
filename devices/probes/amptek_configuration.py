"""Amptek DP5 family: settings read back as text, and the energy window, ours or the instrument's own.

A setting is four letters (DP5 Programmer's Guide Rev A7). Asked for by its letters (20 03) it comes back with its
value (82 07)::

    GAIN;MCAC;              GAIN=10.000;MCAC=256;
    SCAI=2;SCAL;SCAH;       SCAI=2;SCAL=126;SCAH=154;    first and last channel of single-channel analyser 2

Settings are read, never written: who sets an instrument up does so with Amptek's DPPMCA.
"""

import math
import re
from collections.abc import Iterable
from typing import Annotated, Final, Self

from pydantic import Field, StringConstraints, model_validator

from devices.errors import FrameError
from devices.probes.amptek_packets import GREATEST_REQUEST
from devices.probes.settings import PolledSettings

VALUE: Final = re.compile(r"([A-Z0-9]{4})=([^;=]*)")
GREATEST_CHANNEL: Final = 8191

Key = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9]{3}$")]
"""A setting's name, as DPPMCA writes it."""


def ask_settings(keys: Iterable[str]) -> bytes:
    """Write the payload of a request; ``SCAI=n`` among the settings chooses an analyser for those behind it."""
    return "".join(f"{key};" for key in keys).encode()


def read_settings(payload: bytes) -> dict[str, str]:
    """Read the answer's payload; ``FrameError`` for what is no list of settings."""
    text = payload.decode("ascii", "replace").rstrip("\0")
    found = [VALUE.fullmatch(part.strip()) for part in text.split(";") if part.strip()]
    told = {match[1]: match[2].strip() for match in found if match is not None}
    if len(told) < len(found):
        raise FrameError(f"no settings of an Amptek: {text[:80]!r}", payload)
    return told


def is_same_value(wanted: str, told: str) -> bool:
    """Say whether two values mean the same: 10.0 and 10.000, off and OFF."""
    try:
        return math.isclose(float(wanted), float(told), rel_tol=1e-6)
    except ValueError:
        return wanted.strip().upper() == told.strip().upper()


class ConfiguredSettings(PolledSettings):
    """What of an Amptek's entry in the site file tells its window and how it must be set up.

    Attributes
    ----------
    window_kev
        Lowest and highest energy that counts, keV; needs ``energy_kev_per_channel``.
    energy_kev_per_channel, energy_offset_kev
        Energy calibration: channel n is ``offset + n * slope``, keV.
    window_channels
        First and last channel that count, instead of ``window_kev``.
    window_sca
        Number of the instrument's own single-channel analyser. Alone: its channels count. Beside a window: it must
        pass the same ones, or the instrument is refused, since whoever listens to its output counts another thing.
    configuration
        Settings that the instrument must have, as it writes them: a gain or a threshold of another calibration is
        refused.

    """

    window_kev: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]] | None = None
    energy_kev_per_channel: float | None = Field(default=None, gt=0)
    energy_offset_kev: float = 0.0
    window_channels: tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(le=GREATEST_CHANNEL)]] | None = None
    window_sca: int | None = Field(default=None, ge=1, le=16)
    configuration: dict[Key, str] = Field(default={}, max_length=GREATEST_REQUEST // 5)

    @model_validator(mode="after")
    def _measures_what_it_loses(self) -> Self:
        if self.extending_dead_time_s:
            raise ValueError(
                "extending_dead_time_s: an Amptek measures what it loses, of either kind, and its live time "
                "holds it; leave it out, and see that the fast threshold (THFA) lies above the noise"
            )
        return self

    @model_validator(mode="after")
    def _one_window(self) -> Self:
        if self.window_kev is not None and self.window_channels is not None:
            raise ValueError("give either window_kev or window_channels")
        if self.window_kev is None and self.window_channels is None and self.window_sca is None:
            raise ValueError("give either window_kev or window_channels, or window_sca")
        if self.window_kev is not None and self.energy_kev_per_channel is None:
            raise ValueError("window_kev needs energy_kev_per_channel")
        if self.window() is not None and not self.window():
            raise ValueError("the window holds no channel: its first number must be the lower one")
        return self

    def window(self) -> range | None:
        """Channels that count; None where the instrument's own analyser says which."""
        if self.window_channels is not None:
            first, last = self.window_channels
            return range(first, last + 1)
        if self.window_kev is None or self.energy_kev_per_channel is None:
            return None
        low, high = (
            (energy_kev - self.energy_offset_kev) / self.energy_kev_per_channel for energy_kev in self.window_kev
        )
        return range(max(math.ceil(low), 0), math.floor(high) + 1)

    @property
    def window_said(self) -> str:
        """The window in channels, or the instrument's own analyser that makes it; empty where it is in keV."""
        if self.window_channels is not None:
            first, last = self.window_channels
            return f"channels {first} to {last}"
        return f"its own analyser {self.window_sca}" if self.window_kev is None else ""

    @property
    def keys(self) -> tuple[str, ...]:
        """Settings that are to be read back; none where the site file wants none."""
        analyser = () if self.window_sca is None else (f"SCAI={self.window_sca}", "SCAL", "SCAH")
        return (*self.configuration, *analyser)

    def refuse(self, told: dict[str, str]) -> str:
        """Say in words what the instrument's settings speak against; empty where nothing does."""
        for key, wanted in self.configuration.items():
            if key not in told or not is_same_value(wanted, told[key]):
                return (
                    f"{key} is {told.get(key, 'not told')}, the site file says {wanted}: load its settings with "
                    "DPPMCA, or correct configuration and calibrate anew"
                )
        if self.window_sca is None:
            return ""
        named = told.get("SCAI", "not named")
        if not is_same_value(str(self.window_sca), named):
            return (
                f"it tells the window of analyser {named} where {self.window_sca} was asked for: give window_sca "
                "a number that its firmware has, or window_channels instead"
            )
        passed, window = self.analysed(told), self.window()
        if passed is None:
            return f"its analyser {self.window_sca} has no window (SCAL, SCAH): set it with DPPMCA"
        if window is not None and window != passed:
            return (
                f"its analyser {self.window_sca} passes channels {passed.start} to {passed.stop - 1}, the window "
                f"has {window.start} to {window.stop - 1}: set SCAL and SCAH with DPPMCA, or correct the window"
            )
        return ""

    def analysed(self, told: dict[str, str]) -> range | None:
        """Channels that the instrument's analyser passes, by its settings; None where they tell none."""
        low, high = told.get("SCAL", ""), told.get("SCAH", "")
        if not (low.isdecimal() and high.isdecimal() and int(low) <= int(high)):
            return None
        return range(int(low), int(high) + 1)
