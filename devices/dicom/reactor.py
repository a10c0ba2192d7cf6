"""Keeps pynetdicom's reactor off the answers to our own requests.

Each association of pynetdicom has a thread that takes requests of the peer's off the queue of messages. While we
send a request it is to wait at a checkpoint. In pynetdicom 3.0.4 (``association.py``, ``_run_reactor``) it says so
before it does; on a busy machine it then goes on, takes the answer for a request, and whoever asked waits until
time is up. Here it waits for as long as we send.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pynetdicom.association import Association


class _Checkpoint(threading.Event):
    """Passed by nobody until ``open``, whatever pynetdicom sets and clears meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = threading.Event()

    def set(self) -> None:
        """Leave it closed."""

    def clear(self) -> None:
        """Leave it as it is."""

    def wait(self, timeout: float | None = None) -> bool:
        """Wait here, and be known to."""
        self.reached.set()
        return super().wait(timeout)

    def open(self) -> None:
        """Let everybody pass from now on."""
        super().set()


@contextmanager
def hold_reactor(association: Association, *, within_s: float) -> Iterator[None]:
    """Hold the reactor of an established association that we asked for, and only send within; it may end within.

    Raises
    ------
    TimeoutError
        Where the reactor does not come to wait.

    """
    checkpoint = _Checkpoint()
    association._reactor_checkpoint = checkpoint  # noqa: SLF001 - there is no other way to it
    try:
        if not checkpoint.reached.wait(within_s):
            raise TimeoutError(f"pynetdicom's reactor did not come to wait within {within_s:g} s")
        yield
    finally:
        checkpoint.open()
