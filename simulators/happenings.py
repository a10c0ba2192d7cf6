"""What goes on in a simulated room at a given time: a cable is pulled, a source is cut out."""

import asyncio
import signal
import sys
from collections.abc import Collection
from dataclasses import dataclass
from typing import Self

from simulators.scene import Scene
from simulators.theatre import Theatre


class ImpossibleHappening(ValueError):
    """Raised for what cannot happen in this room; the message says how to write it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unplugging:
    """A probe's cable is pulled, so long after the study was sent, and put back after a while."""

    probe: str
    after_s: float
    for_s: float

    @classmethod
    def read(cls, written: str, *, probes: Collection[str]) -> Self:
        """Read ``PROBE:AFTER_S:FOR_S``; raises ``ImpossibleHappening``."""
        probe, *times = written.split(":")
        try:
            after_s, for_s = (float(time) for time in times)
        except ValueError as exc:
            raise ImpossibleHappening(f"--unplug {written!r}: write NAME:AFTER_S:FOR_S, as gamma:10:5") from exc
        if probe not in probes:
            raise ImpossibleHappening(f"--unplug {probe}: the simulated probes are {', '.join(probes)}")
        return cls(probe=probe, after_s=after_s, for_s=for_s)

    async def happen(self, theatre: Theatre) -> None:
        """Wait for it, then pull the cable."""
        await asyncio.sleep(self.after_s)
        await theatre.ports[self.probe].unplug(self.for_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Excision:
    """A source is cut out of the patient and carried away.

    Attributes
    ----------
    after_s
        So long after the study was sent; None when the process is told to by SIGUSR1 after that.

    """

    source: str
    after_s: float | None

    @classmethod
    def read(cls, written: str, *, scene: Scene) -> Self:
        """Read ``SOURCE:AFTER_S`` or ``SOURCE``; raises ``ImpossibleHappening``."""
        source, colon, after = written.partition(":")
        try:
            scene.without(source)
            after_s = float(after) if colon else None
        except ValueError as exc:
            raise ImpossibleHappening(
                f"--excise {written!r}: write SOURCE:AFTER_S, as node:60, or SOURCE, to cut at SIGUSR1 ({exc})"
            ) from exc
        if after_s is None:
            # by default it ends the process; who sends it before the study is out has not cut yet, no more
            signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        return cls(source=source, after_s=after_s)

    async def happen(self, theatre: Theatre) -> None:
        """Wait for it, then cut."""
        if self.after_s is None:
            await _signalled()
        else:
            await asyncio.sleep(self.after_s)
        theatre.excise(self.source)
        sys.stderr.write(f"SIMULATED excision: {self.source} is out\n")


async def _signalled() -> None:
    loop, is_told = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGUSR1, is_told.set)
    try:
        await is_told.wait()
    finally:
        loop.remove_signal_handler(signal.SIGUSR1)
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
