"""One stored file as a DICOM object: its attributes first, its pixels only when they are wanted."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog
from pydicom import dcmread
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_file_meta_info
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, MediaStorageDirectoryStorage

from acquisition.studies.attributes import Attributes
from acquisition.studies.errors import ObjectUnreadable

LARGEST_OBJECT_BYTES = 2**31
"""A larger file is not opened: the largest image read here is an NM volume of some tens of megabytes."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """A DICOM file whose attributes, all but the pixels, are in memory.

    ``pixels_at`` is where the element that holds the pixels begins in the file, where it has one.
    """

    path: Path
    attributes: Attributes
    sop_class_uid: UID
    sop_instance_uid: str
    study_uid: str
    series_uid: str
    transfer_syntax_uid: UID
    pixels_at: int


@contextmanager
def logged_warnings(path: Path) -> Iterator[None]:
    """Turn pydicom's warnings about odd values into log lines: they concern the sender, not this program."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for warning in caught:
        log.info("odd DICOM value", object=path.name, warning=str(warning.message))


def read_object(path: Path) -> StoredObject:
    """Read a file's attributes; the pixels stay on disk.

    Raises
    ------
    ObjectUnreadable
        Where the file is no DICOM object, is broken, is deflated (its unpacked size cannot be known beforehand),
        or lacks the UIDs that say which study and series it belongs to.

    """
    try:
        with logged_warnings(path):
            return _read(path)
    except ObjectUnreadable:
        raise
    except InvalidDicomError as exc:
        raise ObjectUnreadable(
            f"{path.name} is no readable DICOM object: it does not begin as a DICOM file does", path=path
        ) from exc
    except Exception as exc:
        # pydicom raises whatever broken bytes trip over: ValueError, KeyError, struct.error, RecursionError ...
        why = (exc.strerror if isinstance(exc, OSError) else str(exc)) or type(exc).__name__
        raise ObjectUnreadable(f"{path.name} is no readable DICOM object: {why}", path=path) from exc


def _read(path: Path) -> StoredObject:
    if path.stat().st_size > LARGEST_OBJECT_BYTES:
        raise ObjectUnreadable(f"{path.name} is larger than {LARGEST_OBJECT_BYTES} bytes", path=path)
    meta = read_file_meta_info(path)
    if meta.get("MediaStorageSOPClassUID") == MediaStorageDirectoryStorage:
        raise ObjectUnreadable(f"{path.name} is a disk's list of its files, and holds no image", path=path)
    syntax = UID(meta.get("TransferSyntaxUID") or "")
    if not syntax:
        raise ObjectUnreadable(f"{path.name} has no Transfer Syntax UID (0002,0010)", path=path)
    if syntax == DeflatedExplicitVRLittleEndian:
        raise ObjectUnreadable(f"{path.name} is deflated; send it in a plain transfer syntax", path=path)
    if not syntax.is_transfer_syntax or syntax.is_private:
        raise ObjectUnreadable(f"{path.name} is in {syntax}, no transfer syntax of the standard", path=path)
    with path.open("rb") as file:
        header = dcmread(file, stop_before_pixels=True)
        pixels_at = file.tell()
    attributes = Attributes(dataset=header, where=path.name)
    return StoredObject(
        path=path,
        attributes=attributes,
        sop_class_uid=UID(attributes.required_uid("SOPClassUID")),
        sop_instance_uid=attributes.required_uid("SOPInstanceUID"),
        study_uid=attributes.required_uid("StudyInstanceUID"),
        series_uid=attributes.required_uid("SeriesInstanceUID"),
        transfer_syntax_uid=syntax,
        pixels_at=pixels_at,
    )
