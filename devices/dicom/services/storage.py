"""The storage service (PS3.4 annex B): one C-STORE from its command to its answer."""

import errno
from collections.abc import Callable

from devices.clock import monotonic
from devices.dicom.services.commands import Command, Status
from devices.dicom.services.request import Refuse, Respond
from devices.dicom.services.transfers import OpenTransfer
from devices.dicom.storage.elements import UnreadableObject
from devices.dicom.storage.identity import checked_uid
from devices.dicom.storage.part10 import FileMeta
from devices.dicom.storage.placement import Kept, OnConflict, StoredObject
from devices.dicom.storage.spool import ObjectMismatch, Spool
from devices.dicom.storage.store import MEGABYTE, ObjectStore, StorageFull
from devices.dicom.upper_layer.user import Conclusion, Unacceptable, Work


class Storing:
    """An object that comes in.

    Parameters
    ----------
    store
        Where it goes.
    transfer
        Told of it, too, before it is acknowledged.
    limit_mb
        The largest that is taken.
    on_conflict
        What is done with other bytes under its UID.
    arrived
        Told of the object when it is stored, before it is acknowledged, and how long that took, s.
    respond, refuse
        Answer the request; tell of a refusal.

    """

    def __init__(
        self,
        store: ObjectStore,
        transfer: OpenTransfer,
        *,
        limit_mb: int,
        on_conflict: OnConflict,
        arrived: Callable[[StoredObject, float], None],
        respond: Respond,
        refuse: Refuse,
    ) -> None:
        self._store = store
        self._transfer = transfer
        self._limit_mb = limit_mb
        self._on_conflict = on_conflict
        self._arrived = arrived
        self._respond = respond
        self._refuse = refuse
        self._spool: Spool | None = None
        self._refusal = Status.SUCCESS

    def begin(self, command: Command, *, transfer_syntax: str, calling_ae: str) -> None:
        """Open the spool, or know the refusal before anything is written."""
        try:
            meta = FileMeta(
                sop_class_uid=checked_uid(command.sop_class_uid, name="Affected SOP Class UID (0000,0002)"),
                object_uid=checked_uid(command.sop_instance_uid, name="Affected SOP Instance UID (0000,1000)"),
                transfer_syntax=transfer_syntax,
                calling_ae=calling_ae,
            )
            self._spool = self._store.begin(meta)
        except UnreadableObject as exc:
            self._refusal = Status.INVALID_OBJECT_INSTANCE
            self._refuse(str(exc))
        except OSError as exc:
            self._refuse_for_space(exc)

    def take(self, content: memoryview) -> None:
        """Write part of the data set."""
        if self._spool is None:
            return
        if self._spool.size + len(content) > self._limit_mb * MEGABYTE:
            raise Unacceptable(f"an object of more than {self._limit_mb} MB (maximum_object_mb)")
        try:
            self._spool.write(content)
        except OSError as exc:
            self.discard()
            self._refuse_for_space(exc)

    def finish(self) -> Work | None:
        """Make the object durable, and only then answer."""
        spool = self._spool
        if spool is None:
            self._respond(self._refusal)
            return None

        def keep() -> Conclusion:
            return self._outcome(spool)

        return keep

    def discard(self) -> None:
        """Remove what has come."""
        if self._spool is not None:
            self._spool.discard()
            self._spool = None

    def _outcome(self, spool: Spool) -> Conclusion:
        """Keep it, which waits for the disk; gives what is then to be said."""
        try:
            begun_s = monotonic()
            stored = spool.keep(self._on_conflict)
            took_s = monotonic() - begun_s
            if stored.kept is not Kept.REJECTED:
                self._transfer.add(stored.study_uid)
        except UnreadableObject as exc:
            return self._turned_down(Status.CANNOT_UNDERSTAND, str(exc))
        except ObjectMismatch as exc:
            return self._turned_down(Status.DATA_SET_MISMATCH, str(exc))
        except OSError as exc:
            return self._turned_down(Status.OUT_OF_RESOURCES, _space(exc))

        def stored_it() -> None:
            self._arrived(stored, took_s)
            if stored.kept is Kept.REJECTED:
                object_uid = stored.name.removesuffix(".dcm")
                self._refuse(f"other bytes are there under {object_uid}, and its rule is to reject them")
                self._respond(Status.DUPLICATE_SOP_INSTANCE)
            else:
                self._respond(Status.SUCCESS)

        return stored_it

    def _turned_down(self, status: Status, sentence: str) -> Conclusion:
        def turn_down() -> None:
            self._refuse(sentence)
            self._respond(status)

        return turn_down

    def _refuse_for_space(self, exc: OSError) -> None:
        self._refusal = Status.OUT_OF_RESOURCES
        self._refuse(_space(exc))


def _space(exc: OSError) -> str:
    if isinstance(exc, StorageFull):
        return str(exc)
    return f"could not be written: {errno.errorcode.get(exc.errno or 0, '')} {exc}"
