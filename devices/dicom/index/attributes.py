"""What the index holds of one file, read from it: its meta information, its attributes, its size and time."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeAlias

from sqlalchemy import Table

from devices.dicom.index import tables
from devices.dicom.index.characters import decode_text
from devices.dicom.storage.elements import BIG_ENDIAN, UnreadableObject, walk
from devices.dicom.storage.identity import open_data_set
from devices.dicom.storage.part10 import FileMeta

Row: TypeAlias = dict[str, str | int | datetime | None]

SPECIFIC_CHARACTER_SET: Final = 0x00080005

TEXT: Final = {"LO", "PN", "SH"}
"""Value representations that the character set is of (PS3.5 6.1.2.3)."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _columns(table: Table) -> dict[str, tuple[int, str]]:
    return {column.name: (column.info["tag"], column.info["vr"]) for column in table.columns if column.info}


_STUDY, _SERIES = _columns(tables.studies), _columns(tables.series)
_OBJECT = {
    name: said
    for name, said in _columns(tables.objects).items()
    if name not in {"object_uid", "sop_class_uid"}  # the meta information has them, checked when it came
}

_TAGS = frozenset(tag for columns in (_STUDY, _SERIES, _OBJECT) for tag, _ in columns.values())
_WANTED = _TAGS | {SPECIFIC_CHARACTER_SET}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A row for each table, of one file."""

    study: Row
    series: Row
    object: Row

    @property
    def path(self) -> str:
        """The file, relative to the node's folder."""
        return str(self.object["path"])

    @property
    def object_uid(self) -> str:
        """SOP Instance UID."""
        return str(self.object["object_uid"])

    @property
    def study_uid(self) -> str:
        """Study Instance UID."""
        return str(self.object["study_uid"])


def received_at(modified_ns: int) -> datetime:
    """When an object was received: the time at which its file was written, to the microsecond."""
    return _EPOCH + timedelta(microseconds=modified_ns // 1000)


def read_entry(folder: Path, path: Path) -> Entry:
    """Read what the index holds of a file below ``folder``.

    Raises
    ------
    UnreadableFile
        Where it is no DICOM file.
    UnreadableObject
        Where its data set does not hold together, or is of another study than its folder.
    OSError
        Where it cannot be read.

    """
    meta, offset = FileMeta.read(path)
    with path.open("rb", buffering=0) as file:
        stated = path.stat()

        def read(place: int, size: int) -> bytes:
            file.seek(offset + place)
            return file.read(size)

        content, size, is_whole = open_data_set(
            read, stated.st_size - offset, transfer_syntax=meta.transfer_syntax
        )
        values = walk(
            content,
            size,
            transfer_syntax=meta.transfer_syntax,
            wanted=_WANTED,
            is_whole=is_whole,
            until=max(_TAGS) + 1,
        )
    decoder = _Decoder(values, is_big_endian=meta.transfer_syntax in BIG_ENDIAN)
    study, series = decoder.row(_STUDY), decoder.row(_SERIES)
    if study["study_uid"] != path.parent.name:
        raise UnreadableObject(f"its data set is of study {study['study_uid']}, not of its folder's")
    of_study: Row = {"study_uid": path.parent.name}
    named: Row = {"series_uid": series["series_uid"] or ""}
    of_file: Row = {
        "path": str(path.relative_to(folder)),
        "object_uid": meta.object_uid,
        "sop_class_uid": meta.sop_class_uid,
        "transfer_syntax": meta.transfer_syntax,
        "size_bytes": stated.st_size,
        "checksum": None if meta.seal is None else f"{meta.seal.checksum:016x}",
        "calling_ae": meta.calling_ae,
        "received_at": received_at(stated.st_mtime_ns),
        "gone_at": None,
    }
    return Entry(
        study=study | of_study,
        series=series | of_study | named,
        object=decoder.row(_OBJECT) | of_study | named | of_file,
    )


class _Decoder:
    def __init__(self, values: Mapping[int, bytes], *, is_big_endian: bool) -> None:
        self._values = values
        self._order: Any = "big" if is_big_endian else "little"
        self._character_sets = values.get(SPECIFIC_CHARACTER_SET, b"").decode("ascii", errors="replace").strip()

    def row(self, columns: Mapping[str, tuple[int, str]]) -> Row:
        return {name: self._value(self._values.get(tag, b""), vr) for name, (tag, vr) in columns.items()}

    def _value(self, value: bytes, vr: str) -> str | int | None:
        if vr == "US":
            return int.from_bytes(value, self._order) if len(value) == 2 else None
        # PostgreSQL takes no null character
        text = decode_text(value, self._character_sets if vr in TEXT else "").replace("\0", "").strip()
        if vr != "IS":
            return text or None
        try:
            number = int(text)
        except ValueError:
            return None
        return number if abs(number) < 1 << 31 else None
