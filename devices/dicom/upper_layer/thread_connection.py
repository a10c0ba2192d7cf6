"""A connection on a thread of its own: for associations that a worker serves.

An event loop is woken for every piece that comes, and asks before it reads. A thread that has nothing else to do
reads a PDU in one call, waits for the disk itself, and spends half as long in the interpreter.
"""

import socket
import struct
from contextlib import suppress
from functools import partial
from typing import Final

from devices.clock import Clock
from devices.dicom.upper_layer.association import Association
from devices.dicom.upper_layer.timing import Timing
from devices.dicom.upper_layer.user import Conclusion, User, Work

LONGEST_WAIT_S: Final = 1.0
"""After which a connection is looked at, whether it is silent or never stops."""


class ThreadConnection:
    """An association's connection, served by whichever thread calls ``serve``.

    Parameters
    ----------
    user, timing, clock
        The association's.
    connection
        A connected socket; its reads and writes are to wait.

    Attributes
    ----------
    association
        What it carries.

    """

    def __init__(self, user: User, connection: socket.socket, *, timing: Timing, clock: Clock) -> None:
        self.association = Association(user, self, timing=timing, clock=clock)
        self._socket = connection
        self._timing = timing
        self._clock = clock
        self._wait_s = min(LONGEST_WAIT_S, timing.artim_s / 4, timing.pdu_s / 4, timing.look_s, timing.total_s / 4)
        self._look_s = clock() + self._wait_s
        self._artim_s: float | None = None
        self._is_open = True
        self._must_leave = ""

    def serve(self) -> None:
        """Carry the association to its end."""
        association = self.association
        self._let_wait(socket.SO_RCVTIMEO, self._wait_s)
        self._let_wait(socket.SO_SNDTIMEO, self._timing.pdu_s)
        association.connected()
        reason = ""
        try:
            while self._is_open:
                if association.work is not None:
                    association.conclude(_done(association.work))
                elif not self._read():
                    break
        except OSError as exc:
            reason = str(exc)
        self._is_open = False
        association.disconnected(reason)
        self._socket.close()

    def leave(self, reason: str) -> None:
        """Have the association aborted soon; from another thread."""
        self._must_leave = reason
        with suppress(OSError):  # it may be gone already
            self._socket.shutdown(socket.SHUT_RD)  # wakes whoever reads

    def _read(self) -> bool:
        """Read what comes, and on to the end of the PDU that has begun; false at the connection's end."""
        assembly = self.association.assembly
        come, is_open, is_prompt = 0, True, True
        try:
            if not (missing := assembly.missing):
                come = self._socket.recv_into(assembly.room)
                assembly.add(come)
                is_open, missing = come > 0, assembly.missing
            room = assembly.room
            # a header that has just become whole may want more than fits behind what is still to be taken
            if missing := min(missing, len(room)):
                size = self._socket.recv_into(room, missing, socket.MSG_WAITALL)
                assembly.add(size)
                come += size
                is_open, is_prompt = size > 0, size == missing
        except BlockingIOError:
            is_prompt = False
        if come:
            self.association.received()
        if not is_open or not is_prompt or self._look_s <= self._clock():
            self._look()
        return is_open

    def _look(self) -> None:
        """See to what time asks for, and to whoever wants it ended."""
        self._look_s = self._clock() + self._wait_s
        if self._must_leave:
            reason, self._must_leave = self._must_leave, ""
            self.association.abort(reason)
        elif self._artim_s is not None and self._artim_s <= self._clock():
            self._artim_s = None
            self.association.artim_expired()
        else:
            self.association.look()

    # --- what the association asks for ----------------------------------------------------------------------

    def write(self, content: bytes) -> None:
        """Send bytes in one piece; a peer that does not take them has lost the connection."""
        try:
            self._socket.sendall(content)
        except OSError:
            self._is_open = False

    def end_writing(self) -> None:
        """Say that nothing more comes from us."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close it once what was written is sent."""
        self._is_open = False

    def drop(self) -> None:
        """Close it at once."""
        self._is_open = False

    def start_artim(self) -> None:
        """Start the ARTIM timer anew."""
        self._artim_s = self._clock() + self._timing.artim_s

    def stop_artim(self) -> None:
        """Stop it."""
        self._artim_s = None

    def detach(self) -> int | None:
        """Keep it: a worker hands nothing on."""
        return None

    def _let_wait(self, option: int, seconds: float) -> None:
        whole, rest = divmod(round(seconds * 1_000_000), 1_000_000)
        self._socket.setsockopt(socket.SOL_SOCKET, option, struct.pack("@ll", whole, rest))


def _done(work: Work) -> Conclusion:
    try:
        return work()
    except Exception as exc:  # noqa: BLE001 - it goes on where the association concludes
        return partial(_fail, exc)


def _fail(exc: Exception) -> None:
    raise exc
