"""Listening to unknown instruments on ports: the bit rate, what is asked of whoever waits, and what is kept."""

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from devices.clock import monotonic
from devices.errors import DeviceError
from devices.probes.learning.proposal import Proposal, Sending
from devices.probes.learning.recording import Listening, learn
from devices.probes.learning.session import SessionError, SessionFile, read_session
from simulators.faults import mistimed
from simulators.ports import PtyPort, open_pty_port, open_tcp_port

AWAY, NEAR = 30, 900


class Hurried:
    """A console with a line each 2 s, on a clock that jumps by as much with each: nobody waits for it.

    Its source is near as soon as somebody has been asked to hold one. If the machine stands still for a while,
    that is little beside 2 s.
    """

    PERIOD_S = 2.0

    def __init__(self, line: bytes = b"A %d B 7\r\n") -> None:
        self._line = line
        self._rng = np.random.default_rng(3)
        self._ahead_s = 0.0
        self.said: list[str] = []

    def clock(self) -> float:
        """Give the time that it shares with whoever listens, s."""
        return monotonic() + self._ahead_s

    def _speak(self) -> bytes:
        self._ahead_s += self.PERIOD_S
        is_near = any("hold a source" in word for word in self.said)
        return self._line % self._rng.poisson(NEAR if is_near else AWAY)

    def receive(self, sent: bytes, now_s: float) -> bytes:  # noqa: ARG002 - it does not listen
        """Take no notice."""
        return b""

    def tick(self, now_s: float) -> bytes:  # noqa: ARG002 - its clock follows it
        """Give the next line."""
        return self._speak()


class Asked(Hurried):
    """One that must be asked."""

    def __init__(self) -> None:
        super().__init__(b"COUNTS %d\r\n")

    def receive(self, sent: bytes, now_s: float) -> bytes:  # noqa: ARG002 - it answers at once
        """Answer its one question."""
        return self._speak() if sent == b"?\r" else b""

    def tick(self, now_s: float) -> bytes:  # noqa: ARG002 - it keeps no time
        """Say nothing unasked."""
        return b""


class Begun(Hurried):
    """One that speaks once it was told to, with even parity until it was stopped: then the port takes it away."""

    def __init__(self) -> None:
        super().__init__(b"COUNTS %d\r\n")
        self._begun = 0
        self.port: PtyPort | None = None

    def receive(self, sent: bytes, now_s: float) -> bytes:  # noqa: ARG002 - it obeys at once
        """Count how often it was told to begin."""
        self._begun += sent.count(b"O")
        if b"X" in sent and self.port is not None:
            # a pty has no 7E1, and says so to whoever asks it twice: the next one is a new one
            self.port.pull()
            self.port.plug()
        return b""

    def tick(self, now_s: float) -> bytes:
        """Speak, once it was told to."""
        if not self._begun:
            return b""
        said = super().tick(now_s)
        return said if self._begun > 1 else bytes(number | number.bit_count() % 2 << 7 for number in said)


def listening(port: str, console: Hurried, **changes: Any) -> Listening:
    how: dict[str, Any] = {
        "port": port,
        "baud_rate": None,
        "character": None,
        "seconds": 80.0,
        "name": "Console",
        "clock": console.clock,
        "say": console.said.append,
        "look_s": 40.0,
    }
    return Listening(**(how | changes))


def kept_in(file: io.TextIOBase, console: Hurried) -> SessionFile:
    return SessionFile(file, began_at_s=console.clock())  # type: ignore[arg-type]


async def refused(how: Listening, console: Hurried) -> Proposal:
    return await learn(how, kept_in(io.StringIO(), console))


async def test_a_source_is_asked_for_and_the_session_is_kept(tmp_path: Path) -> None:
    """Where nothing tells what counts, somebody is asked to hold a source to it; all bytes are in the file."""
    console = Hurried()
    path = tmp_path / "console.session.jsonl"
    with path.open("x", encoding="utf-8") as file:
        async with open_pty_port(console, tmp_path / "probe") as port:
            kept = kept_in(file, console)
            proposal = await learn(listening(port.url, console), kept)
    assert any(word.startswith("hold a source to it now") for word in console.said)
    assert "it rose with the source" in proposal.text
    session = read_session(path)
    assert session == kept.session
    assert session.source_at_s is not None
    assert session.received.count(b"\r\n") > 60


