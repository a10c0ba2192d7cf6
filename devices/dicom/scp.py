"""What the node answers: verification and storage, for those who are allowed.

Runs on pynetdicom's threads; everything that happened is handed on through one callback.
"""

import errno
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO

from pynetdicom import AE, _config, evt
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dul import DULServiceProvider
from pynetdicom.events import Event
from pynetdicom.pdu import A_ABORT_RQ
from pynetdicom.presentation import build_context

from devices.dicom.identity import UnreadableObject, checked_uid, read_identity
from devices.dicom.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME, FileMeta
from devices.dicom.settings import NodeSettings
from devices.dicom.store import ObjectStore, StorageFull, StoredObject
from devices.dicom.transport import MAXIMUM_PDU_BYTES, Limits, NodeServer, PduSocket

# Status codes of C-STORE: PS3.4 table B.2-1 and PS3.7 annex C
SUCCESS = 0x0000
INVALID_INSTANCE_UID = 0x0117
OUT_OF_RESOURCES = 0xA700
DATA_SET_MISMATCH = 0xA900
CANNOT_UNDERSTAND = 0xC000

ASSOCIATION_REQUEST_TIME_S = 10.0
"""How long a connection may be silent before its A-ASSOCIATE-RQ (the ARTIM timer of PS3.8 9.1.5)."""

SILENT_CONNECTIONS = 8
"""Connections from one address that have not yet asked for an association: bounds threads, not consoles."""

IDLE_TIME_S = 120.0
"""How long an association may be silent before it is aborted."""

VERIFICATION = build_context(
    "1.2.840.10008.1.1", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"]
)
"""C-ECHO; every other context that is proposed is taken for storage, with the first of its transfer syntaxes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """An object was stored and is about to be acknowledged."""

    association: Association
    calling_ae: str
    study_uid: str
    object_uid: str
    stored: StoredObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An association or an object was not accepted."""

    calling_ae: str
    address: str
    reason: str


