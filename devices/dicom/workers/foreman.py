"""A process that forks workers whenever one is wanted.

It is forked itself before the node runs anything, and has one thread and no event loop for ever, so that forking
is safe and its children share the node's memory until they write to it.
"""

import gc
import os
import signal
import socket
import struct
from dataclasses import dataclass
from typing import Self

from devices.dicom.settings import NodeSettings
from devices.dicom.workers import worker

ANSWER_TIME_S = 5.0

_PROCESS_ID = struct.Struct("@q")


@dataclass(frozen=True, slots=True)
class Hand:
    """A worker's process, and the line to it."""

    process_id: int
    line: socket.socket


class Foreman:
    """The line to that process.

    Parameters
    ----------
    line
        To it; closing it ends it, and leaves the workers.

    """

    def __init__(self, line: socket.socket) -> None:
        self._line = line

    @classmethod
    def hire(cls, settings: NodeSettings) -> Self:
        """Fork it; call it while this process has one thread and no event loop."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        gc.freeze()  # what is there is never looked through, here nor there, and so stays shared
        if os.fork() == 0:
            ours.close()
            # the service waits for the ends of these
            nothing = os.open(os.devnull, os.O_RDWR)
            os.dup2(nothing, 0)
            os.dup2(nothing, 1)
            _serve(settings, theirs)
        theirs.close()
        ours.settimeout(ANSWER_TIME_S)
        return cls(ours)

    def fork(self) -> Hand:
        """Get a worker.

        Raises
        ------
        OSError
            Where there is none to be had.

        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                socket.send_fds(self._line, [b"fork"], [theirs.fileno()])
                answer = self._line.recv(_PROCESS_ID.size)
                if len(answer) != _PROCESS_ID.size:
                    raise ConnectionError("the process that forks workers is gone")
            except OSError:
                ours.close()
                raise
        return Hand(int(_PROCESS_ID.unpack(answer)[0]), ours)

    def close(self) -> None:
        """End it."""
        self._line.close()


def _serve(settings: NodeSettings, line: socket.socket) -> None:
    """Fork a worker for each line that comes, until the node closes its own; then end the process."""
    worker.leave_signals_to_the_node()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how a worker ended: its line tells that it did
    while True:
        packet, descriptors, _, _ = socket.recv_fds(line, 16, 1)
        if not packet or not descriptors:
            os._exit(0)
        with socket.socket(fileno=descriptors[0]) as theirs:
            process_id = os.fork()
            if process_id == 0:
                line.close()
                worker.serve(settings, theirs)
        line.send(_PROCESS_ID.pack(process_id))
