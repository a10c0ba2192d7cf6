"""A simulated GQ GMC: bare bytes each second, and answers without frame."""

from devices.probes.gmc import (
    ASK_SERIAL,
    ASK_VERSION,
    ASK_VOLTAGE,
    COUNT_LENGTHS,
    COUNT_MASK,
    PERIOD_S,
    PROTOCOLS,
    START,
    STOP,
)
from simulators.probes.counting import Counter


class SimulatedGmc:
    """Sends its heartbeat once it is told to.

    Parameters
    ----------
    counter
        What counts.
    version
        Answer to GETVER; the model's number decides how long a count is.
    serial_number
        Answer to GETSERIAL, 7 bytes.

    """

    def __init__(
        self,
        counter: Counter,
        *,
        version: bytes = b"GMC-300Re 2.10",
        serial_number: bytes = bytes.fromhex("00230000003e9a"),
    ) -> None:
        self._counter = counter
        self._version = version
        self._serial_number = serial_number
        self._protocol = PROTOCOLS[version[4:7].decode()]
        self._is_beating = False
        self._heard = b""

    def receive(self, sent: bytes, now_s: float) -> bytes:
        """Do each whole command; whatever else stands before one is forgotten."""
        self._heard = (self._heard + sent)[-64:]
        answers = b""
        while (end := self._heard.find(b">>")) >= 0:
            command, self._heard = self._heard[: end + 2], self._heard[end + 2 :]
            answers += self._do(command[command.rfind(b"<") :], now_s)
        return answers

    def tick(self, now_s: float) -> bytes:
        """Give the counts of each second that is over."""
        sent = b""
        while self._is_beating and self._counter.is_over(PERIOD_S, now_s):
            counts = self._counter.count_period(PERIOD_S)
            if self._protocol == "rfc1201":
                counts = min(counts, COUNT_MASK)
            sent += counts.to_bytes(COUNT_LENGTHS[self._protocol])
        return sent

    def _do(self, command: bytes, now_s: float) -> bytes:
        if command == ASK_VERSION:
            return self._version
        if command == ASK_SERIAL:
            return self._serial_number
        if command == ASK_VOLTAGE:
            return b"\x62" if self._protocol == "rfc1201" else b"3.97v"
        if command == START and not self._is_beating:
            self._counter.skip(now_s)
        if command in {START, STOP}:
            self._is_beating = command == START
        return b""
