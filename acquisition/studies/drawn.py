"""What people drew on images: targets, and all else by name."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from acquisition.studies.errors import SeriesRefused
from navigation.errors import NavigationError
from navigation.outlines import Outline

MOST_POINTS = 20_000
"""Points that a region is described by; a larger one is thinned evenly."""

MOST_REGIONS, MOST_TARGETS = 1000, 200
"""Regions of one object, and targets among them: no person would tell more apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """Regions of one series.

    Attributes
    ----------
    targets
        Lesions, and target volumes of radiotherapy.
    others
        Names of organs and all else, which are no targets.

    """

    targets: tuple[Outline, ...] = ()
    others: tuple[str, ...] = ()

    def __add__(self, more: "Drawn") -> "Drawn":
        return Drawn(targets=(*self.targets, *more.targets), others=(*self.others, *more.others))

    @property
    def words(self) -> str:
        """A sentence for the series' report."""
        kinds = [f"{len(self.targets)} drawn targets"]
        if self.others:
            kinds.append(f"not targets: {', '.join(self.others)}")
        return "; ".join(kinds)


def require_few(*, regions: int, targets: int, where: str) -> None:
    """Refuse an object that holds more regions than are read."""
    if regions > MOST_REGIONS or targets > MOST_TARGETS:
        raise SeriesRefused(
            f"{where} holds {regions} regions, {targets} of them targets: more than the {MOST_REGIONS} and "
            f"{MOST_TARGETS} that are read"
        )


def fill(
    name: str, points_mm: NDArray[np.float64], *, volume_ml: float, frame_of_reference_uid: str, origin: str
) -> Outline:
    """Make an outline of points that fill it, of which every so many are kept.

    Raises
    ------
    SeriesRefused
        Where it has no points, or none that are finite.

    """
    step = max(1, len(points_mm) // MOST_POINTS)
    try:
        return Outline(
            name=name,
            points_mm=points_mm[::step],
            volume_ml=volume_ml,
            frame_of_reference_uid=frame_of_reference_uid,
            origin=origin,
        )
    except NavigationError as exc:
        raise SeriesRefused(str(exc)) from exc
