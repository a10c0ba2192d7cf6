"""What is committed: objects read back from the disk, as they were received (PS3.4 J.3.3)."""

from pathlib import Path

import structlog

from devices.dicom.services.commitment import (
    CLASS_CONFLICT,
    NO_SUCH_INSTANCE,
    PROCESSING_FAILURE,
    Failure,
    Reference,
    Transaction,
)
from devices.dicom.storage.part10 import FileMeta, UnreadableFile, is_sound
from devices.dicom.storage.store import ObjectStore

log = structlog.get_logger()


def look_into(store: ObjectStore, transaction: Transaction) -> tuple[Failure, ...]:
    """Read every object back from the disk: committed is what is there, of its class, and as it was received.

    Gives the others.
    """
    there = store.find({reference.object_uid for reference in transaction.references})
    return tuple(
        Failure(reference=reference, reason=reason)
        for reference in transaction.references
        if (reason := _reason(there.get(reference.object_uid), reference)) is not None
    )


def _reason(path: Path | None, reference: Reference) -> int | None:
    if path is None:
        return NO_SUCH_INSTANCE
    try:
        if FileMeta.read(path)[0].sop_class_uid != reference.sop_class_uid:
            return CLASS_CONFLICT
        return None if is_sound(path) else PROCESSING_FAILURE
    except (OSError, UnreadableFile) as exc:
        log.warning("an object cannot be read back", path=str(path), reason=str(exc))
        return PROCESSING_FAILURE
