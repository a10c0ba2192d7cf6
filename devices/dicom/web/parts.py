"""Bodies of several parts (multipart/related, RFC 2387, PS3.18 8.6), taken apart as they come, made as they go."""

from collections.abc import Callable
from typing import Final, Protocol

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, MultipartState, parse_options_header

LONGEST_BOUNDARY: Final = 70
"""Of RFC 2046 5.1.1."""

MOST_PARTS: Final = 10_000
"""In one body; a study of more is sent in several."""


class Malformed(ValueError):
    """Raised when a body is not what its content type says."""


class UnsupportedMediaType(ValueError):
    """Raised when a body is of a type that is not taken."""


class TooMuch(Exception):
    """Raised when a body holds more than is taken."""


class Part(Protocol):
    """What becomes of one part."""

    def take(self, content: memoryview) -> None:
        """Take some of its content."""

    def finish(self) -> None:
        """Note that it was whole."""


def boundary_of(content_type: str) -> bytes:
    """Find the boundary of ``multipart/related; type="application/dicom"``.

    Raises
    ------
    UnsupportedMediaType
        For another type.
    Malformed
        Where it has no boundary, or one that is none.

    """
    media_type, options = parse_options_header(content_type)
    if media_type != b"multipart/related" or options.get(b"type", b"").lower() != b"application/dicom":
        raise UnsupportedMediaType(
            f'{content_type[:200]!r} is not taken: send multipart/related; type="application/dicom"; boundary=…'
        )
    boundary = options.get(b"boundary", b"")
    if not 1 <= len(boundary) <= LONGEST_BOUNDARY:
        raise Malformed(f"the content type wants a boundary of 1 to {LONGEST_BOUNDARY} characters")
    return boundary


class PartReader:
    """Takes a body apart.

    Parameters
    ----------
    boundary
        Between its parts.
    begin
        Given the content type of a part, says what becomes of it.

    """

    def __init__(self, boundary: bytes, begin: Callable[[str], Part]) -> None:
        self._begin = begin
        self._parts = 0
        self._field = b""
        self._value = b""
        self._content_type = ""
        self._part: Part | None = None
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._on_begin,
                "on_header_field": self._on_field,
                "on_header_value": self._on_value,
                "on_header_end": self._on_header,
                "on_headers_finished": self._on_headers,
                "on_part_data": self._on_content,
                "on_part_end": self._on_end,
            },
        )

    def take(self, content: bytes) -> None:
        """Take some of the body.

        Raises
        ------
        Malformed
            Where it does not hold together.
        TooMuch
            Where it has too many parts.

        """
        try:
            self._parser.write(content)
        except MultipartParseError as exc:
            raise Malformed(f"the body is not in parts: {exc}") from exc

    def finish(self) -> None:
        """Note that the body has ended; raises ``Malformed`` where that is before its closing boundary."""
        if self._parser.state is not MultipartState.END:
            raise Malformed("the body ends before its closing boundary: cut short on its way")

    def _on_begin(self) -> None:
        self._parts += 1
        if self._parts > MOST_PARTS:
            raise TooMuch(f"more than {MOST_PARTS} parts: send them in several requests")
        self._content_type = ""

    def _on_field(self, content: bytes, start: int, end: int) -> None:
        self._field += content[start:end]

    def _on_value(self, content: bytes, start: int, end: int) -> None:
        self._value += content[start:end]

    def _on_header(self) -> None:
        if self._field.lower() == b"content-type":
            self._content_type = self._value.decode("latin-1").strip()
        self._field = self._value = b""

    def _on_headers(self) -> None:
        self._part = self._begin(self._content_type)

    def _on_content(self, content: bytes, start: int, end: int) -> None:
        if self._part is not None:
            self._part.take(memoryview(content)[start:end])

    def _on_end(self) -> None:
        if self._part is not None:
            self._part.finish()
        self._part = None


def opening(boundary: str, content_type: str, *, is_first: bool) -> bytes:
    """Write what stands before a part."""
    return f"{'' if is_first else chr(13) + chr(10)}--{boundary}\r\nContent-Type: {content_type}\r\n\r\n".encode()


def closing(boundary: str) -> bytes:
    """Write what stands after the last part."""
    return f"\r\n--{boundary}--\r\n".encode()
