"""Whole PDUs out of bytes as they come."""

from typing import Final

from devices.dicom.upper_layer import pdus
from devices.dicom.upper_layer.pdus import HEADER_BYTES, MAXIMUM_PDU_BYTES, MalformedPdu

FIRST_BUFFER_BYTES: Final = 8192
"""For a connection that has said nothing yet: most A-ASSOCIATE-RQ fit."""

BUFFER_BYTES: Final = 2 * (MAXIMUM_PDU_BYTES + HEADER_BYTES)


class Assembly:
    """One buffer that holds a whole PDU and no more than two; PDUs are views of it.

    Memory does not grow with what a peer sends: a length that may not come is refused by its header.
    """

    def __init__(self) -> None:
        self._view = memoryview(bytearray(FIRST_BUFFER_BYTES))
        self._place = 0
        self._filled = 0

    @property
    def pending(self) -> memoryview:
        """Bytes that are there and not yet taken."""
        return self._view[self._place : self._filled]

    @property
    def is_full(self) -> bool:
        """Whether no byte more fits before a PDU is taken."""
        return self._filled == len(self._view)

    @property
    def room(self) -> memoryview:
        """Where the bytes that come next belong; what was taken before is valid no longer once they are there."""
        return self._view[self._filled :]

    @property
    def missing(self) -> int:
        """Bytes without which the PDU that has begun is not whole; 0 where none has, or none that may come."""
        rest = self._filled - self._place
        if rest < HEADER_BYTES:
            return 0
        kind, length = pdus.read_header(self._view, self._place)
        return max(0, HEADER_BYTES + length - rest) if length <= pdus.longest_pdu(kind) else 0

    def widen(self) -> None:
        """Make the buffer as large as an association's data want it."""
        self._grow(BUFFER_BYTES)

    def add(self, size: int) -> None:
        """Note that so many bytes have come into ``room``."""
        self._filled += size

    def restore(self, pending: bytes) -> None:
        """Go on from what another assembly had pending."""
        self._view[: len(pending)] = pending
        self._place, self._filled = 0, len(pending)

    def take(self) -> tuple[int, memoryview] | None:
        """Take the next PDU that is whole: its type, and its bytes after the header.

        Raises
        ------
        MalformedPdu
            Where its header is none that may come; where the next PDU begins cannot be known after that.

        """
        rest = self._filled - self._place
        if rest < HEADER_BYTES:
            return None
        kind, length = pdus.read_header(self._view, self._place)
        longest = pdus.longest_pdu(kind)
        if longest < 0:
            raise MalformedPdu(f"{kind:#04x} is no type of a PDU")
        if length > longest or (longest == pdus.FIXED_PDU_BYTES and length != longest):
            raise MalformedPdu(f"a PDU of {length} bytes was announced, {longest} is the greatest")
        start = self._place + HEADER_BYTES
        if rest < HEADER_BYTES + length:
            return None
        self._place = start + length
        return kind, self._view[start : self._place]

    def settle(self) -> None:
        """Make room for the rest of the PDU that has begun, once what was taken is done with."""
        rest = self._filled - self._place
        if not rest:
            self._place = self._filled = 0
            return
        whole = rest + self.missing
        if whole > len(self._view):
            self._grow(whole)
        elif self._place and (self.is_full or self._place + whole > len(self._view)):
            self._view[:rest] = self._view[self._place : self._filled]
            self._place, self._filled = 0, rest

    def forget(self) -> None:
        """Take everything, unread."""
        self._place = self._filled = 0

    def release(self) -> None:
        """Give the buffer back when nothing more can come.

        An association and its connection know each other, and wait for the collector, which seldom looks at what
        is as old as they are: a quarter of a megabyte each must not wait with them.
        """
        self._view = memoryview(bytearray())
        self._place = self._filled = 0

    def _grow(self, size: int) -> None:
        if size > len(self._view):
            rest = self.pending
            larger = memoryview(bytearray(size))
            larger[: len(rest)] = rest
            self._view, self._place, self._filled = larger, 0, len(rest)
