"""Data sets of answers, and their encoding as JSON (PS3.18 annex F)."""

import json
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Final

from pydicom import dcmread
from pydicom.config import IGNORE
from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag

from devices.dicom.storage.identity import DEFLATED, open_data_set
from devices.dicom.storage.part10 import FileMeta

MEDIA_TYPE: Final = "application/dicom+json"

BULK_BYTES: Final = 4096
"""Of an element with bytes or numbers; a longer one is bulk data, which descriptions leave out."""

GROUP_OF_FILES: Final = 0x0002
"""Of the meta information, which is not the object's."""

BULK_VRS: Final = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN", "OB or OW", "US or OW", "US or SS or OW"})


class Undescribable(ValueError):
    """Raised when an object cannot be read as attributes; it can still be retrieved as it is."""


def put(data_set: Dataset, tag: BaseTag, vr: str, value: object) -> None:
    """Add an element, whatever its value: what a sender wrote is shown as it is."""
    data_set[tag] = DataElement(tag, vr, value, validation_mode=IGNORE)


def describe(path: Path) -> Dataset:
    """Read what an object says of itself, without its bulk data and without what stands after its pixels.

    Raises
    ------
    Undescribable
        Where it cannot be read so.

    """
    try:
        meta, offset = FileMeta.read(path)
        if meta.transfer_syntax in DEFLATED:
            described = _read_deflated(path, meta, offset)
        else:
            described = dcmread(path, stop_before_pixels=True, defer_size=BULK_BYTES)
        for tag in list(described.keys()):
            if _is_bulk(described.get_item(tag, keep_deferred=True)):
                del described[tag]
    except Exception as exc:  # whatever pydicom trips over in an object that is kept as it was sent
        raise Undescribable(f"{path}: {exc}") from exc
    return described


def _read_deflated(path: Path, meta: FileMeta, offset: int) -> Dataset:
    # pydicom would inflate all of it, whatever it comes to
    with path.open("rb", buffering=0) as file:

        def read(place: int, size: int) -> bytes:
            file.seek(offset + place)
            return file.read(size)

        content, size, _ = open_data_set(read, path.stat().st_size - offset, transfer_syntax=meta.transfer_syntax)
        head = BytesIO(content(0, size))
    return read_dataset(head, is_implicit_VR=False, is_little_endian=True, stop_when=_is_pixels)


def _is_pixels(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    return tag.group == 0x7FE0


def _is_bulk(element: object) -> bool:
    if not isinstance(element, RawDataElement) or element.length <= BULK_BYTES:
        return False
    vr = element.VR
    if vr is None:
        vr = dictionary_VR(element.tag) if dictionary_has_tag(element.tag) else "UN"
    return vr in BULK_VRS


def encode(*data_sets: Dataset) -> bytes:
    """Encode data sets as an array."""
    return b"[" + b",".join(map(encode_one, data_sets)) + b"]"


def encode_one(data_set: Dataset) -> bytes:
    """Encode a data set as an object; an element whose value is none of its kind is left out."""
    said: list[str] = []
    for tag in sorted(data_set.keys()):
        if tag.group > GROUP_OF_FILES:
            with suppress(Exception):  # as in describe
                value = json.dumps(data_set[tag].to_json_dict(None, 0), allow_nan=False)
                said.append(f'"{tag:08X}":{value}')
    return f"{{{','.join(said)}}}".encode()
