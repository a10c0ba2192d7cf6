"""What a person enters for the logbook: one line that can be read back, printed and signed."""

import unicodedata
from typing import Final

LONGEST: Final = 100
"""Characters: the longest full name on an identity card has 80, and this must fit a line of the report."""

UNREAD: Final = "\N{REPLACEMENT CHARACTER}"
"""Stands where bytes of a terminal were none of its encoding."""


def entered(typed: str, *, what: str, longest: int = LONGEST) -> str:
    """Give a name, a label or a reason as it is recorded: composed (NFC), with one blank for any white space.

    Parameters
    ----------
    typed
        As it came from a terminal, or from the command line.
    what
        How it is called in the error, as "name".
    longest
        Characters that it may have.

    Raises
    ------
    ValueError
        Where it holds no letter and no digit, more than ``longest`` characters, or one that nobody can see, as a
        control character or a change of the writing's direction.

    """
    line = " ".join(unicodedata.normalize("NFC", typed).split())
    if len(line) > longest:
        raise ValueError(f"a {what} of {len(line)} characters: wants at most {longest}")
    if hidden := [each for each in line if not each.isprintable() or each == UNREAD]:
        raise ValueError(f"the {what} {line!a} holds {hidden[0]!a}, which cannot be read: type it anew")
    if not any(each.isalnum() for each in line):
        raise ValueError(
            f"the {what} {line!r} holds no letter and no digit: wants one that can be told from others"
        )
    return line
