"""Whether a replay believes what was believed then."""

from collections.abc import Mapping
from math import dist
from typing import Any

from acquisition.recording import tell_posterior
from navigation.estimation.estimate import Posterior

SAME_MM = 0.01
"""Two places closer than this are one: what summing in another order, or on another processor, may make."""

SAME_PRESENCE = 1e-3


class Comparison:
    """Counts how many of the recorded estimates came out the same."""

    def __init__(self) -> None:
        self.compared = self.same = self.missed = 0
        self.greatest_mm = 0.0
        """Greatest distance of a target from where it was said to be then, mm."""

    def note(self, recorded: Mapping[str, Any], posterior: Posterior | None) -> None:
        """Compare one; None where there is no estimate now."""
        if posterior is None:
            self.missed += 1
            return
        replayed = tell_posterior(posterior)
        self.compared += 1
        distances_mm = [
            dist(one["centre_mm"], other["centre_mm"])
            for one, other in zip(recorded["targets"], replayed["targets"], strict=False)
            if one["centre_mm"] is not None and other["centre_mm"] is not None
        ]
        farthest_mm = max(distances_mm, default=0.0)
        self.greatest_mm = max(self.greatest_mm, farthest_mm)
        self.same += _is_same(recorded, replayed) and farthest_mm <= SAME_MM

    def to_dict(self) -> dict[str, Any]:
        """Give it as JSON has it."""
        return {
            "compared": self.compared,
            "same": self.same,
            "missed": self.missed,
            "greatest_mm": round(self.greatest_mm, 4),
        }

    def sentence(self) -> str:
        """Say it in words."""
        if not self.compared + self.missed:
            return "no estimate stands in it to compare with"
        said = f"{self.same} of {self.compared} estimates came out as they were"
        if self.same < self.compared:
            said += f", the farthest {self.greatest_mm:.2f} mm from where it was"
        return said + (f"; {self.missed} did not come" if self.missed else "")


def _is_same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two estimates say the same but for where the targets are."""

    def said(told: Mapping[str, Any]) -> list[object]:
        targets = [(each["name"], each["kind"], each["centre_mm"] is None) for each in told["targets"]]
        return [told["readings"], told["restarts"], told["is_consistent"], targets]

    pairs = zip(one["targets"], other["targets"], strict=False)
    return said(one) == said(other) and all(
        _is_near(before["presence"], after["presence"]) for before, after in pairs
    )


def _is_near(one: float | None, other: float | None) -> bool:
    """Whether two probabilities are one; None is no number."""
    if one is None or other is None:
        return one is other
    return abs(one - other) <= SAME_PRESENCE
