"""The retrieve transaction (PS3.18 10.4, WADO-RS): objects as they are stored, and what they say of themselves."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Final
from uuid import uuid4

import structlog
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from python_multipart.multipart import parse_options_header

from devices.dicom.web.attributes import Undescribable, describe, encode_one, put
from devices.dicom.web.holdings import Holding
from devices.dicom.web.parts import closing, opening

CHUNK_BYTES: Final = 1 << 18

ANY_TRANSFER_SYNTAX: Final = "*"

log = structlog.get_logger()


def new_boundary() -> str:
    """Make a boundary that no object holds."""
    return uuid4().hex


def takes_dicom(accept: str, holdings: Sequence[Holding]) -> bool:
    """Whether ``multipart/related; type="application/dicom"`` as stored is acceptable.

    One that names no transfer syntax takes what is stored: nothing here is transcoded.
    """
    for one in accept.split(","):
        media_type, options = parse_options_header(one.strip())
        if media_type in {b"*/*", b"multipart/*"}:
            return True
        if (
            media_type == b"multipart/related"
            and options.get(b"type", b"application/dicom") == b"application/dicom"
        ):
            wanted = options.get(b"transfer-syntax", b"*").decode("latin-1")
            if wanted == ANY_TRANSFER_SYNTAX or all(one.transfer_syntax == wanted for one in holdings):
                return True
    return not accept.strip()


def takes_json(accept: str) -> bool:
    """Whether ``application/dicom+json`` is acceptable."""
    types = {parse_options_header(one.strip())[0] for one in accept.split(",")}
    return bool(types & {b"*/*", b"application/*", b"application/json", b"application/dicom+json", b""})


async def parts(holdings: Sequence[Holding], boundary: str) -> AsyncIterator[bytes]:
    """Give the objects as the parts of a body."""
    for number, holding in enumerate(holdings):
        kind = f"application/dicom; transfer-syntax={holding.transfer_syntax}"
        yield opening(boundary, kind, is_first=number == 0)
        file = await asyncio.to_thread(holding.path.open, "rb", 0)
        try:
            while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
                yield chunk
        finally:
            file.close()
    yield closing(boundary)


async def descriptions(holdings: Sequence[Holding]) -> AsyncIterator[bytes]:
    """Give what each object says of itself, as one JSON array."""
    for number, holding in enumerate(holdings):
        yield b"," if number else b"["
        yield await asyncio.to_thread(_described, holding)
    yield b"]"


def _described(holding: Holding) -> bytes:
    try:
        return encode_one(describe(holding.path))
    except Undescribable as exc:
        log.warning("an object is described by its identifiers only", path=str(holding.path), reason=str(exc))
        identifiers = Dataset()
        put(identifiers, Tag(0x0008, 0x0016), "UI", holding.sop_class_uid)
        put(identifiers, Tag(0x0008, 0x0018), "UI", holding.object_uid)
        put(identifiers, Tag(0x0020, 0x000D), "UI", holding.study_uid)
        put(identifiers, Tag(0x0020, 0x000E), "UI", holding.series_uid)
        return encode_one(identifiers)
