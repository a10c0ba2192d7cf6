"""Asks an NDI tracker and gives its answers: one command at a time over a serial port or TCP."""

import asyncio
import re

import structlog

from devices.errors import DeviceFault, DeviceTimeout, DeviceUnavailable, FrameError
from devices.links import Link
from devices.trackers.ndi_protocol import Answer, AnswerReader, Command
from devices.trackers.ndi_words import error_words

log = structlog.get_logger()

PATIENCE_S = 3.0
"""Longest time for a command that sets something up; those that measure are given less."""
FIRST_PATIENCE_S = 1.0
"""For the first INIT, which a tracker that listens at another speed does not understand."""
RESET_S = 6.0
"""For a tracker to restart after a break."""
SETTLING_S = 0.1
"""For both ends to change their speed (ndicapi.cxx, ndiCOMMHelper)."""

POWER_ON_BAUD_RATE = 9600
BAUD_CODES = {
    9600: "0",
    14400: "1",
    19200: "2",
    38400: "3",
    57600: "4",
    115200: "5",
    921600: "6",
    1228739: "7",
    230400: "A",
}
"""COMM's digit for each speed."""
EIGHT_NONE_ONE, NO_HANDSHAKE = "000", "0"
"""COMM's digits for 8 data bits, no parity, 1 stop bit; and for no hardware handshake."""


class NdiSession:
    """An open link to a tracker; ``device`` is its name in the site file."""

    def __init__(self, device: str, link: Link) -> None:
        self._device = device
        self._link = link
        self._reader = AnswerReader()

    async def ask(self, name: str, arguments: str = "", *, patience_s: float = PATIENCE_S) -> Answer:
        """Send a command and give its answer.

        Raises
        ------
        FrameError
            Where the answer is damaged.
        DeviceTimeout
            Where none comes within ``patience_s``.
        DeviceFault
            Where it is an error, in words.
        DeviceUnavailable
            Where the link is lost, or the tracker says that it has started anew.

        """
        self._reader.clear()
        self._link.discard()
        await self._link.write(Command(name=name, arguments=arguments).to_bytes())
        try:
            async with asyncio.timeout(patience_s) as limit:
                answer = await self._answer()
        except TimeoutError as exc:
            if not limit.expired():
                raise
            raise DeviceTimeout(
                self._device,
                f"it does not answer {name} within {patience_s:g} s: check that it is switched on, its cable, and "
                "that the site file has its port",
            ) from exc
        if not answer.is_binary:
            self._check(name, answer.content)
        return answer

    async def set_up(self, name: str, arguments: str = "") -> str:
        """Send a command that sets something up, and give the words of its answer.

        Raises
        ------
        DeviceUnavailable
            As ``ask``, and where the answer is damaged: what answers may be no NDI tracker.

        """
        try:
            answer = await self.ask(name, arguments)
        except FrameError as exc:
            raise DeviceUnavailable(
                self._device, f"what answers to {name} is no NDI tracker: {exc}. Check port and baud_rate"
            ) from exc
        return answer.content.decode("ascii", errors="replace")

    async def initialise(self, *, is_serial: bool, baud_rate: int) -> None:
        """Bring the tracker into its first state, whatever a former host left it in, and to our speed."""
        if not is_serial:
            await self.set_up("INIT")
            return
        try:
            await self.ask("INIT", patience_s=FIRST_PATIENCE_S)
        except (DeviceTimeout, FrameError):
            await self._reset()
            await self.set_up("INIT")
        if baud_rate != POWER_ON_BAUD_RATE:
            await self._change_speed(baud_rate)

    async def finish(self, *, is_serial: bool, baud_rate: int) -> None:
        """Stop tracking, and leave the line as the next host expects it; what does not answer is let be."""
        try:
            await self.ask("TSTOP", patience_s=FIRST_PATIENCE_S)
            if is_serial and baud_rate != POWER_ON_BAUD_RATE:
                await self._change_speed(POWER_ON_BAUD_RATE)
        except (DeviceFault, DeviceUnavailable, FrameError) as exc:
            log.debug("tracker was left as it is", device=self._device, reason=str(exc))

    async def _change_speed(self, baud_rate: int) -> None:
        await self.set_up("COMM", f"{BAUD_CODES[baud_rate]}{EIGHT_NONE_ONE}{NO_HANDSHAKE}")
        await asyncio.sleep(SETTLING_S)
        await self._link.set_baud_rate(baud_rate)

    async def _reset(self) -> None:
        """Restart it by a break, after which it listens at 9600 bits a second and says RESET."""
        self._reader.clear()
        self._link.discard()
        await self._link.send_break()
        try:
            async with asyncio.timeout(RESET_S) as limit:
                while True:
                    try:
                        answer = await self._answer()
                    except FrameError:  # what it was saying when the break cut it off
                        continue
                    if answer.content == b"RESET":
                        return
        except TimeoutError as exc:
            if not limit.expired():
                raise
            raise DeviceTimeout(
                self._device,
                f"it answers neither INIT nor a break within {RESET_S:g} s: check that it is switched on, its "
                "cable, and that the site file has its port",
            ) from exc

    async def _answer(self) -> Answer:
        while True:
            chunk = await self._link.read()
            answer = self._reader.feed(chunk.received, chunk.arrived_at_s)
            if answer is not None:
                return answer

    def _check(self, name: str, text: bytes) -> None:
        if text.startswith(b"ERROR"):
            number = re.match(rb"[0-9A-Fa-f]{2}", text[5:])
            code = int(number[0], 16) if number else 0
            raise DeviceFault(self._device, code, f"to {name} the tracker says that {error_words(code)}")
        if text == b"RESET":
            raise DeviceUnavailable(self._device, "the tracker has started anew: check its power")
        if text.startswith(b"WARNING"):
            log.warning(
                "tracker_warns", device=self._device, command=name, warning=text.decode("ascii", errors="replace")
            )
