"""What wires do to bytes: late, lost, flipped, doubled, or one at a time.

A fault is given what an instrument sends and gives the pieces that arrive, each with the time from its sending
to its arrival, s. Nothing overtakes on a wire. Those that draw at random take their generator, so that a test can
be run again.
"""

from collections.abc import Callable, Iterable
from typing import TypeAlias

import numpy as np

Piece: TypeAlias = tuple[float, bytes]
"""Time after its sending, s, and the bytes."""

Fault: TypeAlias = Callable[[bytes], Iterable[Piece]]


def intact(sent: bytes) -> Iterable[Piece]:
    """Pass everything on."""
    yield 0.0, sent


def one_byte_at_a_time(sent: bytes) -> Iterable[Piece]:
    """Pass everything on, each byte by itself."""
    for number in sent:
        yield 0.0, bytes([number])


def delayed(delay_s: float) -> Fault:
    """Pass everything on ``delay_s`` after it was sent."""

    def carry(sent: bytes) -> Iterable[Piece]:
        yield delay_s, sent

    return carry


def dropping(share: float, rng: np.random.Generator) -> Fault:
    """Lose each byte with the probability ``share``."""

    def carry(sent: bytes) -> Iterable[Piece]:
        kept = rng.random(len(sent)) >= share
        yield 0.0, bytes(number for number, is_kept in zip(sent, kept, strict=True) if is_kept)

    return carry


def corrupting(share: float, rng: np.random.Generator) -> Fault:
    """Flip one bit of each byte with the probability ``share``."""

    def carry(sent: bytes) -> Iterable[Piece]:
        flips = np.where(rng.random(len(sent)) < share, 1 << rng.integers(0, 8, len(sent)), 0)
        yield 0.0, bytes(number ^ int(flip) for number, flip in zip(sent, flips, strict=True))

    return carry


def duplicating(share: float, rng: np.random.Generator) -> Fault:
    """Pass on what was sent, and with the probability ``share`` once more."""

    def carry(sent: bytes) -> Iterable[Piece]:
        yield 0.0, sent
        if rng.random() < share:
            yield 0.0, sent

    return carry


def truncating(share: float, rng: np.random.Generator) -> Fault:
    """Pass on what was sent, and with the probability ``share`` only its beginning."""

    def carry(sent: bytes) -> Iterable[Piece]:
        yield 0.0, sent[: rng.integers(0, len(sent))] if rng.random() < share else sent

    return carry


def babbling(share: float, rng: np.random.Generator) -> Fault:
    """Send, with the probability ``share``, a banner of any printable words before what was sent."""

    def carry(sent: bytes) -> Iterable[Piece]:
        if rng.random() < share:
            yield 0.0, rng.integers(0x20, 0x7F, rng.integers(1, 60)).astype(np.uint8).tobytes() + b"\r\n"
        yield 0.0, sent

    return carry


def losing(lost: Iterable[bool]) -> Fault:
    """Lose whole messages by a list: true is lost; behind its end nothing is."""
    course = iter(lost)

    def carry(sent: bytes) -> Iterable[Piece]:
        if not next(course, False):
            yield 0.0, sent

    return carry


def mistimed(sent_baud_rate: int, read_baud_rate: int) -> Fault:
    """Read at another bit rate than was sent: each bit is sampled where the reader believes its middle to be.

    Characters are of 8 bits without parity, one behind the other, and the line rests at 1. What begins as no start
    bit is waited for; a stop bit that is 0 is passed over, as UARTs do.
    """

    def carry(sent: bytes) -> Iterable[Piece]:
        levels = [level for number in sent for level in (0, *((number >> bit) & 1 for bit in range(8)), 1)]

        def level(at: float) -> int:
            """Level at a time, in bits of the sender."""
            return levels[int(at)] if 0 <= at < len(levels) else 1

        bit, at, received = sent_baud_rate / read_baud_rate, 0.0, bytearray()
        while at < len(levels):
            if level(at):
                at = float(int(at) + 1)
                continue
            received.append(sum(level(at + (1.5 + place) * bit) << place for place in range(8)))
            at += 9.5 * bit
            while at < len(levels) and not level(at):
                at = float(int(at) + 1)
        yield 0.0, bytes(received)

    return carry
