"""A process of its own beside the service: it is asked, it answers, and it may end at any time.

Numerics hold the interpreter's lock for tens of milliseconds. In another process they delay no frame, and one that
ends takes nothing with it but its answers. Questions and answers go through a pipe, pickled: both ends are ours.
"""

import asyncio
import os
import resource
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from devices.stderr_log import log_to_stderr

START_S = 60.0
"""Longest time to the first answer, which waits for an interpreter's start and imports, also on a busy host."""

EXIT_S = 1.0
"""Longest wait for the exit code of a process that has closed its pipe."""

RESTART_S = 1.0
"""Time until a process that has ended is started again."""


class ProcessDied(Exception):
    """Raised when a process ended before it had answered, or hung and was ended; the message says which."""


def _exchange(connection: Connection, question: object) -> object:
    connection.send(question)
    answer: object = connection.recv()
    return answer


class Companion:
    """A process that is asked one question at a time, by a thread that waits for the answer."""

    def __init__(self, process: asyncio.subprocess.Process, connection: Connection) -> None:
        self._process = process
        self._connection = connection
        self._talking: asyncio.Future[object] | None = None
        self._ending = asyncio.create_task(process.wait(), name="process apart")

    async def ask(self, question: object, *, within_s: float) -> Any:
        """Give its answer.

        Raises
        ------
        ProcessDied
            Where there is none after ``within_s``, or the process ends before.

        """
        self._talking = asyncio.ensure_future(asyncio.to_thread(_exchange, self._connection, question))
        try:
            async with asyncio.timeout(within_s):
                return await asyncio.shield(self._talking)
        except TimeoutError as exc:  # before OSError, which it is one of
            raise ProcessDied(f"it hung: no answer in {within_s:.0f} s") from exc
        except (EOFError, OSError) as exc:
            await asyncio.wait({self._ending}, timeout=EXIT_S)
            raise ProcessDied(f"it ended without an answer, exit code {self._process.returncode}") from exc

    async def idle_until(self, event: asyncio.Event) -> None:
        """Ask nothing until an event is set, and clear that.

        Raises
        ------
        ProcessDied
            Where the process ends before.

        """

        def wake(_: object) -> None:
            event.set()

        self._ending.add_done_callback(wake)
        try:
            await event.wait()
        finally:
            self._ending.remove_done_callback(wake)
        event.clear()
        if self._ending.done():
            raise ProcessDied("it ended by itself")

    async def end(self) -> None:
        """End it, which frees a thread that waits for its answer; only then is the pipe no longer in use."""
        if self._process.returncode is None:
            self._process.kill()
        await self._ending
        if self._talking is not None:
            await asyncio.gather(self._talking, return_exceptions=True)
        self._connection.close()


@asynccontextmanager
async def run_apart(module: str) -> AsyncIterator[Companion]:
    """Run ``python -m module CONNECTION`` until the end of the block; gives what asks it.

    Raises
    ------
    ProcessDied
        Where it cannot be started.

    """
    ours, its = Pipe()
    try:
        # a fresh interpreter that imports what it needs: multiprocessing's would import the whole service first
        with its:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", module, str(its.fileno())),
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=(its.fileno(),),
                cwd=Path(__file__).parents[1],
            )
    except BaseException as exc:
        ours.close()
        if isinstance(exc, OSError):
            raise ProcessDied(f"it could not be started ({exc.strerror})") from exc
        raise
    companion = Companion(process, ours)
    try:
        yield companion
    finally:
        # a task of its own: whoever is cancelled meanwhile waits for it all the same, and leaves nothing behind
        ending = asyncio.create_task(companion.end(), name=f"end of {module}")
        try:
            await asyncio.shield(ending)
        except asyncio.CancelledError:
            await asyncio.wait({ending})
            raise


def stand_back(niceness: int) -> None:
    """Let whatever else wants the processor have it before this process, which may be late.

    Where the system knows batch work, being woken never takes the processor from who runs there, as from whoever
    wrote to the pipe.
    """
    os.nice(niceness)
    if sys.platform == "linux":
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def limit_memory(most_bytes: int) -> None:
    """Let this process take so much memory: what asks for more gets a `MemoryError`, and can say so.

    Without, the system ends whichever process it likes best.
    """
    _, hardest = resource.getrlimit(resource.RLIMIT_DATA)
    most = most_bytes if hardest == resource.RLIM_INFINITY else min(most_bytes, hardest)
    resource.setrlimit(resource.RLIMIT_DATA, (most, hardest))


def answer_all(answer: Callable[[Any], object], *, niceness: int) -> None:
    """Be that process: answer each question until nobody asks any more, on one processor, standing back.

    ``niceness`` says how far: what it works on may be late, a count or a frame may not.
    """
    log_to_stderr()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal reaches it too: its asker ends it
    stand_back(niceness)
    # an end of the pipe is the end of the asker, as when that was killed
    with threadpool_limits(limits=1), Connection(int(sys.argv[1])) as asker, suppress(EOFError, OSError):
        while True:
            asker.send(answer(asker.recv()))
