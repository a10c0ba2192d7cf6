"""Spectra of probes that give them, what they are to the keV, and in which window a probe counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Channels = NDArray[np.int64]


class ChannelCounts(Protocol):
    """A spectrum as a driver has it."""

    @property
    def counts(self) -> Sequence[int]:
        """Of each channel, channel 0 first, since the instrument last cleared them."""


@runtime_checkable
class GivesSpectra(Protocol):
    """An open probe that has a spectrum with each reading."""

    @property
    def spectrum(self) -> ChannelCounts | None:
        """The newest one; None before the first."""


@runtime_checkable
class EnergyCalibrated(Protocol):
    """A probe's entry in the site file that says what its channels mean."""

    @property
    def energy_kev_per_channel(self) -> float | None:
        """Width of a channel, keV; None where nobody has said."""

    @property
    def energy_offset_kev(self) -> float:
        """Energy of channel 0, keV."""


@runtime_checkable
class Windowed(Protocol):
    """A probe's entry in the site file that says, if not in keV, in which window it counts."""

    @property
    def window_said(self) -> str:
        """In words; empty where there is none, or where it is in keV."""


@runtime_checkable
class EnergyWindowed(Protocol):
    """One that says so in keV."""

    @property
    def window_kev(self) -> tuple[float, float] | None:
        """Lowest and highest energy that counts, keV; None where it is said otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyScale:
    """Channel n holds the energy ``offset_kev + n * kev_per_channel``."""

    kev_per_channel: float
    offset_kev: float = 0.0

    def energies_kev(self, channels: int) -> NDArray[np.float64]:
        """Energy of each of so many channels."""
        return np.asarray(self.offset_kev + self.kev_per_channel * np.arange(channels), dtype=np.float64)


def energy_scale_of(device: object) -> EnergyScale | None:
    """Find a probe's energy scale in its entry of the site file; None where it has none."""
    if isinstance(device, EnergyCalibrated) and device.energy_kev_per_channel is not None:
        return EnergyScale(kev_per_channel=device.energy_kev_per_channel, offset_kev=device.energy_offset_kev)
    return None


def window_of(device: object) -> str:
    """Say in which window a probe counts by its entry in the site file; empty where every event counts."""
    if isinstance(device, EnergyWindowed) and device.window_kev is not None:
        low_kev, high_kev = device.window_kev
        return f"{low_kev:g} to {high_kev:g} keV"
    return device.window_said if isinstance(device, Windowed) else ""


class SpectrumRise:
    """What a probe's spectrum rises by from reading to reading, across the instrument's clearings."""

    def __init__(self, connection: object) -> None:
        self._giver = connection if isinstance(connection, GivesSpectra) else None
        self._before: Channels | None = None

    def since_last(self) -> Channels | None:
        """Give the rise since the last call; None for the first, and for a probe without spectra."""
        if self._giver is None or (spectrum := self._giver.spectrum) is None:
            return None
        now = np.asarray(spectrum.counts, dtype=np.int64)
        before, self._before = self._before, now
        if before is None:
            return None
        is_cleared = before.shape != now.shape or bool((now < before).any())
        return now if is_cleared else now - before
