"""A process of our own: a line on its standard input says what it is to do, and the end of that input ends it."""

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from pydantic import BaseModel


async def start(
    module: str,
    instructions: BaseModel,
    *,
    descriptors: Sequence[int] = (),
    longest_line_bytes: int = 0,
    process_group: int | None = None,
) -> asyncio.subprocess.Process:
    """Start a module as a process, and write the line that tells it what to do.

    Parameters
    ----------
    module
        Its name, from the house's own folder.
    instructions
        What it is told, as one line of JSON; ``drain`` its standard input to know that it was taken.
    descriptors
        What it inherits beside its standard streams; their numbers are its arguments.
    longest_line_bytes
        Of its standard output, which is then read here; 0 where that goes nowhere.
    process_group
        0 for one of its own.

    Raises
    ------
    OSError
        Where it cannot be started.

    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *map(str, descriptors),
        stdin=PIPE,
        stdout=PIPE if longest_line_bytes else DEVNULL,  # ours may be for messages
        limit=longest_line_bytes or 1,
        pass_fds=descriptors,
        process_group=process_group,
        cwd=Path(__file__).parents[2],
    )
    standard_input(process).write(instructions.model_dump_json().encode() + b"\n")
    return process


def read_line() -> bytes:
    """In the process: wait for the line; what comes after it is left for others."""
    line = b""
    # unbuffered, so that nothing is held back from whoever reads on
    while not line.endswith(b"\n") and (read := os.read(sys.stdin.fileno(), 65536)):
        line += read
    return line


def standard_input(process: asyncio.subprocess.Process) -> asyncio.StreamWriter:
    """Give the standard input of a process that was started with one."""
    if process.stdin is None:
        raise RuntimeError("the process has no standard input")
    return process.stdin


async def end(process: asyncio.subprocess.Process, *, within_s: float) -> None:
    """End a process by closing its standard input, and kill it where it has not ended in time."""
    standard_input(process).close()
    with suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            await process.wait()
    if process.returncode is None:
        with suppress(ProcessLookupError):  # it has ended just now
            process.kill()
        await process.wait()
