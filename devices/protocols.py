"""What every driver offers, so that one supervisor runs them all.

A driver's settings object is its factory: ``async with settings.connect("gamma", clock=clock) as probe`` opens
the link, checks who answers, and gives readings until the link fails. No driver reconnects by itself.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeVar, runtime_checkable

from devices.clock import Clock
from devices.frame_timing import FrameTiming
from devices.links import Chunk
from devices.traffic import Condition, Traffic

Reading_co = TypeVar("Reading_co", covariant=True)


class Connection(Protocol[Reading_co]):
    """An open device: iterate to receive its readings.

    Iteration raises ``DeviceUnavailable`` when the link is lost and ``DeviceFault`` when the device refuses;
    it never ends by itself, and bytes that are no frame are counted, not raised.
    """

    @property
    def identity(self) -> str:
        """What the device says it is (model, serial number), or the empty string where it cannot say."""

    @property
    def rejected(self) -> int:
        """Frames or lines refused since the link was opened."""

    def __aiter__(self) -> AsyncIterator[Reading_co]:
        """Give readings as they arrive, in order, none kept back."""


@runtime_checkable
class Timed(Protocol):
    """A connection to a device that numbers its frames."""

    @property
    def timing(self) -> FrameTiming:
        """How well the times of its frames are known now."""


@runtime_checkable
class Accounted(Protocol):
    """A connection that gives account of its link."""

    @property
    def traffic(self) -> Traffic:
        """What came since the link was opened."""

    @property
    def condition(self) -> Condition | None:
        """What the device said of itself last; None where it never did."""

    @property
    def adapter(self) -> str:
        """The USB adapter that the link hangs on; empty where there is none."""


@runtime_checkable
class Dated(Protocol):
    """A connection that says how well it knows when its readings began."""

    @property
    def start_known_to_s(self) -> float:
        """How much later a reading may have begun than it says, s."""


def start_known_to_s(connection: object) -> float:
    """Give it of any connection; 0 where it says nothing of it."""
    return connection.start_known_to_s if isinstance(connection, Dated) else 0.0


class ByteLink(Protocol):
    """Bytes both ways, as ``devices.links.Link`` carries them."""

    @property
    def adapter(self) -> str:
        """The USB adapter that it hangs on; empty where there is none."""

    async def read(self) -> Chunk:
        """Give the next bytes, waiting for them; ``DeviceUnavailable`` once the link is lost."""

    async def write(self, sent: bytes) -> None:
        """Send all of ``sent``; ``DeviceUnavailable`` if the link is lost."""


class DeviceSettings(Protocol[Reading_co]):
    """A device's entry in the site file."""

    @property
    def streams(self) -> bool:
        """Whether readings come all the time; False of one that tells nothing before a count is finished.

        Such counts come as seldom as somebody has one made, so their absence is no silence; whether the device
        still answers its connection finds out itself, and raises ``DeviceTimeout`` where it does not.
        """

    @property
    def silence_s(self) -> float:
        """Longest time between readings, s; after it the device is shown as silent and opened again."""

    @property
    def opening_s(self) -> float:
        """Longest time to open the link and learn who answers, s."""

    def connect(self, device: str, *, clock: Clock) -> AbstractAsyncContextManager[Connection[Reading_co]]:
        """Open the link; ``device`` is the name in the site file that readings and errors carry.

        Raises ``DeviceUnavailable`` with a sentence that says what to do.
        """
