"""Counts added up from a probe's readings: only those that begin after the source stands."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime

import pytest

from acquisition.quality.counts import ANOTHER, EARLIER, START, Counter, CountProgress, open_counter, progress_of
from acquisition.quality.placements import Exposure, Placement
from devices.clock import monotonic
from devices.errors import DeviceTimeout, DeviceUnavailable
from devices.readings import CountReading, CountStatus

EMPTY = Placement(instruction="Put every source away")
SECONDS = 5.0


class Readings:
    """A connection whose readings the test hands over."""

    identity = "hand-fed"
    rejected = 0

    def __init__(self) -> None:
        self.queue: asyncio.Queue[CountReading | Exception] = asyncio.Queue()

    def __aiter__(self) -> AsyncIterator[CountReading]:
        return self

    async def __anext__(self) -> CountReading:
        item = await self.queue.get()
        self.queue.task_done()
        if isinstance(item, Exception):
            raise item
        return item


def reading(taken_at_s: float, counts: int = 10, status: CountStatus = CountStatus.OK) -> CountReading:
    """Build a second's reading."""
    return CountReading(
        device="gamma",
        taken_at_s=taken_at_s,
        real_time_s=1.0,
        live_time_s=0.9,
        counts=counts,
        dead_time_s=1e-6,
        status=status,
    )


def counting(
    readings: Readings, *, streams: bool = True, silence_s: float = SECONDS
) -> AbstractAsyncContextManager[Counter]:
    """Open a counter whose clock stands at 100 s."""
    return open_counter(
        "gamma",
        readings,
        streams=streams,
        silence_s=silence_s,
        clock=lambda: 100.0,
        wall_time=lambda taken_at_s: datetime.fromtimestamp(taken_at_s, tz=UTC),
    )


async def test_only_readings_that_begin_after_settling_count() -> None:
    """Readings of the time in which hands were on the bench are left out."""
    readings, shown = Readings(), list[CountProgress]()
    for taken_at_s in (99.0, 100.0, 100.4, 101.0, 102.0):
        readings.queue.put_nowait(reading(taken_at_s))
    async with asyncio.timeout(SECONDS), counting(readings) as counter:
        found = await counter.count(
            Exposure(placement=EMPTY, longest_s=1.5), settle_s=0.5, on_progress=shown.append
        )
    assert (found.counts, found.live_time_s, found.real_time_s) == (20, 1.8, 2.0)
    assert found.dead_time_s == 1e-6
    assert found.started_at == datetime.fromtimestamp(101.0, tz=UTC)
    assert found.middle_at == datetime.fromtimestamp(102.0, tz=UTC)
    assert shown[0].share == 0
    assert shown[-1].share == 1


async def test_a_count_ends_when_it_has_enough() -> None:
    """Twenty counts are wanted: the second reading ends it long before the time."""
    readings = Readings()
    for number in range(5):
        readings.queue.put_nowait(reading(101.0 + number))
    exposure = Exposure(placement=EMPTY, longest_s=60.0, counts_wanted=20)
    async with asyncio.timeout(SECONDS), counting(readings) as counter:
        assert (await counter.count(exposure, settle_s=0.0, on_progress=lambda _: None)).counts == 20


async def test_readings_between_counts_are_dropped() -> None:
    """What came while a source was being placed is not taken for the next count."""
    readings = Readings()
    readings.queue.put_nowait(reading(101.0, counts=1))
    exposure = Exposure(placement=EMPTY, longest_s=0.5)
    async with asyncio.timeout(SECONDS), counting(readings) as counter:
        first = await counter.count(exposure, settle_s=0.0, on_progress=lambda _: None)
        readings.queue.put_nowait(reading(102.0, counts=1000))
        await readings.queue.join()
        waiting = asyncio.create_task(counter.count(exposure, settle_s=0.0, on_progress=lambda _: None))
        await asyncio.sleep(0)
        readings.queue.put_nowait(reading(103.0, counts=2))
        second = await waiting
    assert (first.counts, second.counts) == (1, 2)


