"""When the kernel had what a socket receives, on the host's monotonic clock; Linux only.

The kernel stamps each packet as it takes it in (SO_TIMESTAMPNS, socket(7)), before it wakes the process that
waits for it. Of several packets that are read at once it gives the last one's stamp, so a stamp may be late, never
early. Those of the first moments after it was asked may be missing.

The stamps are of CLOCK_REALTIME. NTP slews it together with CLOCK_MONOTONIC, so that what lies between them is
constant until somebody steps the time: it is taken before and after, and where the two differ no stamp counts.
"""

import socket
import struct
import time

SO_TIMESTAMPNS = 35
"""Of asm-generic/socket.h; Python's socket module has no name for it."""
TIMESPEC = struct.Struct("@ll")
ANCILLARY_BYTES = socket.CMSG_SPACE(TIMESPEC.size)
TRIES = 100
STEADY_NS = 20_000
"""Offsets that differ by less are the same: how well each is known while other processes run."""


def ask_for_stamps(link: socket.socket) -> None:
    """Have what comes be stamped from now on."""
    link.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)


def receive(link: socket.socket) -> tuple[bytes, int | None]:
    """Receive; give the bytes and when the last packet of them came, CLOCK_REALTIME, ns, where it was stamped."""
    data, ancillary, _, _ = link.recvmsg(4096, ANCILLARY_BYTES)
    for level, kind, value in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS):
            seconds, nanoseconds = TIMESPEC.unpack(value)
            return data, 1_000_000_000 * seconds + nanoseconds
    return data, None


def real_less_monotonic_ns() -> int:
    """Read how far CLOCK_REALTIME is ahead of the monotonic clock: of many readings the one that took least."""
    readings = list[tuple[int, int]]()
    for _ in range(TRIES):
        before_ns, real_ns, after_ns = time.monotonic_ns(), time.time_ns(), time.monotonic_ns()
        readings.append((after_ns - before_ns, real_ns - (before_ns + after_ns) // 2))
    return min(readings)[1]


def steady_offset_ns(before_ns: int, after_ns: int) -> int | None:
    """Give the offset that held between two readings of it; None where the time was stepped."""
    return before_ns if abs(after_ns - before_ns) < STEADY_NS else None