async def test_the_bit_rate_is_found(tmp_path: Path) -> None:
    """At the wrong ones no text comes; the right one is in the sheet."""
    console = Hurried(b"COUNTS %d\r\n")
    ports: list[PtyPort] = []

    def wire(sent: bytes) -> Iterable[tuple[float, bytes]]:
        return mistimed(38400, ports[0].baud_rate or 38400)(sent)

    async with open_pty_port(console, tmp_path / "probe", fault=wire) as port:
        ports.append(port)
        proposal = await learn(listening(port.url, console), kept_in(io.StringIO(), console))
    assert "baud_rate = 38400" in proposal.text
    assert "text at 38400 bits a second, 8N1: keep every source away for 80 s" in console.said


async def test_a_wrong_bit_rate_is_told_in_words(tmp_path: Path) -> None:
    """One that was given and is wrong: how much of it is text, and what to do."""
    console = Hurried()
    async with open_pty_port(console, tmp_path / "probe", fault=mistimed(9600, 19200)) as port:
        with pytest.raises(
            DeviceError, match=r"bytes came at 19200 bits a second and .*% of them are text"
        ) as told:
            await refused(listening(port.url, console, baud_rate=19200), console)
    assert "the bit rate is wrong, or it speaks binary" in str(told.value)
    assert "leave out --baud-rate" in str(told.value)


async def test_a_serial_server_has_the_bit_rate_in_its_own_settings() -> None:
    """It cannot be changed from here, so only one is listened to."""
    console = Hurried()
    async with open_tcp_port(console, fault=mistimed(9600, 19200)) as port:
        with pytest.raises(DeviceError, match="compare the bit rate in the serial server's own settings"):
            await refused(listening(port.url, console), console)


async def test_binary_is_refused_in_plain_words(tmp_path: Path) -> None:
    """No bit rate gives text: it is binary, which cannot be learnt, and the words say how to go on."""
    console = Hurried(b"\xaa\x55\x03\xe8%c\x00\x0a\x81")
    async with open_pty_port(console, tmp_path / "probe") as port:
        with pytest.raises(DeviceError, match="it speaks binary, which cannot be learnt by listening") as told:
            await refused(listening(port.url, console), console)
    assert "docs/instruments/sheets.md" in str(told.value)
    assert "aa 55 03 e8" in str(told.value)


async def test_silence_is_no_wrong_bit_rate(tmp_path: Path) -> None:
    """Nothing came: cable, power, or it wants to be told; nothing was sent that nobody named."""
    async with open_pty_port(console := Asked(), tmp_path / "probe") as port:
        with pytest.raises(DeviceError, match=r"nothing came in 0\.5 s, .*--send or --ask"):
            await refused(listening(port.url, console, look_s=0.5), console)


async def test_one_that_must_be_asked_is_asked(tmp_path: Path) -> None:
    """The question that its maker names is sent again and again, and stands in the sheet."""
    console, told = Asked(), io.StringIO()
    async with open_pty_port(console, tmp_path / "probe") as port:
        how = listening(port.url, console, sending=Sending(ask="?\r", every_s=2.0))
        proposal = await learn(how, kept_in(told, console))
    assert '[poll]\nsend = "?\\r"\nevery_s = 2' in proposal.text
    assert '"sent":"3f 0d"' in told.getvalue()


async def test_seven_bits_are_found_by_their_parity(tmp_path: Path) -> None:
    """The port is opened anew with 7E1; it is told to begin each time, and to stop in the end."""
    console, told = Begun(), io.StringIO()
    async with open_pty_port(console, tmp_path / "probe") as port:
        console.port = port
        how = listening(port.url, console, sending=Sending(begin="O", stop="X"))
        proposal = await learn(how, kept_in(told, console))
    assert 'character = "7E1"' in proposal.text
    assert 'begin = "O"\nstop = "X"' in proposal.text
    assert told.getvalue().rstrip().endswith('"sent":"58"}')


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "cannot be read"),
        ("", "does not say how the port was open"),
        (
            '{"at_s": 0.0, "port": "/dev/x", "baud_rate": 9600, "character": "8N1"}\n{"at_s": 1',
            "line 2: is no line",
        ),
        ('{"at_s": 0.0, "received": "4g"}', "line 1: is no line"),
    ],
)
def test_a_file_that_is_no_session_is_told(tmp_path: Path, text: str | None, sentence: str) -> None:
    """File, line, and what is wrong."""
    path = tmp_path / "console.session.jsonl"
    if text is not None:
        path.write_text(text)
    with pytest.raises(SessionError, match=sentence) as told:
        read_session(path)
    assert str(path) in str(told.value)
