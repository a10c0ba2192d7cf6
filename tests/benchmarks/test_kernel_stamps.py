"""The kernel's stamps of what a socket receives, put on the monotonic clock."""

import socket
import time

from benchmarks.kernel_stamps import (
    STEADY_NS,
    ask_for_stamps,
    real_less_monotonic_ns,
    receive,
    steady_offset_ns,
)


def test_a_stamp_lies_between_sending_and_receiving() -> None:
    """On the monotonic clock, within what the two clocks are known of each other; the bytes are whole."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as one:
        other, _ = server.accept()
        with other:
            ask_for_stamps(other)
            stamp_ns: int | None = None
            while stamp_ns is None:  # the kernel begins a moment after it was asked
                sent_ns = time.monotonic_ns()
                one.sendall(b"a pose")
                data, stamp_ns = receive(other)
                received_ns = time.monotonic_ns()
                assert data == b"a pose"
            offset_ns = real_less_monotonic_ns()
            assert sent_ns - STEADY_NS <= stamp_ns - offset_ns <= received_ns + STEADY_NS


def test_nothing_is_stamped_unasked() -> None:
    """A socket that did not ask gives its bytes without a time."""
    one, other = socket.socketpair()
    with one, other:
        one.sendall(b"a pose")
        assert receive(other) == (b"a pose", None)


def test_a_time_that_was_stepped_gives_no_offset() -> None:
    """A millisecond's step either way is seen; what a reading is uncertain by is none."""
    assert steady_offset_ns(1_000_000_000, 1_000_005_000) == 1_000_000_000
    for step_ns in (-1_000_000, 1_000_000):
        assert steady_offset_ns(1_000_000_000, 1_000_000_000 + step_ns) is None
