"""When is a study complete? DICOM does not say, so it is told from associations and silence.

A study is complete when every association that was sending it has ended or has gone on to another study, and
nothing more has come for the quiet time; or at once when its sender lists what it has sent, as a request for
storage commitment does, and all of it has come. What comes later opens it again.

Pure bookkeeping: times are passed in. Objects are known here, by UID, while their study comes, and of the few
studies that were complete last; of all others the study's UID alone, for the folder has the rest.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from devices.dicom.messages import StudyComplete
from devices.dicom.storage.store import StoredStudy
from devices.dicom.study import FOUND_AT_START

RECENT: Final = 8
"""Studies that were complete last, whose objects stay known: their senders ask for commitment now."""


@dataclass(slots=True, kw_only=True)
class _Study:
    calling_ae: str
    objects: dict[str, None] = field(default_factory=dict)
    """Names of their files in use, without .dcm, in the order in which they came: UIDs, if from elsewhere any."""
    conflicting: set[str] = field(default_factory=set)
    senders: set[int] = field(default_factory=set)
    last_s: float = 0.0
    fresh: int = 0
    is_announced: bool = False
    is_lost: bool = False
    listed: int = 0
    missing: set[str] = field(default_factory=set)

    @property
    def has_all_listed(self) -> bool:
        return self.listed > 0 and not self.missing

    def due_s(self, quiet_s: float) -> float:
        """When it is complete if nothing more comes; never while it is being sent and not all listed has come."""
        if self.has_all_listed:
            return self.last_s
        return math.inf if self.senders else self.last_s + quiet_s


class StudyLedger:
    """Counts what has come of each study and says when it is complete.

    Parameters
    ----------
    folder
        The store's.
    quiet_s
        Silence that ends a study once its associations have.
    look_up
        Gives what the folder holds of a study.

    """

    def __init__(self, folder: Path, *, quiet_s: float, look_up: Callable[[str], StoredStudy | None]) -> None:
        self._folder = folder
        self._quiet_s = quiet_s
        self._look_up = look_up
        self._announced: set[str] = set()
        self._studies: dict[str, _Study] = {}
        self._unannounced: dict[str, _Study] = {}
        self._sending: dict[int, _Study] = {}

    @property
    def next_due_s(self) -> float | None:
        """Earliest time at which a study may become complete; None while none can."""
        due_s = min((study.due_s(self._quiet_s) for study in self._unannounced.values()), default=math.inf)
        return due_s if math.isfinite(due_s) else None

    def found(self, study: StoredStudy) -> StudyComplete:
        """Take a study that was in the folder at start; it is announced as it is."""
        self._announced.add(study.study_uid)
        return self._complete(study.study_uid, _found(study), FOUND_AT_START)

    def stored(
        self,
        study_uid: str,
        object_uid: str,
        *,
        sender: int,
        calling_ae: str,
        now_s: float,
        is_conflict: bool = False,
        is_again: bool = False,
    ) -> None:
        """Take an object that ``sender``, an association, has stored, maybe where its UID was in use already.

        ``is_conflict`` says that other bytes had it, ``is_again`` that the same had.
        """
        study = self._studies.get(study_uid)
        for waiting in self._unannounced.values():
            waiting.missing.discard(object_uid)
        former = self._sending.get(sender)
        if former is not None and former is not study:
            former.senders.discard(sender)
            del self._sending[sender]
        if is_again and study is None and study_uid in self._announced:
            return
        if study is None:
            study = self._studies[study_uid] = self._open(study_uid, calling_ae)
        study.last_s = now_s
        if is_again and object_uid in study.objects:  # else whoever stored it was lost before he told
            return
        if is_conflict:
            study.conflicting.add(object_uid)
        study.objects[object_uid] = None
        study.calling_ae = calling_ae
        study.senders.add(sender)
        study.fresh += 1
        self._sending[sender] = study
        self._unannounced[study_uid] = study

    def _open(self, study_uid: str, calling_ae: str) -> _Study:
        """Begin a study, or one that was complete once anew."""
        found = self._look_up(study_uid) if study_uid in self._announced else None
        return _Study(calling_ae=calling_ae) if found is None else _found(found)

    def conflicting(self, study_uid: str, object_uid: str) -> None:
        """Note that an object has the UID of one in another study."""
        study = self._studies.get(study_uid)
        if study is not None:
            study.conflicting.add(object_uid)

    def listed(self, object_uids: frozenset[str]) -> None:
        """Take what a sender says that it has sent: the studies that some of it is of want all of it."""
        concerned = [study for study in self._studies.values() if not object_uids.isdisjoint(study.objects)]
        missing = object_uids.difference(*(study.objects for study in concerned))
        for study in concerned:
            study.listed, study.missing = len(object_uids), set(missing)

    def ended(self, sender: int, *, was_released: bool, now_s: float) -> None:
        """Note that an association has ended, in order or not."""
        study = self._sending.pop(sender, None)
        if study is not None:
            study.senders.discard(sender)
            study.last_s = now_s
            study.is_lost = study.is_lost or not was_released

    def due(self, now_s: float) -> tuple[StudyComplete, ...]:
        """Studies that are complete now, each once until more comes."""
        complete = [
            (uid, study) for uid, study in self._unannounced.items() if study.due_s(self._quiet_s) <= now_s
        ]
        return tuple(self._announce(uid, study) for uid, study in complete)

    def _announce(self, study_uid: str, study: _Study) -> StudyComplete:
        del self._unannounced[study_uid]
        self._studies[study_uid] = self._studies.pop(study_uid)  # the last to be forgotten
        reason = "association ended and nothing more came"
        if study.has_all_listed:
            reason = f"all {study.listed} objects that its sender lists have come"
        if study.is_announced:
            reason = f"objects came after it was complete: {study.fresh}"
        if study.is_lost:
            reason += "; an association was lost on the way, so objects may be missing"
        if study.missing:
            reason += f"; of {study.listed} objects that its sender lists, {len(study.missing)} have not come"
        study.fresh, study.is_announced, study.is_lost = 0, True, False
        study.listed, study.missing = 0, set()
        self._announced.add(study_uid)
        self._forget()
        return self._complete(study_uid, study, reason)

    def _complete(self, study_uid: str, study: _Study, reason: str) -> StudyComplete:
        return StudyComplete(
            study_uid=study_uid,
            calling_ae=study.calling_ae,
            objects=tuple(f"{self._folder}/{study_uid}/{object_uid}.dcm" for object_uid in study.objects),
            reason=reason,
            conflicts=len(study.conflicting),
        )

    def _forget(self) -> None:
        complete = [uid for uid in self._studies if uid not in self._unannounced]
        for uid in complete[:-RECENT]:
            del self._studies[uid]


def _found(study: StoredStudy) -> _Study:
    return _Study(
        calling_ae=study.calling_ae,
        objects=dict.fromkeys(path.stem for path in study.objects),
        conflicting=set(study.aside),
        is_announced=True,
    )
