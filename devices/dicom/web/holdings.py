"""Which objects there are: the folder says so, the index says the rest; what it does not have yet is read."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from devices.dicom.index.attributes import read_entry, received_at
from devices.dicom.index.catalogue import Catalogue
from devices.dicom.index.database import IndexUnavailable
from devices.dicom.index.tables import objects
from devices.dicom.storage.elements import UnreadableObject
from devices.dicom.storage.part10 import UnreadableFile

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """An object in the folder. Of several under one UID this is the one with the plain name."""

    path: Path
    study_uid: str
    series_uid: str
    object_uid: str
    sop_class_uid: str
    transfer_syntax: str


class Holdings:
    """The objects of a folder.

    Parameters
    ----------
    folder
        The store's.
    index
        The database of its index; None for the SQLite file below the folder.

    """

    def __init__(self, folder: Path, index: str | None) -> None:
        self._folder = folder
        self._index = index

    def find(self, study_uid: str, series_uid: str | None, object_uid: str | None) -> list[Holding]:
        """Find a study's objects, a series', or one, by name of file; the UIDs are checked ones.

        Raises
        ------
        OSError
            Where the folder cannot be read.

        """
        study = self._folder / study_uid
        try:
            with os.scandir(study) as entries:
                there = {
                    entry.name: entry.stat()
                    for entry in entries
                    if entry.name.endswith(".dcm") and object_uid in {None, entry.name.removesuffix(".dcm")}
                }
        except FileNotFoundError:
            return []
        known = self._known(study_uid) if len(there) > 1 else {}
        # a row may still be of the object that another has replaced
        found = (
            known.get((name, state.st_size, received_at(state.st_mtime_ns))) or self.read(study_uid, name)
            for name, state in sorted(there.items())
        )
        return [
            one
            for one in found
            if one is not None and one.path.stem == one.object_uid and series_uid in {None, one.series_uid}
        ]

    def read(self, study_uid: str, name: str) -> Holding | None:
        """Read what a file in a study's folder holds; None where it is no object."""
        path = self._folder / study_uid / name
        try:
            row = read_entry(self._folder, path).object
        except (UnreadableFile, UnreadableObject, OSError) as exc:
            log.warning("a file is no object", path=str(path), reason=str(exc))
            return None
        return Holding(
            path=path,
            study_uid=study_uid,
            series_uid=str(row["series_uid"]),
            object_uid=str(row["object_uid"]),
            sop_class_uid=str(row["sop_class_uid"]),
            transfer_syntax=str(row["transfer_syntax"]),
        )

    def _known(self, study_uid: str) -> dict[tuple[str, int, datetime], Holding]:
        try:
            return dict(self._rows(study_uid))
        except (IndexUnavailable, SQLAlchemyError) as exc:
            log.warning("a study is read without the index", study_uid=study_uid, reason=str(exc))
            return {}

    def _rows(self, study_uid: str) -> Iterator[tuple[tuple[str, int, datetime], Holding]]:
        chosen = select(objects).where(objects.c.study_uid == study_uid)
        with Catalogue.open(self._folder, self._index) as catalogue, catalogue.reading() as connection:
            for row in connection.execute(chosen):
                path = self._folder / row.path
                yield (
                    (path.name, row.size_bytes, row.received_at),
                    Holding(
                        path=path,
                        study_uid=study_uid,
                        series_uid=row.series_uid,
                        object_uid=row.object_uid,
                        sop_class_uid=row.sop_class_uid,
                        transfer_syntax=row.transfer_syntax,
                    ),
                )