@pytest.mark.parametrize("status", [CountStatus.OVERLOAD, CountStatus.SATURATED])
async def test_an_overload_marks_the_count(status: CountStatus) -> None:
    """One reading that counted too few makes the whole count doubtful."""
    readings = Readings()
    readings.queue.put_nowait(reading(101.0, status=status))
    readings.queue.put_nowait(reading(102.0))
    async with asyncio.timeout(SECONDS), counting(readings) as counter:
        found = await counter.count(
            Exposure(placement=EMPTY, longest_s=1.5), settle_s=0.0, on_progress=lambda _: None
        )
    assert found.is_overloaded


async def test_a_lost_link_is_raised_in_the_count() -> None:
    """A cable pulled in mid-count ends it with the driver's own words, and so does the next count."""
    readings = Readings()
    readings.queue.put_nowait(reading(101.0))
    readings.queue.put_nowait(DeviceUnavailable("gamma", "the cable is out"))
    exposure = Exposure(placement=EMPTY, longest_s=60.0)
    async with asyncio.timeout(SECONDS), counting(readings) as counter:
        for _ in range(2):
            with pytest.raises(DeviceUnavailable, match="cable is out"):
                await counter.count(exposure, settle_s=0.0, on_progress=lambda _: None)


async def test_a_silent_probe_is_raised_in_the_count() -> None:
    """A probe that sends nothing within its time ends the count instead of holding it for ever."""
    async with asyncio.timeout(SECONDS), counting(Readings(), silence_s=0.01) as counter:
        with pytest.raises(DeviceTimeout, match="no reading"):
            await counter.count(
                Exposure(placement=EMPTY, longest_s=60.0), settle_s=0.0, on_progress=lambda _: None
            )


class Finished(Readings):
    """One to an instrument that tells a count once it is finished."""

    start_known_to_s = 0.05


async def test_finished_counts_are_started_by_hand_and_waited_for() -> None:
    """Who places is told when to start one, that one may have begun before, and that one is not enough."""
    readings, said, is_said = Finished(), list[str](), asyncio.Event()

    def say(sentence: str) -> None:
        said.append(sentence)
        is_said.set()

    exposure = Exposure(placement=EMPTY, longest_s=1.5)
    async with asyncio.timeout(SECONDS), counting(readings, streams=False, silence_s=0.001) as counter:
        began_s = monotonic()
        waiting = asyncio.create_task(counter.count(exposure, settle_s=0.5, on_progress=lambda _: None, say=say))
        await is_said.wait()  # long after the silence of a probe that sends all the time
        assert monotonic() - began_s >= 0.5 + Finished.start_known_to_s
        assert said == [START]
        for taken_at_s, counts in ((100.4, 1000), (100.6, 7), (101.6, 8)):
            readings.queue.put_nowait(reading(taken_at_s, counts))
        found = await waiting
    assert (found.counts, found.live_time_s) == (15, 1.8)
    assert said[1:] == [EARLIER.format(seconds=1.0), ANOTHER.format(counts=7, seconds=0.9)]


async def test_of_a_probe_that_streams_no_count_is_started_by_hand() -> None:
    """There is no button to press: whoever places is told nothing."""
    readings, said = Readings(), list[str]()
    asyncio.get_running_loop().call_later(0.02, readings.queue.put_nowait, reading(100.4))
    exposure = Exposure(placement=EMPTY, longest_s=0.5)
    async with asyncio.timeout(SECONDS), counting(readings) as counter:
        await counter.count(exposure, settle_s=0.0, on_progress=lambda _: None, say=said.append)
    assert said == []


async def test_a_fault_of_the_program_is_not_taken_for_a_silent_probe() -> None:
    """An error that is no device's comes out as itself."""
    readings = Readings()
    readings.queue.put_nowait(ZeroDivisionError("a bug"))
    exposure = Exposure(placement=EMPTY, longest_s=60.0)
    with pytest.raises(ZeroDivisionError):
        async with asyncio.timeout(SECONDS), counting(readings) as counter:
            await counter.count(exposure, settle_s=0.0, on_progress=lambda _: None)


def test_remaining_time_follows_the_rate() -> None:
    """At 100 cps the 900 counts that are missing take 9 s, well before the time is up."""
    exposure = Exposure(placement=EMPTY, longest_s=60.0, counts_wanted=1000)
    found = progress_of(100, 1.0, exposure)
    assert (found.share, found.remaining_s) == pytest.approx((0.1, 9.0))
    weak = progress_of(1, 30.0, exposure)
    assert (weak.share, weak.remaining_s) == pytest.approx((0.5, 30.0))
