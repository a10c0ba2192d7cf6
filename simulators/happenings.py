"""What goes on in a simulated room at a given time: a cable is pulled, a source is cut out."""

import asyncio
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
    """A source is cut out of the patient and carried away, so long after the study was sent."""

    source: str
    after_s: float

    @classmethod
    def read(cls, written: str, *, scene: Scene) -> Self:
        """Read ``SOURCE:AFTER_S``; raises ``ImpossibleHappening``."""
        source, _, after = written.rpartition(":")
        try:
            scene.without(source)
            return cls(source=source, after_s=float(after))
        except ValueError as exc:
            raise ImpossibleHappening(f"--excise {written!r}: write SOURCE:AFTER_S, as node:60 ({exc})") from exc

    async def happen(self, theatre: Theatre) -> None:
        """Wait for it, then cut."""
        await asyncio.sleep(self.after_s)
        theatre.excise(self.source)
        sys.stderr.write(f"SIMULATED excision: {self.source} is out\n")
