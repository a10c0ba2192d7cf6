"""What stands around an OpenIGTLink message's content when it is written: header, checksum, metadata.

The layouts are in ``igtl``, which reads them.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from fastcrc import crc64

HEADER = struct.Struct(">H12s20sQQQ")
NAMES = struct.Struct(">H12s20s")
"""The header's part that is the same in each message of a type and a name."""
NUMBERS = struct.Struct(">QQQ")
"""The header's part that is another in each."""
EXTENDED_HEADER = struct.Struct(">HHII")
METADATA_COUNT = struct.Struct(">H")
METADATA_ENTRY = struct.Struct(">HHI")
ASCII = 3
UTF_8 = 106
"""IANA MIBenum numbers of the character sets that metadata values come in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """One key and value of a version 2 message, the value as its character set encodes it."""

    key: str
    value: bytes
    character_set: int = UTF_8


class Envelope:
    """Messages of one type and device name; what is the same in each is written once.

    Parameters
    ----------
    kind, device_name, version, metadata
        As ``igtl.Message`` has them.

    Raises
    ------
    ValueError
        Where a name does not fit its field.

    """

    def __init__(
        self, kind: str, device_name: str, *, version: int = 1, metadata: Sequence[Metadata] = ()
    ) -> None:
        kind_bytes, name_bytes = kind.encode("ascii"), device_name.encode()
        if len(kind_bytes) > 12 or len(name_bytes) > 20:
            raise ValueError(f"{kind} {device_name!r}: types have 12 bytes and device names 20")
        self._names = NAMES.pack(version, kind_bytes, name_bytes)
        self._is_extended = version != 1
        self._entries, self._texts = METADATA_COUNT.pack(len(metadata)), b""
        for item in metadata:
            key = item.key.encode()
            self._entries += METADATA_ENTRY.pack(len(key), item.character_set, len(item.value))
            self._texts += key + item.value

    def around(self, content: bytes, *, timestamp: int = 0, number: int = 0) -> bytes:
        """Write a message; time stamp and number as ``igtl.Message`` has them."""
        body = content
        if self._is_extended:
            sizes = EXTENDED_HEADER.pack(EXTENDED_HEADER.size, len(self._entries), len(self._texts), number)
            body = sizes + content + self._entries + self._texts
        return self._names + NUMBERS.pack(timestamp, len(body), crc64.ecma_182(body)) + body
