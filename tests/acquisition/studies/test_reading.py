"""Studies are read in a process of their own, which leaves nothing behind however it ends."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from pydicom.dataset import Dataset

from acquisition.studies.reading import ReaderDied, StudyMap, StudyReader, read_map
from simulators.console.study import make_study
from simulators.scene import sentinel_node_scene
from tests.acquisition.children import children
from tests.acquisition.studies.written import write_ct, write_nm

READER = "acquisition.studies.reader"

PATIENCE_S = 120.0
"""The longest wait for a process, on a busy machine: twice what is left to a reader to start."""

TAKEN_AT = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Scan a patient once for all tests."""
    folder = tmp_path_factory.mktemp("study")
    return make_study(sentinel_node_scene(), folder, rng=np.random.default_rng(7), taken_at=TAKEN_AT)


class Stuck:
    """An object whose reading never ends: a pipe that nobody writes to."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = path
        self._writer = -1

    async def until_read(self) -> None:
        """Wait until it is being read."""
        async with asyncio.timeout(PATIENCE_S):
            while self._writer < 0:
                with contextlib.suppress(OSError):  # until somebody has it open
                    self._writer = os.open(self.path, os.O_WRONLY | os.O_NONBLOCK)
                await asyncio.sleep(0.01)

    def close(self) -> None:
        """Let go of it."""
        if self._writer >= 0:
            os.close(self._writer)


@pytest.fixture
def stuck(tmp_path: Path) -> Iterator[Stuck]:
    """An object that a reader stays in."""
    object_ = Stuck(tmp_path / "stuck.dcm")
    yield object_
    object_.close()


@pytest_asyncio.fixture
async def reader() -> AsyncIterator[StudyReader]:
    """Run a reader, and see that none of its processes outlives it."""
    reader = StudyReader()
    running = asyncio.create_task(reader.run())
    yield reader
    running.cancel()
    await ended(running)


async def ended(*tasks: asyncio.Task[StudyMap] | asyncio.Task[None]) -> None:
    """Wait until cancelled tasks have ended, and with them whatever process they had."""
    async with asyncio.timeout(PATIENCE_S):
        told = await asyncio.gather(*tasks, return_exceptions=True)
        # cancelled while it ends a process, a reader leaves that to a task of its own
        ending = [task for task in asyncio.all_tasks() if task.get_name() == "end of acquisition.studies.reader"]
        await asyncio.gather(*ending)
    assert all(isinstance(each, asyncio.CancelledError) for each in told)
    assert children(READER) == []


async def child_id(*, other_than: int = 0) -> int:
    """Wait for a reader's process and tell its id."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            for child in children(READER):
                if child != other_than:
                    return child
            await asyncio.sleep(0.01)  # whoever looks without a rest takes the processor from what is to start


async def test_a_consoles_study_becomes_a_map(reader: StudyReader, objects: list[Path]) -> None:
    """Both volumes, the skin and both hot spots cross the border between the processes, in the patient's axes."""
    scene = sentinel_node_scene()
    found = await reader.read(objects)
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


async def test_a_study_without_ct_says_what_is_missing(reader: StudyReader, objects: list[Path]) -> None:
    """Hot spots are found, but no skin: no depth will be guessed."""
    found = await reader.read(objects[-1:])
    assert found.skin is None
    assert "no CT" in found.obstacle
    assert len(found.hotspots) == 2


LITTLE_MEMORY = """
import sys
from pathlib import Path
from acquisition.apart import limit_memory
from acquisition.studies.reading import make_map
from acquisition.studies import read_study
study = read_study([Path(each) for each in sys.argv[1:]])
(held,) = (line.split()[1] for line in Path("/proc/self/status").open() if line.startswith("VmData"))
limit_memory(1024 * int(held) + 2**27)
found = make_map(study)
for one in found.study.series:
    print(one.modality, one.accepted, one.reason)
print(found.study.activity, found.hotspots, found.study.anatomy is not None)
"""


def test_a_map_whose_spots_need_more_memory_than_there_is_is_none(tmp_path: Path) -> None:
    """It does not look as if it held no spots: the activity is refused, and the CT stays in use."""
    pixels = np.zeros((256, 256, 256), np.uint16)
    pixels[128, 128, 128] = 1000
    paths = [*write_nm(tmp_path, pixels=pixels), *write_ct(tmp_path)]
    command = [sys.executable, "-c", LITTLE_MEMORY, *map(str, paths)]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603
    assert "NM False its hot spots cannot be found: there is not enough memory for its voxels\n" in told
    assert "CT True" in told
    assert told.endswith("None () True\n")


