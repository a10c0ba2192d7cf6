"""What goes over a device's link, counted; and how the device says that it is."""

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What has come over a link since the start, beside what was refused of it.

    Attributes
    ----------
    received_bytes
        Bytes that came.
    frames
        Frames that were cut of them, refused ones included.
    resyncs
        Readings before which something that was counted is lost.
    timeouts
        Answers, and readings, that did not come in their time.

    """

    received_bytes: int = 0
    frames: int = 0
    resyncs: int = 0
    timeouts: int = 0

    def __add__(self, other: Self) -> "Traffic":
        """Give both together."""
        return Traffic(
            received_bytes=self.received_bytes + other.received_bytes,
            frames=self.frames + other.frames,
            resyncs=self.resyncs + other.resyncs,
            timeouts=self.timeouts + other.timeouts,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What a device says of itself; None where it does not say.

    Attributes
    ----------
    told_at_s
        When it said so last, host monotonic clock, s.
    battery_v
        Its battery's voltage, V.
    is_battery_low
        Whether it asks for another one.
    is_alarming
        Whether an alarm of its own is on: it has thresholds of its own.
    board_degc, detector_degc
        Temperatures of its electronics and of its detector, degrees Celsius.
    high_voltage_v
        Bias of its detector, V.

    """

    told_at_s: float
    battery_v: float | None = None
    is_battery_low: bool | None = None
    is_alarming: bool | None = None
    board_degc: float | None = None
    detector_degc: float | None = None
    high_voltage_v: float | None = None
