"""A process of our own: a line on its standard input says what it is to do, and the end of that input ends it."""

import asyncio
import os
import sys
from contextlib import suppress


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