class StorageProvider:
    """Verification and storage SCP over an object store.

    Parameters
    ----------
    settings
        Who may send, and the limits.
    store
        Where objects go.
    notify
        Called from pynetdicom's threads with each arrival and refusal; must not block.

    """

    def __init__(
        self, settings: NodeSettings, store: ObjectStore, notify: Callable[[Arrival | Refusal], None]
    ) -> None:
        self._settings = settings
        self._store = store
        self._notify = notify
        self._open: list[Association] = []
        self._counting = threading.Lock()

    def listen(self) -> NodeServer:
        """Bind the port; ``serve_forever`` of what is returned then accepts.

        Raises
        ------
        OSError
            Where the address cannot be bound.

        """
        # process-wide switches of pynetdicom; this process is the node's own
        _config.UNRESTRICTED_STORAGE_SERVICE = True
        _config.LOG_HANDLER_LEVEL = "none"
        settings = self._settings
        entity = AE(settings.ae_title)
        entity.maximum_pdu_size = MAXIMUM_PDU_BYTES
        # counted in _admit instead: pynetdicom counts connections that have said nothing, or are gone already
        entity.maximum_associations = sys.maxsize
        entity.acse_timeout = ASSOCIATION_REQUEST_TIME_S
        entity.network_timeout = IDLE_TIME_S
        entity.implementation_class_uid = IMPLEMENTATION_CLASS_UID
        entity.implementation_version_name = IMPLEMENTATION_VERSION_NAME
        return NodeServer(
            entity,
            (settings.host, settings.port),
            settings.ae_title,
            [VERIFICATION],
            limits=Limits(
                unstored_bytes=settings.maximum_object_mb * 1_000_000,
                silent_connections=SILENT_CONNECTIONS,
            ),
            report=self._report_connection,
            evt_handlers=[
                (evt.EVT_REQUESTED, self._admit),
                (evt.EVT_CONN_CLOSE, _wake),
                (evt.EVT_PDU_SENT, self._report_abort),
                (evt.EVT_C_STORE, self._receive),
            ],
        )

    def _report_connection(self, address: str, reason: str) -> None:
        self._notify(Refusal(calling_ae="", address=address, reason=reason))

    def report_crash(self, crash: threading.ExceptHookArgs) -> None:
        """Report a thread of pynetdicom that ended on what it was sent; a ``threading.excepthook``."""
        address = ""
        if isinstance(crash.thread, DULServiceProvider):
            address = str(crash.thread.assoc.requestor.address)
        self._report_connection(address, f"malformed message, connection dropped: {crash.exc_value!r}")

    def _refuse(self, event: Event, reason: str) -> None:
        address = str(event.assoc.requestor.address)
        self._notify(Refusal(calling_ae=_calling_ae(event.assoc), address=address, reason=reason))

    def _admit(self, event: Event) -> None:
        calling_ae = _calling_ae(event.assoc)
        if not self._settings.is_allowed(calling_ae):
            # rejected-permanent, service-user, calling AE title not recognised (PS3.8 table 9-21)
            self._reject(event, (0x01, 0x01, 0x03), f"calling AE title {calling_ae!r} is not in allowed_ae_titles")
        elif not self._is_room_for(event.assoc):
            # rejected-transient, service-provider (presentation), local limit exceeded
            reason = f"{self._settings.maximum_associations} associations are open already"
            self._reject(event, (0x02, 0x03, 0x02), reason)

    def _reject(self, event: Event, answer: tuple[int, int, int], reason: str) -> None:
        event.assoc.acse.send_reject(*answer)
        self._refuse(event, reason)
        event.assoc.kill()

    def _report_abort(self, event: Event) -> None:
        if isinstance(event.pdu, A_ABORT_RQ):
            reason = f"association aborted: a malformed message, or silence for {IDLE_TIME_S:g} s"
            self._refuse(event, reason)

    def _is_room_for(self, association: Association) -> bool:
        with self._counting:
            self._open = [
                other for other in self._open if other.is_alive() and not (other.is_released or other.is_aborted)
            ]
            has_room = len(self._open) < self._settings.maximum_associations
            if has_room:
                self._open.append(association)
            return has_room

    def _receive(self, event: Event) -> int:
        request = event.request
        if not isinstance(request, C_STORE) or request.DataSet is None:
            self._refuse(event, "a storage request without a data set")
            return CANNOT_UNDERSTAND
        data_set: BytesIO = request.DataSet
        try:
            return self._stored(event, request, data_set)
        except UnreadableObject as exc:
            self._refuse(event, str(exc))
            return CANNOT_UNDERSTAND
        except StorageFull as exc:
            self._refuse(event, str(exc))
            return OUT_OF_RESOURCES
        except OSError as exc:
            self._refuse(event, f"could not be written: {errno.errorcode.get(exc.errno or 0, '')} {exc}")
            return OUT_OF_RESOURCES
        finally:
            _settle(event.assoc, data_set.getbuffer().nbytes)

    def _stored(self, event: Event, request: C_STORE, data_set: BytesIO) -> int:
        transfer_syntax = str(event.context.transfer_syntax)
        try:
            object_uid = checked_uid(
                str(request.AffectedSOPInstanceUID), name="Affected SOP Instance UID (0000,1000)"
            )
        except UnreadableObject as exc:
            self._refuse(event, str(exc))
            return INVALID_INSTANCE_UID
        identity = read_identity(data_set, transfer_syntax=transfer_syntax)
        if identity.object_uid != object_uid:
            self._refuse(event, f"request says {object_uid}, its data set says {identity.object_uid}")
            return DATA_SET_MISMATCH
        calling_ae = _calling_ae(event.assoc)
        stored = self._store.put(
            data_set,
            study_uid=identity.study_uid,
            meta=FileMeta(
                sop_class_uid=checked_uid(
                    str(request.AffectedSOPClassUID), name="Affected SOP Class UID (0000,0002)"
                ),
                object_uid=object_uid,
                transfer_syntax=transfer_syntax,
                calling_ae=calling_ae,
            ),
        )
        self._notify(
            Arrival(
                association=event.assoc,
                calling_ae=calling_ae,
                study_uid=identity.study_uid,
                object_uid=object_uid,
                stored=stored,
            )
        )
        return SUCCESS


def _calling_ae(association: Association) -> str:
    # the request's own: pynetdicom copies it to requestor.ae_title only while it negotiates
    request = association.requestor.primitive
    return str(request.calling_ae_title).strip() if request else ""


def _wake(event: Event) -> None:
    # a connection that closes before its request would hold its thread until the time for one has passed
    if event.assoc.requestor.primitive is None:
        event.assoc.dul.to_user_queue.put(None)  # type: ignore[arg-type] # what it takes a time-out for


def _settle(association: Association, size: int) -> None:
    connection = association.dul.socket.socket if association.dul.socket else None
    if isinstance(connection, PduSocket):
        connection.budget.settle(size)
