"""Walks the elements of a stored data set: what identifies it, and whether it holds together to its last byte.

Reads headers only, through a window on the file, so that a 2 GB object costs no more memory than a small one.
Trusts no length: each must end within what holds it.
"""

import struct
from collections.abc import Callable, Container
from typing import Final, TypeAlias

IMPLICIT_VR: Final = frozenset({"1.2.840.10008.1.2", "1.2.840.113619.5.2"})
"""Transfer syntaxes without explicit VR: the default one, and GE's private one with big-endian pixels."""

BIG_ENDIAN: Final = frozenset({"1.2.840.10008.1.2.2"})

Read: TypeAlias = Callable[[int, int], bytes]
"""Bytes of a data set: at most so many (second) from a place (first); fewer only at its end."""

UNDEFINED: Final = 0xFFFFFFFF
ITEM: Final = 0xFFFEE000
ITEM_END: Final = 0xFFFEE00D
SEQUENCE_END: Final = 0xFFFEE0DD

DEEPEST: Final = 256
"""Sequences within sequences that are followed; real objects have a dozen."""

LONG_VRS: Final = frozenset(
    {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
)
"""Value representations with a 32-bit length in explicit VR (PS3.5 table 7.1-1)."""

SHORT_VRS: Final = frozenset(
    {
        *(b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO"),
        *(b"LT", b"PN", b"SH", b"SL", b"SS", b"ST", b"TM", b"UI", b"UL", b"US"),
    }
)

_VRS: Final = SHORT_VRS | LONG_VRS

WINDOW_BYTES: Final = 1 << 14

LONGEST_VALUE_BYTES: Final = 1024
"""Of an identifier; a longer one is none."""


class UnreadableObject(ValueError):
    """Raised when a data set does not hold together, or does not say legibly which object of which study it is."""


class _CutShort(Exception):
    """Raised when a data set ends within an element."""


class _Window:
    """The part of a data set that was read last."""

    def __init__(self, read: Read, *, is_big_endian: bool) -> None:
        self._read = read
        order = ">" if is_big_endian else "<"
        self.explicit = struct.Struct(order + "HH2sH").unpack_from
        self.long = struct.Struct(order + "L").unpack_from
        self.start = 0
        self.content = b""

    def at(self, place: int, size: int) -> tuple[bytes, int]:
        """Give a buffer and where in it ``place`` is; at least ``size`` bytes follow unless the data set ends."""
        offset = place - self.start
        if offset < 0 or offset + size > len(self.content):
            self.start, self.content, offset = place, self._read(place, max(size, WINDOW_BYTES)), 0
        return self.content, offset


def walk(
    read: Read,
    size: int,
    *,
    transfer_syntax: str,
    wanted: Container[int],
    is_whole: bool = True,
    until: int = ITEM,
) -> dict[int, bytes]:
    """Walk a data set of ``size`` bytes to its end and return the values of the ``wanted`` top-level elements.

    A data set that is encoded otherwise than negotiated (explicit for implicit VR, or the reverse) is walked as
    what its first element is: such objects are sent, and are kept as sent. With ``is_whole`` false only the head
    of the data set is there, and the walk ends in peace where it is cut. It ends before the first tag that is not
    below ``until``: elements stand in the order of their tags.

    Raises
    ------
    UnreadableObject
        Where an element's header is none, a length goes past the end, or bytes are left over.

    """
    is_big_endian = transfer_syntax in BIG_ENDIAN
    window = _Window(read, is_big_endian=is_big_endian)
    walker = _Walker(window, size, wanted=wanted, is_explicit=_is_explicit(window, size, transfer_syntax))
    try:
        walker.run(until=until)
    except _CutShort as exc:
        if is_whole:
            raise UnreadableObject(str(exc)) from exc
    return walker.values


def walk_items(
    read: Read, size: int, sequence: int, *, transfer_syntax: str, wanted: Container[int]
) -> list[dict[int, bytes]]:
    """Give the ``wanted`` values of each item of one top-level sequence; none where it is not there.

    Raises
    ------
    UnreadableObject
        Where the data set does not hold together.

    """
    window = _Window(read, is_big_endian=transfer_syntax in BIG_ENDIAN)
    walker = _Walker(
        window, size, wanted=frozenset({sequence}), is_explicit=_is_explicit(window, size, transfer_syntax)
    )
    found = []
    try:
        walker.run()
        place, end = walker.spans.get(sequence, (0, 0))
        while place < end:
            start, stop, place = walker.item(place)
            if start < 0:
                break
            inner = _Walker(window, stop, wanted=wanted, is_explicit=walker.is_explicit)
            inner.run(start)
            found.append(inner.values)
    except _CutShort as exc:
        raise UnreadableObject(str(exc)) from exc
    return found


def read_elements(content: bytes, *, transfer_syntax: str) -> dict[int, bytes]:
    """Give the whole value of every top-level element of a small data set; of a sequence its items.

    Raises
    ------
    UnreadableObject
        Where it does not hold together.

    """

    def read(place: int, size: int) -> bytes:
        return content[place : place + size]

    window = _Window(read, is_big_endian=transfer_syntax in BIG_ENDIAN)
    is_explicit = _is_explicit(window, len(content), transfer_syntax)
    walker = _Walker(window, len(content), wanted=range(1 << 32), is_explicit=is_explicit)
    try:
        walker.run()
    except _CutShort as exc:
        raise UnreadableObject(str(exc)) from exc
    return {tag: content[start:end] for tag, (start, end) in walker.spans.items()}


def encode_element(tag: int, vr: bytes, value: bytes, *, is_explicit: bool) -> bytes:
    """Encode an element, little endian: of a value of even length, and a VR whose length has 16 bits."""
    if is_explicit:
        return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, len(value)) + value
    return struct.pack("<HHL", tag >> 16, tag & 0xFFFF, len(value)) + value


def _is_explicit(window: _Window, size: int, transfer_syntax: str) -> bool:
    content, offset = window.at(0, 8)
    is_explicit = transfer_syntax not in IMPLICIT_VR
    if size < 8:
        return is_explicit
    has_vr = content[offset + 4 : offset + 6] in _VRS
    if is_explicit:
        return has_vr
    # as implicit VR the two letters would be a length of more than 16 KB for the first identifier of the object
    return has_vr and int(window.long(content, offset + 4)[0]) > size


class _Walker:
    def __init__(self, window: _Window, size: int, *, wanted: Container[int], is_explicit: bool) -> None:
        self._window = window
        self._size = size
        self._wanted = wanted
        self.is_explicit = is_explicit
        self.values: dict[int, bytes] = {}
        self.spans: dict[int, tuple[int, int]] = {}

    def run(self, place: int = 0, *, until: int = ITEM) -> None:
        size, wanted, is_explicit = self._size, self._wanted, self.is_explicit
        while place < size:
            if size - place < 8 and self._is_padding(place):
                return
            tag, length, start, is_unknown = self._header(place, is_explicit=is_explicit)
            if tag >= until:
                if tag < ITEM:
                    return
                raise UnreadableObject(f"{_name(tag)} at byte {place} stands where no item is open")
            if length == UNDEFINED:
                # what is unknown and of undefined length is implicit VR within (PS3.5 6.2.2)
                place = self._past_sequence(start, is_explicit=is_explicit and not is_unknown)
                if tag in wanted:
                    self.spans.setdefault(tag, (start, place))
                continue
            place = start + length
            if place > size:
                raise self._cut_short(tag, length, start)
            if tag in wanted:
                self.values.setdefault(tag, self._value(start, min(length, LONGEST_VALUE_BYTES)))
                self.spans.setdefault(tag, (start, place))

    def item(self, place: int) -> tuple[int, int, int]:
        """Start and end of the elements of the item at ``place``, and where the next is; -1 at the end."""
        tag, length, start, _ = self._header(place, is_explicit=False)
        if tag == SEQUENCE_END:
            return -1, -1, start
        if tag != ITEM:
            raise UnreadableObject(f"{_name(tag)} at byte {place} stands where an item should")
        if length != UNDEFINED:
            if start + length > self._size:
                raise self._cut_short(tag, length, start)
            return start, start + length, start + length
        after = self._past_sequence(start, is_explicit=self.is_explicit, is_item=True)
        return start, after - 8, after

    def _header(self, place: int, *, is_explicit: bool) -> tuple[int, int, int, bool]:
        """Tag, length and start of the value of the element at ``place``, and whether its VR is unknown (UN)."""
        window = self._window
        content, at = window.content, place - window.start
        # thousands of elements come here for one that is not in the window
        if at < 0 or at + 12 > len(content):
            content, at = window.at(place, 12)
            if len(content) - at < 8:
                raise _CutShort(f"the data set ends {len(content) - at} bytes into the header of an element")
        group, element, vr, short = window.explicit(content, at)
        tag = group << 16 | element
        if not is_explicit or group == 0xFFFE:
            return tag, window.long(content, at + 4)[0], place + 8, False
        if vr in SHORT_VRS:
            return tag, short, place + 8, False
        if vr not in LONG_VRS:
            raise UnreadableObject(
                f"{_name(tag)} at byte {place} has the value representation {vr!r}, which is none"
            )
        if len(content) - at < 12:
            raise _CutShort(f"the data set ends {len(content) - at} bytes into the header of {_name(tag)}")
        return tag, window.long(content, at + 8)[0], place + 12, vr == b"UN"

    def _past_sequence(self, place: int, *, is_explicit: bool, is_item: bool = False) -> int:
        """Place after a sequence, encapsulated pixels, or an item, of undefined length whose content is there."""
        # what is open, innermost last: an item (or else a sequence), and whether its elements are explicit
        opened = [(is_item, is_explicit)]
        while opened:
            is_item, is_explicit = opened[-1]
            tag, length, start, is_unknown = self._header(place, is_explicit=is_explicit and is_item)
            if tag == (ITEM_END if is_item else SEQUENCE_END):
                opened.pop()
                place = start
            elif not is_item and tag != ITEM:
                raise UnreadableObject(f"{_name(tag)} at byte {place} stands where an item should")
            elif length != UNDEFINED:
                place = start + length
                if place > self._size:
                    raise self._cut_short(tag, length, start)
            elif len(opened) == DEEPEST:
                raise UnreadableObject(f"sequences are more than {DEEPEST} deep at byte {place}")
            else:
                opened.append((not is_item, is_explicit and not is_unknown))
                place = start
        return place

    def _cut_short(self, tag: int, length: int, start: int) -> _CutShort:
        there = self._size - start
        return _CutShort(f"{_name(tag)} says {length} bytes, but the data set ends after {there} of them")

    def _value(self, place: int, size: int) -> bytes:
        content, at = self._window.at(place, size)
        return content[at : at + size]

    def _is_padding(self, place: int) -> bool:
        return not any(self._value(place, self._size - place))


def _name(tag: int) -> str:
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
