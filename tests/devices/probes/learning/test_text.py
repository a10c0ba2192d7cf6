"""Whether bytes are text, and what it means if they are not."""

import numpy as np
import pytest

from devices.probes.learning.text import look
from simulators.faults import mistimed

LINES = b"".join(b"CPS, %d, CPM, %d, uSv/hr, 0.10, SLOW\r\n" % (number, 40 * number) for number in range(7, 27))


def received(sent: bytes, sent_baud_rate: int, read_baud_rate: int) -> bytes:
    return b"".join(piece for _, piece in mistimed(sent_baud_rate, read_baud_rate)(sent))


def with_parity(sent: bytes, odd: int = 0) -> bytes:
    return bytes(number | (number.bit_count() + odd) % 2 << 7 for number in sent)


def test_lines_are_text_whatever_ends_them() -> None:
    """CR LF, LF or CR, from the middle of a line, with STX and ETX around."""
    for end in (b"\r\n", b"\n", b"\r"):
        assert look(LINES[9:].replace(b"\r\n", end)).verdict == "text"
    assert look(b"\x02 599 0 544 00 GN+ 09\x03\r\n" * 3).verdict == "text"


@pytest.mark.parametrize("sent", [1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200])
@pytest.mark.parametrize("read", [1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200])
def test_text_at_another_bit_rate_is_none(sent: int, read: int) -> None:
    """Bits sampled at the wrong times are no lines of text; at the right ones they are the text."""
    came = received(LINES * 3, sent, read)
    if sent == read:
        assert came == LINES * 3
    assert (look(came).verdict == "text") is (sent == read)


def test_seven_bits_are_told_by_their_parity() -> None:
    """Received as eight bits, each character has the parity in its highest."""
    assert look(with_parity(LINES)).verdict == "even"
    assert look(with_parity(LINES, odd=1)).verdict == "odd"
    assert look(LINES).verdict == "text"


def test_binary_is_none_and_little_is_too_little() -> None:
    """Packets and random bytes are no text, a few bytes are not judged, and text without an end is none."""
    packets = b"".join(b"\xaa\x55" + number.to_bytes(4) + b"\x0a" for number in range(3000, 3060))
    assert look(packets).verdict == "none"
    assert look(np.random.default_rng(1).bytes(4000)).verdict == "none"
    assert look(b"CPS, 12").verdict == "too few"
    assert look(b"").verdict == "too few"
    assert look(b"0;" * 400).verdict == "none"
