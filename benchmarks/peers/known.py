"""What a peer is told before the first reading, and what it answers."""

from dataclasses import dataclass, replace
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from benchmarks.recordings import Scene, Spot
from navigation.observations import Observations
from navigation.response import Response
from navigation.tissue import HalfSpace

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Known:
    """A scene's header.

    Attributes
    ----------
    response
        The probe's calibration, with the background counted before the scene.
    background_log_sigma
        Of that background.
    tissue
        The skin plane.
    spots
        The map's hotspots: targets first, then injection sites.

    """

    response: Response
    background_log_sigma: float
    tissue: HalfSpace
    spots: tuple[Spot, ...]

    @classmethod
    def of(cls, scene: Scene, response: Response) -> Self:
        """Read the header."""
        background, surface = scene.header["background"], scene.header["surface"]
        counted = max(background["counts"], 1)
        spots = [
            Spot(
                name=each["name"],
                kind="injection" if each["kind"] == "injection" else "target",
                centre_mm=np.array(each["position_mm"], dtype=np.float64),
                covariance_mm2=each["sigma_mm"] ** 2 * np.eye(3),
                activity_mbq=each["activity_mbq"],
                activity_factor=each["activity_factor"],
            )
            for each in scene.header["map"]
        ]
        return cls(
            response=replace(response, background_cps=counted / background["live_s"]),
            background_log_sigma=max(counted**-0.5, 0.05),
            tissue=HalfSpace(
                point_mm=np.array(surface["point_mm"], dtype=np.float64),
                normal=np.array(surface["normal"], dtype=np.float64),
            ),
            spots=tuple(sorted(spots, key=lambda each: each.kind == "injection")),
        )

    @property
    def targets(self) -> tuple[Spot, ...]:
        """The map's targets."""
        return tuple(each for each in self.spots if each.kind == "target")

    @property
    def injections(self) -> tuple[Spot, ...]:
        """The map's injection sites."""
        return tuple(each for each in self.spots if each.kind == "injection")

    @property
    def sought(self) -> int:
        """How many targets a peer looks for: as many as the map shows, one where there is no map."""
        return max(len(self.targets), 1)


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