def test_a_ct_too_thin_for_a_skin_does_not_take_the_map(tmp_path: Path) -> None:
    """Three pixels of 0.01 mm: with air around them they would be 10^11; the spots are known without."""

    def thin(number: int, dataset: Dataset) -> None:
        dataset.PixelSpacing, dataset.ImagePositionPatient = [0.01, 0.01], [0.0, 0.0, 0.2 * number]

    pixels = np.full((32, 48, 64), 50, np.uint16)
    pixels[15:18, 21:27, 28:36] = 5000
    thin_ct = write_ct(tmp_path, pixels=np.full((3, 1, 1), 1064, np.int16), edit=thin)
    found = read_map([*write_nm(tmp_path, pixels=pixels), *thin_ct])
    assert found.skin is None
    assert found.obstacle.startswith("skin: the CT is only 0.01 mm thick")
    assert len(found.hotspots) == 1


async def test_it_waits_with_its_imports_done(reader: StudyReader, objects: list[Path]) -> None:
    """A process is there before a study is; the next study has another one, which nothing has happened to."""
    first = await child_id()
    await reader.read(objects[-1:])
    second = await child_id(other_than=first)
    await reader.read(objects[-1:])
    assert await child_id(other_than=second) != first


async def test_studies_wait_for_each_other(reader: StudyReader, objects: list[Path]) -> None:
    """Asked at once, each gets its own answer; of one given up before its turn nothing is read."""
    given_up = asyncio.create_task(reader.read(objects))
    both = [asyncio.create_task(reader.read(each)) for each in (objects[:-1], objects[-1:])]
    await asyncio.sleep(0)
    given_up.cancel()
    without_activity, without_anatomy = await asyncio.gather(*both)
    assert (without_activity.study.activity, without_anatomy.study.anatomy) == (None, None)
    assert without_anatomy.study.activity is not None


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
async def test_a_reader_that_dies_is_an_error_that_says_how(
    reader: StudyReader, stuck: Stuck, objects: list[Path], number: signal.Signals
) -> None:
    """Killed by the kernel without memory or by its decoder: the exit code is told, and others are read."""
    first = await child_id()
    reading = asyncio.create_task(reader.read([stuck.path]))
    await stuck.until_read()
    os.kill(first, number)
    with pytest.raises(ReaderDied, match=f"exit code -{number.value}"):
        await reading
    assert (await reader.read(objects[-1:])).study.activity is not None


async def test_one_that_dies_while_it_waits_is_replaced(reader: StudyReader, objects: list[Path]) -> None:
    """Nobody had asked it for anything: the next study is read as if nothing had been."""
    os.kill(await child_id(), signal.SIGKILL)
    assert (await reader.read(objects[-1:])).study.activity is not None


async def test_a_study_that_takes_for_ever_is_given_up(
    reader: StudyReader, stuck: Stuck, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader that does not answer in its time is ended, so that the next study has its turn."""
    monkeypatch.setattr("acquisition.studies.reading.LONGEST_S", 0.5)
    first = await child_id()
    with pytest.raises(ReaderDied, match="no answer in 0 s"):
        await reader.read([stuck.path])
    assert await child_id(other_than=first)


async def test_cancelling_ends_the_reader(reader: StudyReader, stuck: Stuck) -> None:
    """A study that nobody waits for any more is not read on."""
    number = await child_id()
    reading = asyncio.create_task(reader.read([stuck.path]))
    await stuck.until_read()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    await child_id(other_than=number)
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)


async def test_a_service_that_ends_waits_for_no_study(stuck: Stuck) -> None:
    """Ended while a study is read, by all of its tasks at once: no process and nobody who waits is left."""
    reader = StudyReader()
    running, reading = asyncio.create_task(reader.run()), asyncio.create_task(reader.read([stuck.path]))
    await stuck.until_read()
    for task in (running, reading):
        task.cancel()
    await ended(running, reading)


async def test_the_loop_goes_on_while_a_study_is_read(reader: StudyReader, objects: list[Path]) -> None:
    """Frames are made each 50 ms: no step of the reading holds the loop for as long as a display may be silent."""
    longest_s = 0.0
    reading = asyncio.create_task(reader.read(objects))
    while not reading.done():
        began_s = time.thread_time()  # of this thread alone: what a busy host takes away is not ours
        await asyncio.sleep(0.005)
        longest_s = max(longest_s, time.thread_time() - began_s)
    await reading
    assert longest_s < 0.5
