"""The live image, made beside the service: counts go to a process of its own, images come back.

An update takes a good tenth of a second of one processor. In a process that stands back it delays neither the
estimate nor the frames; one that ends takes nothing with it but the image.
"""

import asyncio
from dataclasses import dataclass, replace
from math import inf

import numpy as np
import structlog
from numpy.typing import NDArray

from acquisition.apart import RESTART_S, START_S, Companion, ProcessDied, run_apart
from devices.clock import Clock
from navigation.estimation.estimate import Posterior, TargetEstimate
from navigation.image.freehand import FreehandImage
from navigation.observations import Observations
from navigation.probe.response import Response
from navigation.tissue import Tissue
from navigation.volume import Volume

EVERY_S = 0.8
"""Time between two updates: so often that a late one still makes an image a second."""

LEAST_REST = 0.5
"""Time between the end of an update and the next over the time that it took: a slow host is left alone."""

ANSWER_S = 30.0
"""Time after which an image that has not come is given up, and another process makes the next."""

STALE_AFTER_S = 3.0
"""Age of the newest count in an image above which it is one of before, not of now."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """What an image is made in.

    Attributes
    ----------
    response
        The probe's calibration.
    tissue
        Where the patient's skin is.
    frame_of_reference_uid
        Of the patient frame that the poses are in.
    half_life_s
        Of the nuclide, s.

    """

    response: Response
    tissue: Tissue
    frame_of_reference_uid: str
    half_life_s: float = inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What an update takes in: new counts, and the sources that are to be left out of the image.

    Attributes
    ----------
    observations
        As the estimate accepted them.
    known_mm, known_mbq
        Places (K, 3), mm, patient frame, and activities at the newest of the counts (K,), MBq.

    """

    observations: Observations
    known_mm: NDArray[np.float64]
    known_mbq: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveImage:
    """An image, and what it rests on.

    Attributes
    ----------
    number
        Counts the images made since the service started.
    activity
        Activity concentration, Bq/mL; NaN where it is unknown.
    coverage
        Share of what the probe has looked at in which the image is known.
    known_ml
        Volume of that.
    readings
        Tracked counts that it rests on.
    without
        Names of the sources that were left out of it.
    counted_until_s
        Middle of the newest count in it, host monotonic clock, s.
    update_ms
        Time from asking for it until it came.

    """

    number: int
    activity: Volume
    coverage: float
    known_ml: float
    readings: int
    without: tuple[str, ...]
    counted_until_s: float
    update_ms: float


def _left_out(posterior: Posterior) -> list[TargetEstimate]:
    """List injection sites and organs, as well as they are known: beside their light a node would not be seen."""
    return [each for each in posterior.targets if each.kind != "target"]


class Imager:
    """Has an image made of what the estimate accepts, about once a second, and holds the newest.

    Counts that come while an update runs wait for the next one. A new field starts afresh.
    """

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._field: Field | None = None
        self._waiting: list[Observations] = []
        self._known: list[TargetEstimate] = []
        self._restarts = 0
        self._woken = asyncio.Event()
        self._number = 0
        self._renewed = asyncio.Event()
        self.newest: LiveImage | None = None

    def begin(self, field: Field | None) -> None:
        """Start afresh in a field, or stop with None; what was counted before is of another field."""
        self._field = None if field is None else replace(field)  # another one, equal or not
        self._waiting.clear()
        self._known = []
        self._restarts = 0
        self._show(None)
        self._woken.set()

    def take(self, accepted: Observations, posterior: Posterior) -> None:
        """Take counts that the estimate accepted, and what it believes with them.

        Where the estimate has begun anew, because patient, marker or probe are not where they were, so does the
        image.
        """
        if self._field is None:
            return
        if posterior.restarts > self._restarts:
            self.begin(self._field)
            self._restarts = posterior.restarts
        if len(accepted):
            self._waiting.append(accepted)
            self._known = _left_out(posterior)
            self._woken.set()

    async def renewed(self) -> LiveImage | None:
        """Wait until there is another image than the last time, or none any more."""
        await self._renewed.wait()
        self._renewed.clear()
        return self.newest

    async def run(self) -> None:
        """Make images for ever, each field's in a process of its own."""
        while True:
            field = self._field
            if field is None:
                await self._woken.wait()
                self._woken.clear()
                continue
            try:
                async with run_apart("acquisition.image.imager") as maker:
                    await maker.ask(field, within_s=START_S)
                    await self._renew(field, maker)
            except ProcessDied as exc:
                log.error("live image lost", reason=str(exc))  # noqa: TRY400 - the process has said more
                self._show(None)
                await asyncio.sleep(RESTART_S)

    async def _renew(self, field: Field, maker: Companion) -> None:
        """Renew the image until another field is begun."""
        while field is self._field:
            if not self._waiting:
                await maker.idle_until(self._woken)
                continue
            observations, known, began_s = self._gathered(), self._known, self._clock()
            batch = Batch(
                observations=observations,
                known_mm=np.array([each.centre_mm for each in known]).reshape(-1, 3),
                known_mbq=np.array([each.activity_mbq for each in known]),
            )
            image: FreehandImage | None = await maker.ask(batch, within_s=ANSWER_S)
            took_s = self._clock() - began_s
            if field is self._field and image is not None:
                self._number += 1
                self._show(
                    LiveImage(
                        number=self._number,
                        activity=image.activity,
                        coverage=image.coverage,
                        known_ml=image.known_ml,
                        readings=image.readings,
                        without=tuple(each.name for each in known),
                        counted_until_s=float(observations.taken_at_s[-1]),
                        update_ms=took_s * 1e3,
                    )
                )
            await asyncio.sleep(max(EVERY_S - took_s, LEAST_REST * took_s))

    def _gathered(self) -> Observations:
        gathered = Observations.empty()
        for each in self._waiting:
            gathered += each
        self._waiting.clear()
        return gathered

    def _show(self, image: LiveImage | None) -> None:
        self.newest = image
        self._renewed.set()
