"""Keeps one device running for ever: opens it, watches that data come, opens it again.

A device that fails is a state to be shown, not an error to end on. That holds too where its driver raises what it
should not: the link is lost, the trace is logged, and the other devices go on. What is raised by those who are
given its readings and states is a fault of ours and goes up to the task group.
"""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Generic, TypeVar

import structlog

from devices.clock import Clock
from devices.errors import NOT_ITS_WORDS, DeviceError, DeviceTimeout, DeviceUnavailable
from devices.identity import FirstAnswer
from devices.protocols import Accounted, Connection, DeviceSettings, Timed
from devices.readings import DeviceHealth, LinkState
from devices.traffic import Condition, Traffic

log = structlog.get_logger()

Reading = TypeVar("Reading")
Told = TypeVar("Told")

FIRST_DELAY_S = 0.2
GREATEST_DELAY_S = 1.5
"""So that one which is plugged in again is opened within it, and live within 2 s."""
TELLING_INTERVAL_S = 1.0
"""How often it is told of a live device what came of it, and how well the times of its frames are known."""


class Supervisor(Generic[Reading]):
    """Runs one device; ``run()`` belongs in a task group and ends only when cancelled.

    ``LIVE`` means that readings come, not that a port is open: a device is live from its first reading, silent
    when ``silence_s`` pass without one, lost when the link is. One that tells finished counts only is live while
    it answers. What answers after a reopening must be the same instrument as before, since a calibration belongs
    to one; one that cannot say who it is must hang on the same USB adapter.

    Parameters
    ----------
    device
        The device's name in the site file.
    settings
        Its entry there: opens it, and says after which silence it is opened again.
    on_reading
        Called with every reading, in order.
    on_health
        Called whenever the state or its sentence changes, at each reopening, and each second while readings come
        of a device that numbers its frames or gives account of its link.
    clock
        Stamps readings and states.
    jitter
        Gives a number in [0, 1), such as a generator's ``random``: spreads the attempts of several devices.
    connect_s
        Longest time to open the link and learn who answers, s; None: as its settings say.

    """

    def __init__(
        self,
        device: str,
        settings: DeviceSettings[Reading],
        *,
        on_reading: Callable[[Reading], None],
        on_health: Callable[[DeviceHealth], None],
        clock: Clock,
        jitter: Callable[[], float],
        connect_s: float | None = None,
    ) -> None:
        self.device = device
        self._settings = settings
        self._on_reading = on_reading
        self._on_health = on_health
        self._clock = clock
        self._jitter = jitter
        self._connect_s = settings.opening_s if connect_s is None else connect_s
        self._state = LinkState.CONNECTING
        self._since_s = clock()
        self._detail = "being opened"
        self._opened = 0
        self._failures = 0
        self._rejected = 0
        self._connection: Connection[Reading] | None = None
        self._first = FirstAnswer(device)
        self._traffic = Traffic()
        self._condition: Condition | None = None
        self._is_accounted = False
        self._is_telling = False

    @property
    def identity(self) -> str:
        """What the device said it is when it was first opened; empty where it cannot say."""
        return self._first.identity

    @property
    def health(self) -> DeviceHealth:
        """What is known now."""
        rejected = self._connection.rejected if self._connection is not None else 0
        connection: object = self._connection  # of which mypy believes that it cannot be timed
        traffic, condition = self._traffic, self._condition
        if isinstance(connection, Accounted):
            traffic, condition = traffic + connection.traffic, connection.condition or condition
        return DeviceHealth(
            device=self.device,
            state=self._state,
            since_s=self._since_s,
            detail=self._detail,
            reconnects=max(self._opened - 1, 0),
            rejected=self._rejected + rejected,
            timing=connection.timing if isinstance(connection, Timed) else None,
            traffic=traffic if self._is_accounted else None,
            condition=condition,
        )

    async def run(self) -> None:
        """Run the device until cancelled; cancelling closes its link."""
        self._on_health(self.health)
        while True:
            try:
                async with AsyncExitStack() as stack:
                    await self._watch(await self._open(stack))
            except DeviceTimeout as exc:
                self._traffic += Traffic(timeouts=1)
                self._enter(LinkState.SILENT, str(exc).removeprefix(f"{self.device}: "))
            except DeviceError as exc:
                self._enter(LinkState.LOST, str(exc).removeprefix(f"{self.device}: "))
            except Exception as exc:
                if self._is_telling:
                    raise
                log.exception("device_driver_failed", device=self.device)
                self._enter(LinkState.LOST, f"its driver failed: {_words(exc)}; keep the log and report it")
            finally:
                self._let_go()
            await asyncio.sleep(self._delay_s())
            self._failures += 1

    async def _open(self, stack: AsyncExitStack) -> Connection[Reading]:
        try:
            async with asyncio.timeout(self._connect_s) as limit:
                connection = await stack.enter_async_context(
                    self._settings.connect(self.device, clock=self._clock)
                )
        except TimeoutError as exc:
            if not limit.expired():
                raise
            raise DeviceUnavailable(
                self.device, f"could not be opened within {self._connect_s:g} s: check its cable and power"
            ) from exc
        self._first.check(connection.identity, connection)
        accounted: object = connection  # of which mypy believes that it gives no account
        self._is_accounted = isinstance(accounted, Accounted)
        self._connection = connection
        self._opened += 1
        if self._state is LinkState.SILENT:  # and that it is until a reading comes
            self._tell(self._on_health, self.health)
        else:
            self._enter(LinkState.CONNECTING, "open, waiting for its first reading")
        return connection

    async def _watch(self, connection: Connection[Reading]) -> None:
        readings, told_at_s, understood = aiter(connection), self._clock(), 0
        # asked once: of a protocol it takes longer than all else that is done with a reading here
        come_over, has_more_to_tell = _come_over(connection), isinstance(connection, Timed | Accounted)
        streams = self._settings.streams
        if not streams:  # it has answered, and there may be nothing to tell for long
            self._failures = 0
            self._enter(LinkState.LIVE, "")
        while True:
            try:
                async with asyncio.timeout(self._settings.silence_s if streams else TELLING_INTERVAL_S) as limit:
                    reading = await anext(readings)
            except TimeoutError as exc:
                if not limit.expired():
                    raise
                if not streams:
                    told_at_s = self._clock()
                    self._tell(self._on_health, self.health)
                    continue
                raise DeviceTimeout(self.device, self._silence(is_heard=come_over() != understood)) from exc
            self._failures, understood = 0, come_over()
            self._enter(LinkState.LIVE, "")
            self._tell(self._on_reading, reading)
            if has_more_to_tell and self._clock() - told_at_s >= TELLING_INTERVAL_S:
                told_at_s = self._clock()
                self._tell(self._on_health, self.health)

    def _silence(self, *, is_heard: bool) -> str:
        silence = f"no reading for {self._settings.silence_s:g} s"
        if is_heard:
            return f"{silence}, {NOT_ITS_WORDS}"
        return f"{silence}: check that it is switched on and its cable is whole"

    def _enter(self, state: LinkState, detail: str) -> None:
        if (state, detail) == (self._state, self._detail):
            return
        if state is not self._state:
            self._since_s = self._clock()
        self._state, self._detail = state, detail
        health = self.health
        say = log.info if state in {LinkState.LIVE, LinkState.CONNECTING} else log.warning
        say("device", device=self.device, state=str(state), detail=detail, reconnects=health.reconnects)
        self._tell(self._on_health, health)

    def _tell(self, listener: Callable[[Told], None], told: Told) -> None:
        """Hand something on; an error that is raised meanwhile is none of the device's."""
        self._is_telling = True
        listener(told)
        self._is_telling = False

    def _let_go(self) -> None:
        if self._connection is not None:
            self._rejected += self._connection.rejected
            connection: object = self._connection
            if isinstance(connection, Accounted):
                self._traffic += connection.traffic
                self._condition = connection.condition or self._condition
            self._connection = None

    def _delay_s(self) -> float:
        """Doubling from attempt to attempt, up to half of it taken off at random."""
        longest_s = min(FIRST_DELAY_S * 2.0 ** min(self._failures, 8), GREATEST_DELAY_S)
        return longest_s * (1 - 0.5 * self._jitter())


def _come_over(connection: Connection[Reading]) -> Callable[[], int]:
    """Make what tells how much has come up to now: unchanged where nothing comes any more."""
    accounted: object = connection  # of which mypy believes that it gives no account
    if isinstance(accounted, Accounted):
        return lambda: accounted.traffic.received_bytes
    return lambda: connection.rejected


def _words(exc: Exception) -> str:
    return f"{type(exc).__name__}: {exc}" if str(exc) else type(exc).__name__
