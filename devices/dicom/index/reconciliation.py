"""Makes the index say what the folder holds: the files are the truth, the rows follow."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

import structlog

from devices.dicom.audit.trail import AuditTrail
from devices.dicom.index.attributes import Entry, read_entry, received_at
from devices.dicom.index.catalogue import BATCH, Catalogue, FileState
from devices.dicom.storage.elements import UnreadableObject
from devices.dicom.storage.part10 import UnreadableFile
from devices.dicom.storage.placement import sort_out

log = structlog.get_logger()

OnGone: TypeAlias = Callable[[str, Sequence[str]], None]
"""Told the study and the paths of rows that have lost their files."""


@dataclass(slots=True, kw_only=True)
class Difference:
    """How index and folder differed.

    Attributes
    ----------
    studies, objects
        How many the folder holds.
    added
        Files that had no row, or one of another file.
    gone
        Rows that have lost their file.
    unreadable
        Why a file could not be read, by path; it is left as it is, without a row.
    shared
        Files added whose UID an object of another study has, with that study's UID.

    """

    studies: int = 0
    objects: int = 0
    added: int = 0
    gone: int = 0
    unreadable: dict[str, str] = field(default_factory=dict)
    shared: list[tuple[Entry, str]] = field(default_factory=list)


def study_uids(catalogue: Catalogue, folder: Path) -> list[str]:
    """Every study that has a row or a folder."""
    known = catalogue.study_uids()  # first: what comes meanwhile has its folder before its row
    there = {path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")}
    return sorted(known | there)


def reconcile(
    catalogue: Catalogue, folder: Path, study_uid: str, found: Difference, *, on_gone: OnGone, at: datetime
) -> None:
    """Bring the rows of one study in line with its files, and add to ``found`` what differed.

    ``on_gone`` is told of rows without a file before they are marked, so that a kill may make it hear of them
    again and never lets it miss them.

    Raises
    ------
    SQLAlchemyError
        Where the database fails.

    """
    known = catalogue.files(study_uid)  # before the files are listed: a file is there before its row
    there = {path: path.stat() for path in (folder / study_uid).glob("*.dcm")}
    used = set(sort_out(there).objects)
    entries: list[Entry] = []
    is_changed = False
    # as they came, those in use before those aside: the first describes its study and its series
    for path, stated in sorted(there.items(), key=lambda one: (one[0] not in used, one[1].st_mtime_ns, one[0])):
        name = str(path.relative_to(folder))
        state = FileState(stated.st_size, received_at(stated.st_mtime_ns), is_gone=False)
        try:
            if known.get(name) != state:
                is_changed |= name in known
                entries.append(read_entry(folder, path))
        except (UnreadableFile, UnreadableObject, OSError) as exc:
            found.unreadable[name] = str(exc)
        if len(entries) == BATCH:
            _add(catalogue, entries, found)
    _add(catalogue, entries, found)
    if is_changed:
        describe(catalogue, folder, study_uid)
    present = {str(path.relative_to(folder)) for path in there}
    gone = sorted(name for name, state in known.items() if not state.is_gone and name not in present)
    if gone:
        on_gone(study_uid, gone)
        catalogue.mark_gone(gone, at)
        found.gone += len(gone)
    found.studies += bool(there)
    found.objects += len(there)


def describe(catalogue: Catalogue, folder: Path, study_uid: str) -> None:
    """Have what is known of a study follow from the objects that are in use now."""
    try:
        catalogue.describe(study_uid, lambda path: read_entry(folder, folder / path))
    except (UnreadableFile, UnreadableObject, OSError) as exc:
        log.warning("a study keeps its description", study_uid=study_uid, reason=str(exc))


def _add(catalogue: Catalogue, entries: list[Entry], found: Difference) -> None:
    found.shared += catalogue.add(entries)
    found.added += len(entries)
    entries.clear()


def restore_audit(catalogue: Catalogue, trail: AuditTrail) -> None:
    """Fill an empty audit from the trail's files."""
    if not catalogue.has_audit:
        catalogue.note(*trail.removals())


def reconcile_all(
    catalogue: Catalogue, folder: Path, *, on_gone: OnGone, at: datetime
) -> Iterator[tuple[int, int, Difference]]:
    """Bring the whole index in line; gives after each study how many are done, of how many, and what differed."""
    found, studies = Difference(), study_uids(catalogue, folder)
    for done, study_uid in enumerate(studies, start=1):
        reconcile(catalogue, folder, study_uid, found, on_gone=on_gone, at=at)
        yield done, len(studies), found
