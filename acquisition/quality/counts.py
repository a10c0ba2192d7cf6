"""Counts of the morning: readings added up from the moment a source stands, with progress on the way."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from acquisition.quality.placements import Exposure
from acquisition.quality.spectra import Channels, SpectrumRise
from devices.clock import Clock
from devices.errors import DeviceError, DeviceTimeout, DeviceUnavailable
from devices.protocols import Accounted, Connection, start_known_to_s
from devices.readings import CountReading, CountStatus
from devices.traffic import Condition
from navigation.statistics.counting import Rate, gross_rate, true_rate

WallTime = Callable[[float], datetime]
"""UTC of a stamp of the monotonic clock that the readings carry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """Readings of one placement added up.

    Attributes
    ----------
    counts
        Events as counted.
    live_time_s, real_time_s
        As in ``CountReading``, added up, s.
    dead_time_s
        Dead time per event that is not yet in the live time, as the instrument or the site file states it, s.
    started_at
        UTC of the first reading's start.
    is_overloaded
        Whether a reading said that it counted too few.
    spectrum
        Events of each channel meanwhile, in the window or not; None where the probe gives no spectrum.
    condition
        What the instrument said of itself by the end, since it was opened; None where it said nothing.

    """

    counts: int
    live_time_s: float
    real_time_s: float
    dead_time_s: float
    started_at: datetime
    is_overloaded: bool = False
    spectrum: tuple[int, ...] | None = None
    condition: Condition | None = None

    @property
    def middle_at(self) -> datetime:
        """UTC of the middle, which decay is reckoned to: off by less than 1e-5 in a minute of Ga-68."""
        return self.started_at + timedelta(seconds=self.real_time_s / 2)

    @property
    def rate(self) -> Rate:
        """Rate as counted."""
        return gross_rate(self.counts, self.live_time_s)

    @property
    def true_rate(self) -> Rate:
        """Rate corrected for the stated dead time; raises ``NavigationError`` where that is impossible."""
        return true_rate(self.rate, self.dead_time_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class CountProgress:
    """How far a count is.

    Attributes
    ----------
    counts, live_time_s
        So far.
    share
        Of the count, 0 to 1.
    remaining_s
        Until it ends, at the rate so far.
    recent_cps
        Rates of the newest readings, oldest first.

    """

    counts: int
    live_time_s: float
    share: float
    remaining_s: float
    recent_cps: tuple[float, ...] = ()


def progress_of(counts: int, live_time_s: float, exposure: Exposure) -> CountProgress:
    """How far a count is: the nearest of its ends decides."""
    remaining_s = exposure.longest_s - live_time_s
    share = live_time_s / exposure.longest_s
    if exposure.counts_wanted is not None:
        share = max(share, counts / exposure.counts_wanted)
        if counts:
            remaining_s = min(remaining_s, (exposure.counts_wanted - counts) * live_time_s / counts)
    if exposure.is_decided is not None and live_time_s and exposure.is_decided(counts, live_time_s):
        share = 1.0
    return CountProgress(
        counts=counts, live_time_s=live_time_s, share=min(share, 1.0), remaining_s=max(remaining_s, 0.0)
    )


START: Final = "Now start the count on the instrument"
EARLIER: Final = (
    "a count of {seconds:g} s may have begun before all stood as asked: left out, start another if none runs"
)
ANOTHER: Final = "{counts} counts in {seconds:g} s so far, which is not enough: start another if none runs"
"""What whoever places is told where the instrument does not stream."""

RECENT = 24
"""Readings whose rates are shown one by one."""


def _lately(progress: CountProgress, taken: Sequence[CountReading]) -> CountProgress:
    return replace(progress, recent_cps=tuple(reading.rate_cps for reading in taken[-RECENT:]))


class Counter:
    """Adds up the readings of an open probe; made by ``open_counter``.

    Readings between counts are received and dropped, so that none waits in a buffer and is taken for a later
    one.
    """

    def __init__(
        self,
        device: str,
        connection: Connection[CountReading],
        *,
        streams: bool,
        clock: Clock,
        wall_time: WallTime,
    ) -> None:
        self._device = device
        self._connection = connection
        self._streams = streams
        self._clock = clock
        self._wall_time = wall_time
        self._readings: asyncio.Queue[tuple[CountReading, Channels | None] | None] = asyncio.Queue()
        self._is_counting = False
        self._is_over = False
        self._condition: Condition | None = None
        self._failure: DeviceError = DeviceUnavailable(device, "its readings ended; open it again")

    async def receive(self, silence_s: float) -> None:
        """Take the connection's readings until it fails; its error is raised in the count that needs it."""
        connection = self._connection
        readings, rise = aiter(connection), SpectrumRise(connection)
        longest_s = silence_s if self._streams else None
        try:
            while True:
                async with asyncio.timeout(longest_s):
                    reading = await anext(readings)
                risen = rise.since_last()
                self._condition = connection.condition if isinstance(connection, Accounted) else None
                if self._is_counting:
                    self._readings.put_nowait((reading, risen))
        except TimeoutError:
            self._failure = DeviceTimeout(
                self._device, f"no reading for {silence_s:g} s; check that it is switched on and plugged in"
            )
        except DeviceError as exc:
            self._failure = exc
        finally:
            self._is_over = True
            self._readings.put_nowait(None)

    async def count(
        self,
        exposure: Exposure,
        *,
        settle_s: float,
        on_progress: Callable[[CountProgress], None],
        say: Callable[[str], None] = lambda _: None,
    ) -> Count:
        """Add up readings that begin ``settle_s`` from now or later, until the exposure has enough.

        Where the instrument does not stream, ``say`` is told when a count may be started there: so late that it
        is known to have begun after now.

        Raises
        ------
        DeviceError
            Where the probe failed since it was opened.

        """
        if self._is_over:
            raise self._failure
        begin_s = self._clock() + settle_s
        starting = asyncio.get_running_loop().call_later(settle_s + start_known_to_s(self._connection), say, START)
        if self._streams:
            starting.cancel()
        taken: list[CountReading] = []
        spectrum: Channels | None = None
        counts, live_time_s = 0, 0.0
        self._is_counting = True
        try:
            while (progress := progress_of(counts, live_time_s, exposure)).share < 1:
                on_progress(_lately(progress, taken))
                received = await self._readings.get()
                if received is None:
                    raise self._failure
                reading, risen = received
                if reading.taken_at_s >= begin_s:
                    if risen is not None:
                        spectrum = risen if spectrum is None else spectrum + risen
                    taken.append(reading)
                    counts += reading.counts
                    live_time_s += reading.live_time_s
                if not self._streams and reading.taken_at_s < begin_s:
                    say(EARLIER.format(seconds=reading.real_time_s))
                elif not self._streams and progress_of(counts, live_time_s, exposure).share < 1:
                    say(ANOTHER.format(counts=counts, seconds=live_time_s))
        finally:
            starting.cancel()
            self._is_counting = False
            self._readings = asyncio.Queue()
        on_progress(_lately(progress, taken))
        return Count(
            counts=counts,
            live_time_s=live_time_s,
            real_time_s=sum(reading.real_time_s for reading in taken),
            dead_time_s=max(reading.dead_time_s for reading in taken),
            started_at=self._wall_time(taken[0].taken_at_s),
            is_overloaded=any(
                reading.status in (CountStatus.OVERLOAD, CountStatus.SATURATED) for reading in taken
            ),
            spectrum=None if spectrum is None else tuple(spectrum.tolist()),
            condition=self._condition,
        )


@asynccontextmanager
async def open_counter(
    device: str,
    connection: Connection[CountReading],
    *,
    streams: bool,
    silence_s: float,
    clock: Clock,
    wall_time: WallTime,
) -> AsyncIterator[Counter]:
    """Receive an open probe's readings in the background while the counter is in use."""
    counter = Counter(device, connection, streams=streams, clock=clock, wall_time=wall_time)
    task = asyncio.create_task(counter.receive(silence_s), name=f"{device} readings")
    try:
        yield counter
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
