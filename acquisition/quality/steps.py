"""What a step of the morning is: what to place, how long to count, and a verdict on the counts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from acquisition.quality.counts import Count
from acquisition.quality.placements import Exposure
from acquisition.quality.results import StepResult, failure
from navigation.errors import NavigationError
from navigation.nuclides import Nuclide
from navigation.statistics.counting import Rate, net_rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Assay:
    """What the dose calibrator said of the point source."""

    activity_mbq: float
    measured_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the morning knows when a step is judged.

    Attributes
    ----------
    nuclides
        By name.
    background
        Counted without a source; None before that step.
    assay
        Activity of the point source; None before it is asked for.

    """

    nuclides: Mapping[str, Nuclide]
    background: Count | None = None
    assay: Assay | None = None

    @property
    def counted_background(self) -> Count:
        """The background; ``MissingStep`` where it was not counted."""
        if self.background is None:
            raise MissingStep("the background was not counted")
        return self.background

    def net(self, count: Count) -> Rate:
        """Rate above background, both corrected for dead time."""
        return net_rate(count.true_rate, self.counted_background.true_rate)

    def activity_mbq(self, nuclide: str, at: datetime) -> float:
        """Activity of the point source at a time."""
        if self.assay is None:
            raise MissingStep("the point source was not measured")
        elapsed_s = (at - self.assay.measured_at).total_seconds()
        return self.nuclides[nuclide].activity_mbq(self.assay.activity_mbq, elapsed_s)


class MissingStep(ValueError):
    """Raised when a step needs what an earlier one did not give."""


class Step(Protocol):
    """A step of the morning; fixed before it begins, so that it can be shown and tested without a probe."""

    @property
    def name(self) -> str:
        """Short name, as in the table."""

    @property
    def exposures(self) -> Sequence[Exposure]:
        """Placements in order, with their counts."""

    @property
    def limit(self) -> str:
        """What passes, in words."""

    @property
    def needs_assay(self) -> bool:
        """Whether the activity of the point source has to be known."""

    def evaluate(self, counts: Sequence[Count], known: Known) -> StepResult:
        """Judge the counts, one for each of the exposures' ``times``, in order.

        Raises ``NavigationError`` or ``MissingStep`` where the counts allow no figure at all.
        """


def judge(step: Step, counts: Sequence[Count], known: Known) -> StepResult:
    """Judge a step's counts; what allows no figure fails with the reason."""
    if any(count.is_overloaded for count in counts):
        return failure(step.name, step.limit, "the instrument says that it counts too few: use weaker sources")
    try:
        return step.evaluate(counts, known)
    except (NavigationError, MissingStep) as exc:
        return failure(step.name, step.limit, str(exc))
