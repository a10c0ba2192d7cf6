"""How counts at a bench ended: all of them made, or broken off, and then what had been counted until then."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfinished:
    """A count that was begun and broken off: never a count, and told only so that nothing is hidden.

    Attributes
    ----------
    instruction
        What had been placed.
    began_at
        UTC.
    counts, live_time_s
        Until it was broken off.

    """

    instruction: str
    began_at: datetime
    counts: int
    live_time_s: float

    def __str__(self) -> str:
        return f"{self.counts} counts in {self.live_time_s:.1f} s until then are no count"

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return {
            "instruction": self.instruction,
            "began_at": self.began_at.isoformat(),
            "counts": self.counts,
            "live_time_s": self.live_time_s,
            "said": str(self),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How it ended.

    Attributes
    ----------
    aborted
        Why before its time, or the empty string.
    unfinished
        The count that was under way then, if one was.
    remarks
        Why counts were repeated, as the technologist said.

    """

    aborted: str = ""
    unfinished: Unfinished | None = None
    remarks: tuple[str, ...] = ()

    def __str__(self) -> str:
        so_far = f"; {self.unfinished}" if self.unfinished else ""
        return f"broken off: {self.aborted}{so_far}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return {
            "aborted": self.aborted,
            "unfinished": self.unfinished.to_dict() if self.unfinished else None,
            "remarks": list(self.remarks),
        }
