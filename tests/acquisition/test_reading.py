"""Studies are read in a process of their own, which leaves nothing behind however it ends."""

import asyncio
import os
import signal
import struct
import time
from datetime import UTC, datetime
from multiprocessing import Pipe
from pathlib import Path

import numpy as np
import pytest

from acquisition.reading import ReaderDied, _receive, read_map_apart
from simulators.console.study import make_study
from simulators.scene import sentinel_node_scene

TAKEN_AT = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Scan a patient once for all tests."""
    folder = tmp_path_factory.mktemp("study")
    return make_study(sentinel_node_scene(), folder, rng=np.random.default_rng(7), taken_at=TAKEN_AT)


@pytest.fixture
def stuck(tmp_path: Path) -> Path:
    """An object whose reading never ends: a pipe that nobody writes to."""
    path = tmp_path / "stuck.dcm"
    os.mkfifo(path)
    return path


def children() -> list[int]:
    """Processes that we started and that have not been waited for."""
    tasks = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    named = " ".join(task.read_text() for task in tasks).split()
    return [int(number) for number in named if b"acquisition.reader" in _command(number)]


def _command(number: str) -> bytes:
    try:
        return Path(f"/proc/{number}/cmdline").read_bytes()
    except FileNotFoundError:
        return b""


async def child_id() -> int:
    """Wait for the reader's process and tell its id."""
    async with asyncio.timeout(20):
        while True:
            for child in children():
                return child
            await asyncio.sleep(0)


async def test_a_consoles_study_becomes_a_map(objects: list[Path]) -> None:
    """Both volumes, the skin and both hot spots cross the border between the processes, in the patient's axes."""
    scene = sentinel_node_scene()
    found = await read_map_apart(objects)
    assert (found.study.patient_id, found.study.patient_name) == ("SIM-0001", "SIMULATED^PATIENT")
    assert found.study.anatomy is not None
    assert found.study.activity is not None
    assert found.study.activity.unit == "Bq/mL"
    for kind in ("target", "injection"):
        (truth,) = (source for source in scene.scan_sources if source.kind == kind)
        (spot,) = (spot for spot in found.hotspots if spot.kind == kind)
        assert np.linalg.norm(spot.centre_mm - truth.centre_mm) < 3.0
        assert spot.centre_mm[0] > 0, "she has it on her left"
    assert found.obstacle == ""
    assert found.skin is not None
    front_mm, outward = scene.body.skin(0.3, 0.0)
    (height_mm,) = found.skin.skin_at(front_mm[None] + 20 * outward).height_mm
    assert height_mm == pytest.approx(20.0, abs=3.0)
    assert children() == []


async def test_a_study_without_ct_says_what_is_missing(objects: list[Path]) -> None:
    """Hot spots are found, but no skin: no depth will be guessed."""
    found = await read_map_apart(objects[-1:])
    assert found.skin is None
    assert "no CT" in found.obstacle
    assert len(found.hotspots) == 2


async def test_a_killed_reader_is_an_error_that_says_how(stuck: Path) -> None:
    """Out of memory the kernel kills it with signal 9: its exit code is told, and nothing is left."""
    reading = asyncio.create_task(read_map_apart([stuck]))
    os.kill(await child_id(), signal.SIGKILL)
    with pytest.raises(ReaderDied, match="exit code -9") as died:
        await reading
    assert died.value.exit_code == -9
    assert children() == []


async def test_a_crashed_reader_is_told_from_a_killed_one(stuck: Path) -> None:
    """A decoder that breaks memory dies of signal 11, and that is what is said."""
    reading = asyncio.create_task(read_map_apart([stuck]))
    os.kill(await child_id(), signal.SIGSEGV)
    with pytest.raises(ReaderDied) as died:
        await reading
    assert died.value.exit_code == -11


async def test_cancelling_ends_the_reader(stuck: Path) -> None:
    """A service that ends does not wait for a study that is being read, and leaves no process."""
    reading = asyncio.create_task(read_map_apart([stuck]))
    number = await child_id()
    reading.cancel()
    async with asyncio.timeout(5):
        with pytest.raises(asyncio.CancelledError):
            await reading
    assert children() == []
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)


def test_an_answer_that_breaks_off_is_no_answer() -> None:
    """A reader killed while it sends its volumes has died like any other, and is no error of another kind."""
    answers, question = Pipe(duplex=False)
    # multiprocessing's frame: length in four bytes, big-endian, then so many bytes
    os.write(question.fileno(), struct.pack("!i", 1000) + b"\x80\x05half a study")
    question.close()
    assert _receive(answers) is None
    answers.close()


async def test_the_loop_goes_on_while_a_study_is_read(objects: list[Path]) -> None:
    """Frames are made each 50 ms: no step of the reading holds the loop for as long as a display may be silent."""
    longest_s = 0.0
    reading = asyncio.create_task(read_map_apart(objects))
    while not reading.done():
        began_s = time.thread_time()  # of this thread alone: what a busy host takes away is not ours
        await asyncio.sleep(0.005)
        longest_s = max(longest_s, time.thread_time() - began_s)
    await reading
    assert longest_s < 0.5
