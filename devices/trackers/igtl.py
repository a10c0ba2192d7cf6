"""OpenIGTLink messages: bytes in, checked messages out, and back; no socket in sight.

Header, 58 bytes, big-endian (OpenIGTLink, Documents/Protocol/header.md):

====== ===== ==============================================================
offset bytes field
====== ===== ==============================================================
0      2     header version: 1 (protocols 1 and 2) or 2 (protocol 3)
2      12    type, ASCII, filled up with NUL
14     20    device name, filled up with NUL
34     8     time stamp, UTC, s, unsigned 32.32 fixed point; 0 is none
42     8     size of the body
50     8     CRC-64 of the body
====== ===== ==============================================================

The CRC is ECMA-182's polynomial 0x42F0E1EBA9EA3693, most significant bit first, from zero, without final
inversion (igtl_util.c; *not* the reflected form that xz uses). It covers the body only, so a header is
believed when its version, type and size are possible.

The body of version 2 wraps the content (header.md, "Extended header"): extended header (uint16 its own size,
uint16 size of the metadata header, uint32 size of the metadata, uint32 message number), content, metadata
header (uint16 count; per item uint16 key size, uint16 IANA character set, uint32 value size), metadata.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from fastcrc import crc64

from devices.errors import FrameError
from devices.trackers.igtl_envelope import (
    EXTENDED_HEADER,
    HEADER,
    METADATA_COUNT,
    METADATA_ENTRY,
    Envelope,
    Metadata,
)
from devices.trackers.igtl_text import read_text

VERSIONS = (b"\0\1", b"\0\2")
"""How a header may begin."""

LARGEST_BODY_BYTES = 1 << 20
"""A frame of 1000 tools is 70 kB; what is larger is an image, or no OpenIGTLink."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The first 58 bytes of a message.

    Attributes
    ----------
    version
        1, or 2 where the body starts with an extended header.
    kind
        The message's type: ``TRANSFORM``, ``TDATA``, ...
    device_name
        Who or what it is about; at most 20 bytes.
    timestamp
        When the sender made it: UTC, s, 32.32 fixed point as on the wire; 0 where it does not say.
    body_bytes
        Size of the body that follows.
    crc
        CRC-64 of that body.

    """

    version: int
    kind: str
    device_name: str
    timestamp: int
    body_bytes: int
    crc: int

    @classmethod
    def from_bytes(cls, raw: bytes) -> Self:
        """Decode 58 bytes; raise ``FrameError`` where they cannot be a header."""
        version, kind, device_name, timestamp, body_bytes, crc = HEADER.unpack(raw)
        if version not in {1, 2}:
            raise FrameError(f"header version {version} is unknown; 1 and 2 are", raw)
        name = kind.rstrip(b"\0 ")
        if not name or not name.isascii() or not name.decode("ascii").isprintable():
            raise FrameError(f"{kind!r} is no message type", raw)
        return cls(
            version=version,
            kind=name.decode("ascii"),
            device_name=read_text(device_name),
            timestamp=timestamp,
            body_bytes=body_bytes,
            crc=crc,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A whole message whose checksum holds.

    Attributes
    ----------
    kind, device_name, timestamp, version
        As in ``Header``.
    content
        The body without extended header and metadata; the classes in ``igtl_bodies`` read it.
    number
        Message number of the extended header; 0 in version 1.
    metadata
        Keys and values; empty in version 1, which has none.

    """

    kind: str
    device_name: str
    content: bytes = b""
    timestamp: int = 0
    version: int = 1
    number: int = 0
    metadata: tuple[Metadata, ...] = ()

    def metadatum(self, key: str) -> str | None:
        """Give the text of a metadata value, or None where the message has no such key."""
        for item in self.metadata:
            if item.key == key:
                return item.value.decode("utf-8", errors="replace")
        return None

    def to_bytes(self) -> bytes:
        """Encode, with the checksum; raise ``ValueError`` where a name does not fit its field."""
        envelope = Envelope(self.kind, self.device_name, version=self.version, metadata=self.metadata)
        return envelope.around(self.content, timestamp=self.timestamp, number=self.number)

    @classmethod
    def from_bytes(cls, raw: bytes) -> Self:
        """Decode one whole message.

        Raises
        ------
        FrameError
            Where the header cannot be one, the size or the checksum is wrong, or the parts of a version 2 body
            do not fit into it.

        """
        if len(raw) < HEADER.size:
            raise FrameError(f"{len(raw)} bytes are less than a header", raw)
        header, body = Header.from_bytes(raw[: HEADER.size]), raw[HEADER.size :]
        if len(body) != header.body_bytes:
            raise FrameError(f"{len(body)} bytes of body where the header says {header.body_bytes}", raw)
        return cls.from_parts(header, body)

    @classmethod
    def from_parts(cls, header: Header, body: bytes) -> Self:
        """Open a body of the size that its header says.

        Raises
        ------
        FrameError
            Where the checksum is wrong, or the parts of a version 2 body do not fit into it.

        """
        if crc64.ecma_182(body) != header.crc:
            raise FrameError(f"the checksum of this {header.kind} is wrong", body)
        if header.version == 1:
            return cls(kind=header.kind, device_name=header.device_name, content=body, timestamp=header.timestamp)
        extended = _Extended.from_bytes(body)
        return cls(
            kind=header.kind,
            device_name=header.device_name,
            content=extended.content,
            timestamp=header.timestamp,
            version=header.version,
            number=extended.number,
            metadata=extended.metadata,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Extended:
    """A body's parts."""

    content: bytes
    number: int
    metadata: tuple[Metadata, ...]

    @classmethod
    def from_bytes(cls, body: bytes) -> Self:
        """Open a version 2 body; raise ``FrameError`` where its parts do not fit into it."""
        if len(body) < EXTENDED_HEADER.size:
            raise FrameError("a version 2 body without its extended header", body)
        start, entries_bytes, texts_bytes, number = EXTENDED_HEADER.unpack_from(body)
        end = len(body) - entries_bytes - texts_bytes
        if start < EXTENDED_HEADER.size or end < start:
            raise FrameError("the parts of this version 2 body do not fit into it", body)
        metadata = _read_metadata(body[end : end + entries_bytes], body[end + entries_bytes :])
        return cls(content=body[start:end], number=number, metadata=metadata)


def _read_metadata(entries: bytes, texts: bytes) -> tuple[Metadata, ...]:
    if not entries and not texts:
        return ()
    if len(entries) < METADATA_COUNT.size:
        raise FrameError("metadata without its header", entries)
    (count,) = METADATA_COUNT.unpack_from(entries)
    if len(entries) != METADATA_COUNT.size + count * METADATA_ENTRY.size:
        raise FrameError(f"the metadata header does not hold {count} entries", entries)
    found, position = [], 0
    for key_bytes, character_set, value_bytes in METADATA_ENTRY.iter_unpack(entries[METADATA_COUNT.size :]):
        middle = position + key_bytes
        key, value = texts[position:middle], texts[middle : middle + value_bytes]
        found.append(Metadata(key=key.decode("utf-8", errors="replace"), value=value, character_set=character_set))
        position = middle + value_bytes
    if position != len(texts):
        raise FrameError(f"the metadata header speaks of {position} bytes, {len(texts)} came", texts)
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A message and when its first byte came: host monotonic clock, s."""

    taken_at_s: float
    message: Message


class Decoder:
    """Cuts a byte stream, in whatever pieces it comes, into messages.

    ``feed`` takes bytes, iteration gives the messages that are complete by then. A message that is broken but
    whose length is known (wrong checksum, parts that do not fit) is counted in ``rejected`` and skipped. A
    header that cannot be one raises ``FrameError``: OpenIGTLink has no mark to find the next message by, so
    such a stream is over. The size is checked before anything is kept for it.

    Parameters
    ----------
    largest_body_bytes
        Bodies that claim to be larger end the stream.

    """

    def __init__(self, *, largest_body_bytes: int = LARGEST_BODY_BYTES) -> None:
        self.rejected = 0
        self._largest_body_bytes = largest_body_bytes
        self._buffer = bytearray()
        self._pending: Header | None = None
        """Header whose body is not whole yet."""
        self._position = 0  # of the buffer's first byte in the stream
        self._chunks: deque[tuple[int, float]] = deque()  # where in the stream each chunk starts, and its time

    @property
    def buffered_bytes(self) -> int:
        """Bytes that are fed and not yet given."""
        return len(self._buffer)

    def feed(self, chunk: bytes, taken_at_s: float) -> None:
        """Take the next bytes of the stream; ``taken_at_s`` is when they came, host monotonic clock, s."""
        if chunk:
            self._chunks.append((self._position + len(self._buffer), taken_at_s))
            self._buffer += chunk

    def __iter__(self) -> Iterator[Arrival]:
        while (header := self._header()) is not None:
            length = HEADER.size + header.body_bytes
            if len(self._buffer) < length:
                return
            body, taken_at_s = bytes(self._buffer[HEADER.size : length]), self._first_byte_s()
            del self._buffer[:length]
            self._position += length
            self._pending = None
            try:
                message = Message.from_parts(header, body)
            except FrameError:
                self.rejected += 1
                continue
            yield Arrival(taken_at_s=taken_at_s, message=message)

    def _header(self) -> Header | None:
        """Read the next header, None until it is whole; what speaks another protocol is told by two bytes."""
        if self._pending is not None or not self._buffer:
            return self._pending
        raw = bytes(self._buffer[: HEADER.size])
        if len(raw) >= 2 and raw[:2] not in VERSIONS:
            raise FrameError(f"it starts with {raw[:16]!r}", raw)
        if len(raw) < HEADER.size:
            return None
        header = Header.from_bytes(raw)
        if header.body_bytes > self._largest_body_bytes:
            raise FrameError(
                f"a {header.kind} of {header.body_bytes} bytes; at most {self._largest_body_bytes} are taken", raw
            )
        self._pending = header
        return header

    def _first_byte_s(self) -> float:
        while len(self._chunks) > 1 and self._chunks[1][0] <= self._position:
            self._chunks.popleft()
        return self._chunks[0][1]
