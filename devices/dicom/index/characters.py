"""Text of a data set in whatever character set it names (PS3.3 C.12.1.1.2, PS3.5 6.1).

pydicom has the same, and would cost the node half as much memory again as it uses for everything else.
"""

import re
from typing import Final

DEFAULT: Final = "latin_1"
"""For the default repertoire, and for a set that is not known: ASCII where the sender keeps to the standard."""

CODECS: Final = {
    "ISO_IR 192": "utf_8",
    "GB18030": "gb18030",
    "GBK": "gbk",
    **{
        f"{kind} {number}": codec
        for kind in ("ISO_IR", "ISO 2022 IR")
        for number, codec in {
            "13": "shift_jis",
            "58": "gb2312",
            "87": "iso2022_jp",
            "100": "latin_1",
            "101": "iso8859_2",
            "109": "iso8859_3",
            "110": "iso8859_4",
            "126": "iso8859_7",
            "127": "iso8859_6",
            "138": "iso8859_8",
            "144": "iso8859_5",
            "148": "iso8859_9",
            "149": "euc_kr",
            "159": "iso2022_jp_2",
            "166": "tis_620",
            "203": "iso8859_15",
        }.items()
    },
}
"""Python's codec for each defined term of Specific Character Set (0008,0005)."""

ESCAPES: Final = {
    b"(B": "ascii",
    b"(J": "shift_jis",
    b")I": "shift_jis",
    b"$B": "iso2022_jp",
    b"$(D": "iso2022_jp_2",
    b"$)A": "gb2312",
    b"$)C": "euc_kr",
    b"-A": "latin_1",
    b"-B": "iso8859_2",
    b"-C": "iso8859_3",
    b"-D": "iso8859_4",
    b"-F": "iso8859_7",
    b"-G": "iso8859_6",
    b"-H": "iso8859_8",
    b"-L": "iso8859_5",
    b"-M": "iso8859_9",
    b"-T": "tis_620",
    b"-b": "iso8859_15",
}
"""Python's codec after each escape sequence (PS3.3 tables C.12-3 and C.12-4, PS3.5 annexes H to K)."""

SEVEN_BIT_PAIRS: Final = {"iso2022_jp", "iso2022_jp_2"}
"""Codecs of two bytes a character that look like ASCII: they read their escape sequence themselves."""

_SWITCH = re.compile(rb"\x1b(\$?[()\-]?[A-Za-z])")

_DELIMITER = re.compile(rb"[\^=\\\r\n\t\f]")
"""From these on the first set is in force again (PS3.5 6.1.2.5.3)."""


def decode_text(value: bytes, character_sets: str) -> str:
    """Decode a text; what cannot be decoded becomes U+FFFD.

    ``character_sets`` is the value of (0008,0005), its values separated by backslashes; empty for none.
    """
    first = CODECS.get(character_sets.partition("\\")[0].strip(), DEFAULT)
    text, codec, start = [], first, 0
    for switch in _SWITCH.finditer(value):
        text.append(_decode(value[start : switch.start()], codec, first))
        codec = ESCAPES.get(switch[1], first)
        start = switch.start() if codec in SEVEN_BIT_PAIRS else switch.end()
    text.append(_decode(value[start:], codec, first))
    return "".join(text)


def _decode(part: bytes, codec: str, first: str) -> str:
    # a pair may hold the byte of a delimiter: after one such set another is switched to before a delimiter
    delimiter = None if codec in SEVEN_BIT_PAIRS else _DELIMITER.search(part)
    end = len(part) if delimiter is None else delimiter.start()
    return part[:end].decode(codec, errors="replace") + part[end:].decode(first, errors="replace")
