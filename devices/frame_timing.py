"""When a device's numbered frames were taken: a line fitted to their numbers and the times at which they came.

A frame's number counts the device's own clock, which is steady; the time at which it comes wobbles with the wire
and the host. The line through the newest of both (ordinary least squares, evaluated at the frame's number) takes
the wobble out. It says nothing of the constant delay from measuring to arriving, which only a calibration tells.
"""

import math
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass

KEPT_FRAMES = 60
"""One second of a camera at 60 Hz."""
LEAST_FRAMES = 5
"""Fewer than these tell no line: a frame is then taken to be of the time at which it came."""
LONGEST_STEP = 60
"""Frames left out, beyond which the line is begun anew."""
GREATEST_DEVIATION_S = 0.1
"""A frame that comes so far from the line did not wobble: a clock jumped, or the numbers count something else."""
SMALLEST_STEP_S = 1e-5
"""Frames keep their order, whatever the fits say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameTiming:
    """How well the times of a device's frames are known.

    Attributes
    ----------
    jitter_s
        Standard deviation of the times at which the newest ``KEPT_FRAMES`` frames came, about the line through
        them; None until there is a line. A frame that came late a second ago is no part of it any more, and what
        wanders more slowly than that the line follows: over longer times frames may wobble by more.
    uncertainty_s
        Standard deviation of the newest frame's fitted time; None until there is a line.
    interval_s
        From frame to frame by the line; None until there is a line.
    dropped
        Frames that never came, by their numbers.
    duplicates
        Answers with a frame that had come.
    restarts
        How often the line was begun anew.
    reason
        Why it was, last; empty where it never was.

    """

    jitter_s: float | None = None
    uncertainty_s: float | None = None
    interval_s: float | None = None
    dropped: int = 0
    duplicates: int = 0
    restarts: int = 0
    reason: str = ""


class FrameClock:
    """Gives the time of each frame of one device; no clock of its own, no I/O."""

    def __init__(self) -> None:
        self._came: deque[tuple[int, float]] = deque(maxlen=KEPT_FRAMES)
        self._slope_s = 0.0
        self._jitter_s: float | None = None
        self._uncertainty_s: float | None = None
        self._newest_s = self._former_s = -math.inf
        self._dropped = 0
        self._duplicates = 0
        self._restarts = 0
        self._reason = ""

    @property
    def timing(self) -> FrameTiming:
        """How it is now."""
        return FrameTiming(
            jitter_s=self._jitter_s,
            uncertainty_s=self._uncertainty_s,
            interval_s=None if self._jitter_s is None else self._slope_s,
            dropped=self._dropped,
            duplicates=self._duplicates,
            restarts=self._restarts,
            reason=self._reason,
        )

    def add(self, frame: int, came_at_s: float, *, together_with: Collection[int] = ()) -> float | None:
        """Take a frame's number and when it came, host monotonic clock, s; give when it was taken, None if known.

        Frames come in order; earlier ones that the same answer told stand in ``together_with``. A number that is
        lower than the last begins the line anew, as does a step of more than ``LONGEST_STEP``, and a time further
        than ``GREATEST_DEVIATION_S`` from the line.
        """
        if self._came:
            last, _ = self._came[-1]
            if frame == last:
                self._duplicates += 1
                return None
            if reason := self._break(frame - last, frame, came_at_s):
                self._came.clear()
                self._jitter_s = self._uncertainty_s = None
                self._restarts += 1
                self._reason = reason
            else:
                came = {frame, *(other for other in together_with if last < other < frame)}
                self._dropped += frame - last - len(came)
        self._came.append((frame, came_at_s))
        fitted_s, self._former_s = self._fit(), self._newest_s
        # what has not been taken yet cannot come: the line may be late, the frame never is
        self._newest_s = min(max(fitted_s, self._newest_s + SMALLEST_STEP_S), max(came_at_s, self._newest_s))
        return self._newest_s

    def before(self, frame: int) -> float | None:
        """Give when the frame was taken that was added last, or an earlier one that is told together with it.

        None of an earlier one where nothing tells it from its neighbours: no interval is known yet, or the line
        puts it no later than the frames of the answer before.
        """
        newest, _ = self._came[-1]
        if frame == newest:
            return self._newest_s
        taken_at_s = self._newest_s - self._slope_s * (newest - frame)
        return taken_at_s if self._former_s < taken_at_s < self._newest_s else None

    @property
    def newest_s(self) -> float:
        """When the frame was taken that was added last, host monotonic clock, s."""
        return self._newest_s

    def _break(self, step: int, frame: int, came_at_s: float) -> str:
        """Say why the line ends before this frame; empty where it goes on."""
        if step < 0:
            return f"its frame number went back by {-step}: it was restarted, or its counter began anew"
        if step > LONGEST_STEP:
            return f"{step - 1} frames were left out at once"
        if self._jitter_s is not None:
            last, _ = self._came[-1]
            deviation_s = came_at_s - self._newest_s - self._slope_s * (frame - last)
            if abs(deviation_s) > GREATEST_DEVIATION_S:
                when = "late" if deviation_s > 0 else "early"
                return f"its clock jumped, or its frames came {1000 * abs(deviation_s):.0f} ms too {when}"
        return ""

    def _fit(self) -> float:
        """Fit the line, and give its value at the newest frame."""
        count, (newest, came_at_s) = len(self._came), self._came[-1]
        if count < LEAST_FRAMES:
            self._slope_s = self._guess()
            return came_at_s
        numbers = [frame - newest for frame, _ in self._came]
        times_s = [at_s - came_at_s for _, at_s in self._came]
        mean, mean_s = sum(numbers) / count, sum(times_s) / count
        spread = sum((number - mean) ** 2 for number in numbers)
        pairs = list(zip(numbers, times_s, strict=True))
        self._slope_s = sum((number - mean) * (at_s - mean_s) for number, at_s in pairs) / spread
        residuals = [at_s - mean_s - self._slope_s * (number - mean) for number, at_s in pairs]
        self._jitter_s = math.sqrt(sum(residual**2 for residual in residuals) / (count - 2))
        self._uncertainty_s = self._jitter_s * math.sqrt(1 / count + mean**2 / spread)
        return came_at_s + mean_s - self._slope_s * mean

    def _guess(self) -> float:
        """Give the interval by the first frames and the last, before there is a line."""
        (first, first_s), (last, last_s) = self._came[0], self._came[-1]
        return (last_s - first_s) / (last - first) if last > first else 0.0
