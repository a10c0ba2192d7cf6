"""How processes of our own are told what to do, and ended."""

import asyncio
import json
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path

import pytest

from devices.dicom.child import end, standard_input, start
from devices.dicom.settings import Section

ECHO = """
import sys
from devices.dicom.child import read_line
sys.stdout.buffer.write(read_line())
"""


@pytest.mark.parametrize("closing", [b"\n", b""])
async def test_a_line_is_read_whole(closing: bytes) -> None:
    """One longer than a pipe holds comes whole; one whose writer has gone comes as far as it was written."""
    line = b"1.2.3." * 50_000 + closing
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", ECHO), stdin=PIPE, stdout=PIPE, cwd=Path(__file__).parents[3]
    )
    async with asyncio.timeout(60):
        output, _ = await process.communicate(line)
    assert output == line


class Told(Section):
    """What a process may be told."""

    calling_ae: str


async def test_what_is_started_is_told_and_heard() -> None:
    """A module gets the line, answers on its output where that is asked for, and ends with its input."""
    process = await start("json.tool", Told(calling_ae="GAMMA"), longest_line_bytes=1000)
    assert process.stdout is not None
    async with asyncio.timeout(60):
        await end(process, within_s=60)
        assert json.loads(await process.stdout.read()) == {"calling_ae": "GAMMA"}
    assert process.returncode == 0


async def test_one_that_ends_by_itself_is_not_killed() -> None:
    """Its standard input is closed, and it is waited for; ended again, it stays so."""
    process = await asyncio.create_subprocess_exec("cat", stdin=PIPE, stdout=DEVNULL)
    for _ in range(2):
        await end(process, within_s=60)
        assert process.returncode == 0


async def test_one_that_stays_is_killed() -> None:
    """What does not heed its standard input is ended all the same."""
    process = await asyncio.create_subprocess_exec("sleep", "600", stdin=PIPE)
    async with asyncio.timeout(60):
        await end(process, within_s=0.05)
    assert process.returncode == -signal.SIGKILL


async def test_one_without_standard_input_is_an_error() -> None:
    """It could not be told, nor ended in order."""
    process = await asyncio.create_subprocess_exec("true", stdin=DEVNULL)
    with pytest.raises(RuntimeError, match="no standard input"):
        standard_input(process)
    assert await process.wait() == 0
