"""The store transaction (PS3.18 10.5, STOW-RS): objects from the parts of a body to the disk, and what is said.

What holds for C-STORE holds here: an object streams to its spool, and is named as stored when it is durable.
Everything here waits for the disk: call it on a thread.
"""

import errno
from collections import Counter
from collections.abc import Callable
from typing import Final

from pydicom.dataset import Dataset
from pydicom.tag import Tag

from devices.clock import monotonic
from devices.dicom.services.commands import Status
from devices.dicom.services.events import Arrival, Cause, Notify, Refusal
from devices.dicom.services.transfers import OpenTransfer
from devices.dicom.settings import WebClient
from devices.dicom.storage.elements import UnreadableObject
from devices.dicom.storage.identity import checked_uid
from devices.dicom.storage.part10 import FileMeta, UnreadableFile
from devices.dicom.storage.placement import Kept
from devices.dicom.storage.spool import ObjectMismatch, Spool
from devices.dicom.storage.store import MEGABYTE, ObjectStore, StorageFull
from devices.dicom.web.attributes import put
from devices.dicom.web.holdings import Holdings
from devices.dicom.web.parts import Part, TooMuch

RETRIEVE_URL: Final = Tag(0x0008, 0x1190)
FAILURE_REASON: Final = Tag(0x0008, 0x1197)
FAILED_SOP_SEQUENCE: Final = Tag(0x0008, 0x1198)
REFERENCED_SOP_SEQUENCE: Final = Tag(0x0008, 0x1199)
OTHER_FAILURES_SEQUENCE: Final = Tag(0x0008, 0x119A)
REFERENCED_CLASS: Final = Tag(0x0008, 0x1150)
REFERENCED_INSTANCE: Final = Tag(0x0008, 0x1155)


