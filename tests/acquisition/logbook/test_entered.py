"""Names and labels as they are entered."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acquisition.logbook.entered import LONGEST, entered


@pytest.mark.parametrize(
    ("typed", "recorded"),
    [
        ("A. Berg", "A. Berg"),
        ("  A.\t Berg\n", "A. Berg"),
        ("Mu\N{COMBINING DIAERESIS}ller", "M\N{LATIN SMALL LETTER U WITH DIAERESIS}ller"),
        ("O'Brien-Łukasz, 山田", "O'Brien-Łukasz, 山田"),
        ("4711", "4711"),
    ],
)
def test_a_name_is_recorded_in_one_form(typed: str, recorded: str) -> None:
    """White space at the ends and in rows, and composed letters, make no second person of one."""
    assert entered(typed, what="name") == recorded


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("", "holds no letter"),
        (" \t\n", "holds no letter"),
        ("-- .", "holds no letter"),
        ("n" * 10_000, "of 10000 characters: wants at most 100"),
        ("A\x00", r"holds '\\x00', which cannot be read"),
        ("\x1b[2J A. Berg", "cannot be read"),
        ("A. \N{RIGHT-TO-LEFT OVERRIDE}greB", "cannot be read"),
        ("M\N{REPLACEMENT CHARACTER}ller", "cannot be read"),
        ("A\ud800", "cannot be read"),
    ],
)
def test_what_nobody_could_read_back_is_refused(typed: str, why: str) -> None:
    """Nothing, too much, control characters, turned writing, and bytes of another encoding sign nothing."""
    with pytest.raises(ValueError, match=why):
        entered(typed, what="name")


@given(st.text(max_size=120))
def test_what_is_taken_stays_as_it_is(typed: str) -> None:
    """Any text is refused in words that can be written, or taken as a line that is taken again as the same."""
    try:
        line = entered(typed, what="label")
    except ValueError as exc:
        str(exc).encode()
        return
    assert entered(line, what="label") == line
    assert len(line) <= LONGEST
    line.encode()
