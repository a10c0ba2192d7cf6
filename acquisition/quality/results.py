"""What a step of the morning says: a verdict, its figures, and the reason in words."""

from dataclasses import asdict, dataclass
from typing import Any

TREND_OF = "trend of"
"""How the name of a result begins that holds a figure against those of former mornings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A measured number with its unit and, where it has one, its standard error."""

    name: str
    value: float
    unit: str
    sigma: float | None = None

    def __str__(self) -> str:
        error = "" if self.sigma is None else f" ± {self.sigma:.2g}"
        value = f"{self.value:.0f}" if 1e4 <= abs(self.value) < 1e7 else f"{self.value:.4g}"
        return f"{self.name} {value}{error} {self.unit}".rstrip()


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """Outcome of one step.

    Attributes
    ----------
    name
        The step's name, ``"chi-square"``.
    passed
        Whether the probe may be used as far as this step can tell.
    figures
        What was measured.
    limit
        What passes, in words.
    reason
        Why it passed or failed, and where it failed, what to look at.
    attempts
        How often the step was run; only the last one counts.
    remarks
        Why it was repeated or left out, as the technologist said.

    """

    name: str
    passed: bool
    figures: tuple[Figure, ...]
    limit: str
    reason: str
    attempts: int = 1
    remarks: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return asdict(self) | {"figures": [asdict(figure) for figure in self.figures]}


def failure(name: str, limit: str, reason: str, *figures: Figure) -> StepResult:
    """Say that a step failed."""
    return StepResult(name=name, passed=False, figures=figures, limit=limit, reason=reason)
