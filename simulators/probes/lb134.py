"""A simulated Berthold LB 134: finished cycles in its memory, and telegrams for whoever asks rightly."""

from devices.errors import FrameError
from devices.framing import LineSplitter
from devices.probes.lb134 import GREATEST_CYCLE, GREATEST_LENGTH, READ_CURRENT, Telegram
from simulators.probes.counting import Counter


class SimulatedLb134:
    """Writes a record at the end of each cycle, and tells the newest.

    Parameters
    ----------
    counter
        What counts.
    address
        Its own.
    cycle_s
        Length of a cycle, whole seconds.
    unit
        Of its measured value.

    """

    def __init__(self, counter: Counter, *, address: int = 1, cycle_s: int = 1, unit: str = "cps") -> None:
        self._counter = counter
        self._address = address
        self._cycle_s = cycle_s
        self._cycle = 0
        self._counts = 0
        self._requests = LineSplitter(greatest_length=GREATEST_LENGTH)
        self.unit = unit

    def receive(self, sent: bytes, now_s: float) -> bytes:
        """Answer each telegram that is for it, in the same manner of checking; say nothing to any other."""
        return b"".join(self._answer(frame.raw) for frame in self._requests.feed(sent, now_s))

    def tick(self, now_s: float) -> bytes:
        """Finish cycles; send nothing unasked."""
        while self._counter.is_over(self._cycle_s, now_s):
            self._counts = self._counter.count_period(self._cycle_s)
            self._cycle = self._cycle % GREATEST_CYCLE + 1
        return b""

    def _answer(self, raw: bytes) -> bytes:
        try:
            asked = Telegram.from_bytes(raw)
        except FrameError:
            return b""
        if asked.to != self._address or not 9001 <= asked.from_ <= 9008 or asked.code != READ_CURRENT:
            return b""
        rate = self._counts / self._cycle_s
        cycle = f"28/11/26 08.15.00;{max(self._cycle, 1)};000000000000;{self._cycle_s}"
        return Telegram(
            to=asked.from_,
            from_=self._address,
            code=asked.code,
            data=f"{cycle};Tc-99m;{rate:.3f};{self.unit};0.000;Bq".encode(),
            has_checksum=asked.has_checksum,
        ).to_bytes()
