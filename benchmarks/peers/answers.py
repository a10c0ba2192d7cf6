"""What a peer does with what is known and counted, and what it answers."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.recordings import Known
from navigation.observations import Observations

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """Where a peer believes a target: position (3,), mm, and covariance (3, 3), mm2, if it claims one."""

    position_mm: Array
    covariance_mm2: Array | None = None


class Peer(Protocol):
    """Takes readings in time order and names targets when asked.

    Attributes
    ----------
    name
        Of its JSON lines.
    readings_at_once
        1 where it goes reading by reading; else None: it is only given readings when an answer is due.

    """

    name: str
    readings_at_once: int | None

    def __init__(self, known: Known, rng: np.random.Generator) -> None: ...

    def add(self, observations: Observations) -> None:
        """Take in readings."""
        ...

    def answers(self) -> list[Answer]:
        """Name the targets."""
        ...
