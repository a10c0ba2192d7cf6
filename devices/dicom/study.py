"""A study that has come in."""

from dataclasses import dataclass
from pathlib import Path

FOUND_AT_START = "found at start"
"""The reason of a study that was in the folder when the node started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedStudy:
    """The objects of one study that are in use in the node's folder, announced when no more seem to come.

    Attributes
    ----------
    study_uid
        Study Instance UID (0020,000D).
    calling_ae
        AE title that sent its newest object.
    objects
        DICOM Part 10 files, in the order of arrival (by name where found at start); of several under one UID the
        one that its sender's rule has in use.
    reason
        Why it is announced now, in words: complete, found at start, late objects, association lost.
    conflicts
        UIDs under which several objects with different bytes came; all are kept.

    """

    study_uid: str
    calling_ae: str
    objects: tuple[Path, ...]
    reason: str
    conflicts: int = 0
