"""A simulated counter with Rad Pro: answers in lines, with a pulse count that wraps at 32 bits."""

from devices.framing import LineSplitter
from devices.probes.radpro import COUNTER_RANGE
from simulators.probes.counting import Counter


class SimulatedRadPro:
    """Answers what the driver asks, and ERROR to anything else; ``battery_v`` is None where it has no battery.

    Parameters
    ----------
    counter
        What counts.
    pulse_count
        Of its tube's life when it is switched on.
    device_id
        What it says of itself.

    """

    def __init__(
        self, counter: Counter, *, pulse_count: int = 1500, device_id: str = "b5706d937087f975b5812810"
    ) -> None:
        self._counter = counter
        self._pulse_count = pulse_count
        self._device_id = device_id
        self.battery_v: float | None = 1.421
        self._requests = LineSplitter(greatest_length=64)

    def receive(self, sent: bytes, now_s: float) -> bytes:
        """Answer each whole line."""
        return b"".join(self._answer(frame.raw, now_s) for frame in self._requests.feed(sent, now_s))

    def tick(self, now_s: float) -> bytes:  # noqa: ARG002 - it speaks only when asked
        """Send nothing unasked."""
        return b""

    def restart(self) -> None:
        """Forget the life of the tube."""
        self._pulse_count = 0

    def _answer(self, request: bytes, now_s: float) -> bytes:
        match request:
            case b"GET deviceId":
                answer = f"OK FS2011 (STM32F051C8);Rad Pro 2.0/en;{self._device_id}"
            case b"GET tubePulseCount":
                self._pulse_count = (self._pulse_count + self._counter.count(now_s)) % COUNTER_RANGE
                answer = f"OK {self._pulse_count}"
            case b"GET deviceBatteryVoltage" if self.battery_v is not None:
                answer = f"OK {self.battery_v:.3f}"
            case b"GET tubeDeadTime":
                answer = f"OK {self._counter.dead_time_s:.7f}"
            case b"GET tubeDeadTimeCompensation":
                answer = "OK 0.0000000"
            case _:
                answer = "ERROR"
        return answer.encode() + b"\r\n"
