"""A simulated RadEye: asleep until woken, then a report each second."""

from devices.probes.radeye import OVERLOAD, PERIOD_S, PROMPT, WAKE, Report
from simulators.probes.ratemeter import MeteredRate

GREATEST_CPS = 100_000.0
AWAKE_S = 1.0
"""How long it waits for a command once it is awake."""
LEAST_PAUSE_S = 0.005


class SimulatedRadEye:
    """Shows the rate of ``rate`` in cps; ``serial_number`` is what it says of itself."""

    def __init__(self, rate: MeteredRate, *, serial_number: int = 4711) -> None:
        self._rate = rate
        self._serial_number = serial_number
        self._woken_at_s: float | None = None
        self._command = b""
        self._is_sending = False
        self.unit = 5

    def receive(self, sent: bytes, now_s: float) -> bytes:
        """Wake up, and obey a command that comes 5 ms later or more."""
        answers = b""
        for number in sent:
            character = bytes([number])
            if character == WAKE:
                self._woken_at_s, self._command = now_s, b""
                answers += PROMPT
            elif character == b"\n":
                answers += self._obey(self._command, now_s)
                self._command = b""
            else:
                self._command = (self._command + character)[-16:]
        return answers

    def tick(self, now_s: float) -> bytes:
        """Give a report for each second that is over."""
        sent = b""
        while self._rate.counter.is_over(PERIOD_S, now_s):
            rate_cps = self._rate.after(PERIOD_S)
            flags = OVERLOAD if rate_cps > GREATEST_CPS else 0
            if self._is_sending:
                sent += Report(value=round(rate_cps * 100), unit=self.unit, flags=flags).to_bytes()
        return sent

    def _obey(self, command: bytes, now_s: float) -> bytes:
        woken_at_s, self._woken_at_s = self._woken_at_s, None
        if woken_at_s is None or not LEAST_PAUSE_S <= now_s - woken_at_s <= AWAKE_S:
            return b""
        if command == PROMPT + b"#R":
            return f"#{self._serial_number}\n".encode()
        if command in {PROMPT + b"X1", PROMPT + b"X0"}:
            self._is_sending = command.endswith(b"1")
            return PROMPT
        return b""
