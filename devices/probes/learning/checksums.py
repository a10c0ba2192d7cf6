"""Whether the end of each line is a checksum of it: every rule that a sheet knows is tried on all of them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final, get_args

from devices.probes.sheet_checksum import Rule, checksum, width

LAST: Final = {
    1: re.compile(rb"([0-9A-Fa-f]{2})([^0-9A-Za-z]*)$"),
    2: re.compile(rb"([0-9A-Fa-f]{4})([^0-9A-Za-z]*)$"),
}
"""Hexadecimal digits at the end, and what may stand behind them, by the checksum's length in bytes."""
LEAST_VALUES: Final = 4
"""Different checksums that must be seen: by chance all of them fit once in 256 to the fourth."""
LEAST_SHARE: Final = 0.8
"""Of lines that must fit: others may be damaged."""
GREATEST_SKIPPED: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A checksum that fits.

    Attributes
    ----------
    rule, covers_from, omits, lower_first
        As in a sheet.
    tail
        Bytes at the end of a line that are the checksum and what stands behind it.
    share
        Share of lines that it fits.

    """

    rule: Rule
    covers_from: int
    omits: int
    lower_first: bool
    tail: int
    share: float

    def fits(self, raw: bytes) -> bool:
        """Say whether it fits a line."""
        body, written = raw[: -self.tail], raw[-self.tail :][: 2 * width(self.rule)]
        try:
            number = int.from_bytes(
                bytes.fromhex(written.decode("ascii")), "little" if self.lower_first else "big"
            )
        except ValueError:
            return False
        return number == checksum(self.rule, body[self.covers_from : len(body) - self.omits])


def find_checksum(lines: Sequence[bytes]) -> Found | None:
    """Find the rule that fits; None where none does, or where too few different ones were seen to say."""
    for length, last in LAST.items():
        matches = [match for line in lines if (match := last.search(line))]
        if len(matches) < LEAST_SHARE * len(lines) or len({match[1] for match in matches}) < LEAST_VALUES:
            continue
        tail = len(matches[0][0])
        rules = [rule for rule in get_args(Rule) if width(rule) == length]
        skipped = range(GREATEST_SKIPPED + 1)
        for covers_from, omits, rule, lower_first in product(skipped, skipped, rules, (False, True)[:length]):
            found = Found(
                rule=rule, covers_from=covers_from, omits=omits, lower_first=lower_first, tail=tail, share=1.0
            )
            fitting = [match[1] for match in matches if found.fits(match.string)]
            if len(fitting) >= LEAST_SHARE * len(lines) and len(set(fitting)) >= LEAST_VALUES:
                return Found(
                    rule=rule,
                    covers_from=covers_from,
                    omits=omits,
                    lower_first=lower_first,
                    tail=tail,
                    share=len(fitting) / len(lines),
                )
    return None
