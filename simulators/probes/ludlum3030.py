"""A simulated Ludlum 3030: counts of a set time, logged as they end, and told to whoever asks."""

from collections import deque
from datetime import UTC, datetime, timedelta
from typing import Final

from devices.framing import LineSplitter
from devices.probes.ludlum3030_memory import GREATEST, Sample
from simulators.probes.counting import Counter

SWITCHED_ON: Final = datetime(2026, 11, 28, 8, 15, tzinfo=UTC)
"""On its own calendar, which nobody has set."""
GREATEST_NUMBER: Final = 9999


class SimulatedLudlum3030:
    """Counts for ``count_s`` when it is started, or again and again, and logs each count at its end.

    Parameters
    ----------
    counter
        What counts in its beta channel; nothing does in the other.
    count_s
        Count time, s.
    is_recycling
        Whether it counts again by itself.
    held
        Samples that its memory holds; the oldest go. How many, and which go, is not documented.
    unit
        ``S``, ``C`` or ``D``.

    """

    def __init__(
        self,
        counter: Counter,
        *,
        count_s: float = 60.0,
        is_recycling: bool = True,
        held: int = 100,
        unit: str = "S",
    ) -> None:
        self._counter = counter
        self._is_recycling = self.is_counting = is_recycling
        self._number = 0
        self._requests = LineSplitter(greatest_length=16)
        self.count_s = count_s
        self.unit = unit
        self.has_background_off = False
        self.samples: deque[Sample] = deque(maxlen=held)

    def start(self, now_s: float) -> None:
        """Press its button: a count begins now."""
        self._counter.skip(now_s)
        self.is_counting = True

    def receive(self, sent: bytes, now_s: float) -> bytes:
        """Answer each command."""
        self.tick(now_s)
        return b"".join(self._answer(frame.raw.upper()) for frame in self._requests.feed(sent, now_s))

    def tick(self, now_s: float) -> bytes:
        """Finish counts; send nothing unasked."""
        while self.is_counting and self._counter.is_over(self.count_s, now_s):
            self._log(self._counter.count_period(self.count_s), now_s)
            self.is_counting = self._is_recycling
        return b""

    def _log(self, counts: int, now_s: float) -> None:
        at = SWITCHED_ON + timedelta(seconds=now_s - self._counter.powered_at_s)
        self._number = min(self._number + 1, GREATEST_NUMBER)
        self.samples.append(
            Sample(
                number=self._number,
                date=f"{at:%m/%d/%y}",
                time=f"{at:%H:%M:%S}",
                alpha=0,
                beta=min(counts, GREATEST),
                seconds=self.count_s,
                unit=self.unit,
            )
        )

    def _answer(self, command: bytes) -> bytes:
        if command == b"RS":
            return b"".join(sample.to_bytes() for sample in self.samples) + b"$\r\n"
        if command == b"B0":
            self.has_background_off = True
            return b"OFF\r\n"  # what a real one says is not documented
        answers = {
            b"RT": f"{self.count_s:07.1f}",
            b"RV": "0750",
            b"RY": "ON" if self._is_recycling else "OFF",
        }
        answer = answers.get(command) or "ERROR-" + command[:2].decode("latin-1")
        return f"{answer}\r\n".encode("latin-1")
