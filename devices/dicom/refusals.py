"""Tells refusals singly while they are few, and by their number when they are many.

Whoever calls without end must not fill the log and the audit trail with lines, and it is kept how often he did.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from devices.dicom.services.events import Cause, Refusal

SUM_UP_EVERY_S: Final = 60.0

TOLD_SINGLY: Final = 5
"""Of one kind in that time: one cause, one sender, one address."""

MOST_KINDS: Final = 50
"""With more, those that are new are told together by their cause: a stranger may call himself as he likes."""


@dataclass(slots=True)
class _Kind:
    told: int = 0
    more: int = 0
    last: Refusal | None = None


class Refusals:
    """Counts them by kind.

    Parameters
    ----------
    tell
        Called with each that is told, the number of those that are not in its reason.

    """

    def __init__(self, tell: Callable[[Refusal], None]) -> None:
        self._tell = tell
        self._kinds: dict[tuple[Cause, str, str], _Kind] = {}

    def take(self, refused: Refusal) -> None:
        """Tell it, or count it."""
        key = (refused.cause, refused.address, refused.calling_ae)
        if key not in self._kinds and len(self._kinds) >= MOST_KINDS:
            key = (refused.cause, "", "")
        kind = self._kinds.setdefault(key, _Kind())
        if kind.told < TOLD_SINGLY:
            kind.told += 1
            self._tell(refused)
        else:
            kind.more += 1
            kind.last = refused

    def counted(self) -> list[Refusal]:
        """Give how many were not told, in one for each kind; others may be told singly again."""
        counted = []
        for key, kind in list(self._kinds.items()):
            if kind.last is None:
                del self._kinds[key]
                continue
            reason = f"{kind.last.reason}; with it {kind.more} more like those told before"
            counted.append(replace(kind.last, reason=reason))
            kind.more, kind.last = 0, None
        return counted

    def sum_up(self) -> None:
        """Tell how many were not told."""
        for one in self.counted():
            self._tell(one)

    async def run(self) -> None:
        """Sum up for ever."""
        while True:
            await asyncio.sleep(SUM_UP_EVERY_S)
            self.sum_up()
