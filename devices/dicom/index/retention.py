"""Which studies a rule would remove, and their removal: only ever by a person's command, each with its audit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from sqlalchemy import func, select

from devices.dicom.audit.trail import AuditTrail
from devices.dicom.index.catalogue import Catalogue, present
from devices.dicom.index.tables import objects, studies
from devices.dicom.services.docket import left_behind
from devices.dicom.settings import RetentionRule
from devices.dicom.storage.store import MEGABYTE, ObjectStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A study that a rule names.

    Attributes
    ----------
    study_uid
        Its UID.
    objects
        Files of it.
    size_bytes
        Of all of them.
    senders
        Calling AE titles, sorted.
    newest_at
        When its last object came.
    rule
        The rule, in words.
    kept_for
        Why it is kept nevertheless; empty where it may go.

    """

    study_uid: str
    objects: int
    size_bytes: int
    senders: tuple[str, ...]
    newest_at: datetime
    rule: str
    kept_for: str


def find_candidates(
    catalogue: Catalogue,
    rules: Sequence[RetentionRule],
    *,
    kept: Mapping[str, str],
    patient_id: str | None,
    now: datetime,
) -> list[Candidate]:
    """Find the studies that any rule names, the oldest first.

    ``kept`` says of studies why they must stay; so does the study of the patient on the table, ``patient_id``.
    """
    per_study = (
        select(
            objects.c.study_uid,
            studies.c.patient_id,
            func.count().label("objects"),
            func.sum(objects.c.size_bytes).label("size_bytes"),
            func.max(objects.c.received_at).label("newest_at"),
        )
        .join(studies, studies.c.study_uid == objects.c.study_uid)
        .where(present)
        .group_by(objects.c.study_uid, studies.c.patient_id)
        .order_by("newest_at", objects.c.study_uid)
    )
    sent = select(objects.c.study_uid, objects.c.calling_ae).distinct().where(present)
    senders: dict[str, set[str]] = {}
    with catalogue.reading() as connection:
        for row in connection.execute(sent):
            senders.setdefault(row.study_uid, set()).add(row.calling_ae)
        every = [
            Candidate(
                study_uid=row.study_uid,
                objects=row.objects,
                size_bytes=int(row.size_bytes),  # PostgreSQL sums to a decimal
                senders=tuple(sorted(senders[row.study_uid])),
                newest_at=row.newest_at,
                rule="",
                kept_for=_kept_for(row.study_uid, row.patient_id, kept, patient_id),
            )
            for row in connection.execute(per_study)
        ]
    named = ((study, next((rule for rule in rules if _names(rule, study, now)), None)) for study in every)
    return [replace(study, rule=str(rule)) for study, rule in named if rule is not None]


def _kept_for(study_uid: str, patient_id: str | None, kept: Mapping[str, str], on_table: str | None) -> str:
    if on_table is not None and patient_id == on_table:
        return "its patient is on the table (procedure.patient_id)"
    return kept.get(study_uid, "")


def _names(rule: RetentionRule, study: Candidate, now: datetime) -> bool:
    """Whether all that a rule says is so of a study; of its sender, of every object."""
    is_old = rule.older_than_days is None or now - study.newest_at > timedelta(days=rule.older_than_days)
    is_large = rule.larger_than_mb is None or study.size_bytes > rule.larger_than_mb * MEGABYTE
    return is_old and is_large and (rule.sender is None or study.senders == (rule.sender,))


def awaiting_commitment(folder: Path, store: ObjectStore) -> dict[str, str]:
    """Studies with an object whose sender has not yet heard that it is committed, and why they are kept."""
    asked = {one.object_uid for transaction in left_behind(folder) for one in transaction.references}
    return {path.parent.name: "its sender waits for a report of commitment" for path in store.find(asked).values()}


def delete(
    study: Candidate, *, store: ObjectStore, catalogue: Catalogue, audit: AuditTrail, deleted_by: str
) -> None:
    """Remove a study: its audit first, then its rows, then its files, all of them or none.

    Killed in between, it is audited and there: the next start gives it its rows again.

    Raises
    ------
    FolderDiffers
        Where its folder holds what has no row, so that nobody has been told what would go.
    OSError
        Where the disk refuses; the audit says so.

    """
    files = catalogue.files(study.study_uid)
    store.check_holds(study.study_uid, {Path(path).name for path, state in files.items() if not state.is_gone})
    note = partial(audit.deleted, study.study_uid, study.objects, deleted_by=deleted_by, reason=study.rule)
    catalogue.note(note())
    catalogue.remove_study(study.study_uid)
    try:
        store.remove(study.study_uid)
    except OSError as exc:
        catalogue.note(note(failure=str(exc)))
        raise
