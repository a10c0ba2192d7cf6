"""Counts what happens at the node, for its figures. No cost worth a measurement: it adds numbers."""

from bisect import bisect_left
from collections import Counter
from typing import Final

from devices.dicom.messages import Figures
from devices.dicom.services.events import Arrival, Ending, Event, Refusal

DURABLE_BOUNDS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Upper bounds of the times in ``Figures.durable``."""


class Account:
    """What has happened since the node began."""

    def __init__(self) -> None:
        self._ended: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._objects: Counter[str] = Counter()
        self._received_bytes = 0
        self._durable = [0] * (len(DURABLE_BOUNDS_S) + 1)
        self._durable_s = 0.0

    def take(self, happened: Event) -> None:
        """Count an event."""
        match happened:
            case Arrival():
                self._objects[happened.stored.kept] += 1
                self._received_bytes += happened.stored.size_bytes
                self._durable[bisect_left(DURABLE_BOUNDS_S, happened.took_s)] += 1
                self._durable_s += happened.took_s
            case Refusal():
                self._refused[happened.cause] += 1
            case Ending():
                self._ended["released" if happened.was_released else "broken off"] += 1

    @property
    def refusals(self) -> int:
        """Refusals of every cause."""
        return self._refused.total()

    def figures(
        self,
        *,
        associations_open: int,
        free_bytes: int,
        index_waiting: int | None,
        commitments_waiting: int,
        outbox_waiting: int,
        outbox_since_s: float | None,
    ) -> Figures:
        """Give what was counted, beside how the node stands."""
        return Figures(
            associations_open=associations_open,
            associations_ended=dict(self._ended),
            refused=dict(self._refused),
            objects=dict(self._objects),
            received_bytes=self._received_bytes,
            durable=tuple(self._durable),
            durable_s=self._durable_s,
            free_bytes=free_bytes,
            index_waiting=index_waiting,
            commitments_waiting=commitments_waiting,
            outbox_waiting=outbox_waiting,
            outbox_since_s=outbox_since_s,
        )