class _Refused(Exception):
    """Raised when an object is not taken; ``status`` says why to programs."""

    def __init__(self, status: Status, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class Intake:
    """One request's objects.

    Parameters
    ----------
    store
        Where they go.
    client
        Who sends them.
    address
        From where.
    session
        What the node calls the request.
    transfer
        Told of each object before it is named as stored.
    limit_mb
        The largest object that is taken.
    study_uid
        The study that all must be of; None for any.
    notify
        Told of arrivals and refusals.
    holdings
        Says of which series an object is.
    url_of
        Gives where a study, a series or an object is retrieved.

    Attributes
    ----------
    acknowledged
        Objects that are named as stored, by study.

    """

    def __init__(
        self,
        store: ObjectStore,
        client: WebClient,
        *,
        address: str,
        session: int,
        transfer: OpenTransfer,
        limit_mb: int,
        study_uid: str | None,
        notify: Notify,
        holdings: Holdings,
        url_of: Callable[..., str],
    ) -> None:
        self.acknowledged: Counter[str] = Counter()
        self._store = store
        self._client = client
        self._address = address
        self._session = session
        self._limit_mb = limit_mb
        self._study_uid = study_uid
        self._transfer = transfer
        self._notify = notify
        self._holdings = holdings
        self._url_of = url_of
        self._stored: list[Dataset] = []
        self._failed: list[Dataset] = []
        self._others: list[Dataset] = []
        self._reasons: set[Status] = set()
        self._object: _Object | None = None

    def begin(self, content_type: str) -> Part:
        """Begin an object."""
        self._object = _Object(self, content_type)
        return self._object

    def discard(self) -> None:
        """Remove what has come of an object that is not whole."""
        if self._object is not None:
            self._object.discard()

    @property
    def status(self) -> int:
        """Status of the response (PS3.18 table 10.5.3-1; 507 of RFC 4918 where nothing fitted on the disk)."""
        if not self._reasons:
            return 200 if self._stored else 400
        if self._stored:
            return 202
        return 507 if self._reasons == {Status.OUT_OF_RESOURCES} else 409

    def response(self) -> Dataset:
        """Say what became of each object (PS3.18 10.5.3.2, annex I)."""
        said = Dataset()
        if len(self.acknowledged) == 1:
            put(said, RETRIEVE_URL, "UR", self._url_of(next(iter(self.acknowledged))))
        for tag, items in (
            (FAILED_SOP_SEQUENCE, self._failed),
            (REFERENCED_SOP_SEQUENCE, self._stored),
            (OTHER_FAILURES_SEQUENCE, self._others),
        ):
            if items:
                put(said, tag, "SQ", items)
        return said

    def open(self, meta: FileMeta) -> Spool:
        """Open the spool of an object, for it; raises ``_Refused``."""
        try:
            checked = FileMeta(
                sop_class_uid=checked_uid(meta.sop_class_uid, name="Media Storage SOP Class UID (0002,0002)"),
                object_uid=checked_uid(meta.object_uid, name="Media Storage SOP Instance UID (0002,0003)"),
                transfer_syntax=checked_uid(meta.transfer_syntax, name="Transfer Syntax UID (0002,0010)"),
                calling_ae=self._client.ae_title,
            )
            return self._store.begin(checked)
        except UnreadableObject as exc:
            raise _Refused(Status.INVALID_OBJECT_INSTANCE, str(exc)) from exc
        except OSError as exc:
            raise _no_space(exc) from exc

    def write(self, spool: Spool, content: memoryview) -> None:
        """Write part of an object, for it; raises ``_Refused`` and ``TooMuch``."""
        if spool.size + len(content) > self._limit_mb * MEGABYTE:
            raise TooMuch(f"an object of more than {self._limit_mb} MB (maximum_object_mb)")
        try:
            spool.write(content)
        except OSError as exc:
            raise _no_space(exc) from exc

    def keep(self, spool: Spool, meta: FileMeta) -> None:
        """Make an object durable and note it, for it; raises ``_Refused``."""
        try:
            study_uid = spool.identify().study_uid
            if self._study_uid not in {None, study_uid}:
                raise _Refused(
                    Status.DATA_SET_MISMATCH, f"it is of study {study_uid}, the request is for {self._study_uid}"
                )
            begun_s = monotonic()
            stored = spool.keep(self._client.on_conflict)
            took_s = monotonic() - begun_s
            if stored.kept is not Kept.REJECTED:
                self._transfer.add(study_uid)
        except UnreadableObject as exc:
            raise _Refused(Status.CANNOT_UNDERSTAND, str(exc)) from exc
        except ObjectMismatch as exc:
            raise _Refused(Status.DATA_SET_MISMATCH, str(exc)) from exc
        except OSError as exc:
            raise _no_space(exc) from exc
        object_uid = meta.object_uid
        self._notify(
            Arrival(
                session=self._session,
                calling_ae=self._client.ae_title,
                address=self._address,
                object_uid=object_uid,
                stored=stored,
                took_s=took_s,
                transfer=self._transfer.name,
            )
        )
        if stored.kept is Kept.REJECTED:
            raise _Refused(
                Status.DUPLICATE_SOP_INSTANCE,
                f"other bytes are there under {object_uid}, and its rule is to reject them",
            )
        self.acknowledged[study_uid] += 1
        item, holding = _reference(meta), self._holdings.read(study_uid, stored.name)
        if holding is not None:
            put(item, RETRIEVE_URL, "UR", self._url_of(study_uid, holding.series_uid, object_uid))
        self._stored.append(item)

    def fail(self, refused: _Refused, meta: FileMeta | None) -> None:
        """Note why an object is not stored, for it."""
        self._reasons.add(refused.status)
        self._notify(
            Refusal(
                cause=Cause.OBJECT, calling_ae=self._client.ae_title, address=self._address, reason=str(refused)
            )
        )
        item = Dataset() if meta is None else _reference(meta)
        put(item, FAILURE_REASON, "US", int(refused.status))
        (self._others if meta is None else self._failed).append(item)


class _Object:
    """An object while it comes in."""

    def __init__(self, intake: Intake, content_type: str) -> None:
        self._intake = intake
        self._head = bytearray()
        self._meta: FileMeta | None = None
        self._spool: Spool | None = None
        self._is_refused = False
        if content_type.partition(";")[0].strip().lower() != "application/dicom":
            self._refuse(
                _Refused(
                    Status.CANNOT_UNDERSTAND, f"a part is of type {content_type[:80]!r}, not application/dicom"
                )
            )

    def take(self, content: memoryview) -> None:
        if self._is_refused:
            return
        try:
            if self._spool is not None:
                self._intake.write(self._spool, content)
            else:
                self._take_head(content)
        except _Refused as exc:
            self._refuse(exc)

    def _take_head(self, content: memoryview) -> None:
        self._head += content
        try:
            parsed = FileMeta.parse(self._head)
        except UnreadableFile as exc:
            raise _Refused(Status.CANNOT_UNDERSTAND, f"a part is not a DICOM file: {exc}") from exc
        if parsed is None:
            return
        self._meta, offset = parsed
        self._spool = self._intake.open(self._meta)
        rest, self._head = bytes(self._head[offset:]), bytearray()
        self._intake.write(self._spool, memoryview(rest))

    def finish(self) -> None:
        if self._is_refused:
            return
        if self._spool is None or self._meta is None:
            self._refuse(_Refused(Status.CANNOT_UNDERSTAND, "a part ends within its meta information"))
            return
        try:
            self._intake.keep(self._spool, self._meta)
        except _Refused as exc:
            self._refuse(exc)

    def discard(self) -> None:
        if self._spool is not None:
            self._spool.discard()
            self._spool = None

    def _refuse(self, refused: _Refused) -> None:
        self._is_refused = True
        self.discard()
        self._intake.fail(refused, self._meta)


def _reference(meta: FileMeta) -> Dataset:
    item = Dataset()
    put(item, REFERENCED_CLASS, "UI", meta.sop_class_uid)
    put(item, REFERENCED_INSTANCE, "UI", meta.object_uid)
    return item


def _no_space(exc: OSError) -> _Refused:
    if isinstance(exc, StorageFull):
        return _Refused(Status.OUT_OF_RESOURCES, str(exc))
    return _Refused(
        Status.OUT_OF_RESOURCES, f"could not be written: {errno.errorcode.get(exc.errno or 0, '')} {exc}"
    )
