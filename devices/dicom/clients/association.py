"""One association with a peer: opened in time, over TLS where that is set, and ended with its threads."""

import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final, TypeAlias

from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, _config, evt
from pynetdicom.association import Association
from pynetdicom.events import EventHandlerType
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RJ, PDU
from pynetdicom.pdu_primitives import SCP_SCU_RoleSelectionNegotiation
from pynetdicom.presentation import PresentationContext
from pynetdicom.transport import T_CONNECT, AddressInformation, AssociationSocket

from devices.dicom.echo import REJECTIONS
from devices.dicom.reactor import hold_reactor
from devices.dicom.settings import Peer
from devices.dicom.storage.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from devices.dicom.tls import client_context
from devices.dicom.upper_layer.pdus import MAXIMUM_PDU_BYTES

# a file is sent as it is, piece by piece: never decoded, so never in another transfer syntax
_config.STORE_SEND_CHUNKED_DATASET = True
# what peers answer names patients
_config.LOG_REQUEST_IDENTIFIERS = _config.LOG_RESPONSE_IDENTIFIERS = False

PLAIN: Final = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
"""Transfer syntaxes of requests; what everybody speaks."""

END_TIME_S: Final = 5.0
"""Time for pynetdicom's threads to end, once the connection is closed."""

Handlers: TypeAlias = Sequence[EventHandlerType]


class PeerFailed(Exception):
    """Raised when a peer cannot be reached, does not let us in, or does not answer; says what to do."""

    def __init__(self, peer: Peer, sentence: str) -> None:
        super().__init__(f"{peer.name} ({peer.ae_title} at {peer.host}:{peer.port}): {sentence}")
        self.peer = peer


class Hangup:
    """Lets another thread end a call, whatever it waits for: it fails as if the peer had broken off."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connection: socket.socket | None = None
        self._has_hung_up = False

    def attach(self, connection: socket.socket) -> None:
        """Note what the call stands on now; raises ``ConnectionAbortedError`` where it has been ended."""
        with self._lock:
            self._connection = connection
            if self._has_hung_up:
                raise ConnectionAbortedError("the call was ended here")

    def hang_up(self) -> None:
        """End it, now or as soon as it begins."""
        with self._lock:
            self._has_hung_up = True
            if self._connection is not None:
                with suppress(OSError):  # it is closed already
                    self._connection.shutdown(socket.SHUT_RDWR)


class _Connected(AssociationSocket):
    """A connection that is open already: pynetdicom's own tells no reason, and keeps the socket, when it fails."""

    def __init__(self, association: Association, connection: socket.socket, address: AddressInformation) -> None:
        self._connection = connection
        self._is_connected = False  # asked for before it is connected
        super().__init__(association, address=address)

    def _create_socket(self, address: AddressInformation) -> socket.socket:  # noqa: ARG002 - pynetdicom's signature
        return self._connection

    def connect(self, primitive: T_CONNECT) -> None:
        """Say that it is connected."""
        self._is_connected = True
        primitive.result = "Evt2"
        self.provider_queue.put(primitive)
        self._ready.set()


class _Entity(AE):
    """Our application entity on one connection."""

    def __init__(self, ae_title: str, connection: socket.socket) -> None:
        super().__init__(ae_title)
        self._connection = connection

    def _create_socket(
        self,
        assoc: Association,
        address: AddressInformation,
        tls_args: tuple[ssl.SSLContext, str] | None,  # noqa: ARG002 - pynetdicom's signature
    ) -> AssociationSocket:
        return _Connected(assoc, self._connection, address)


@contextmanager
def associated(
    peer: Peer,
    contexts: Sequence[PresentationContext],
    *,
    calling_ae: str,
    handlers: Handlers = (),
    roles: Sequence[SCP_SCU_RoleSelectionNegotiation] = (),
    hangup: Hangup | None = None,
) -> Iterator[Association]:
    """Open an association, release it on the way out, or abort it where an exception leaves.

    Blocks: for a thread, which ``hangup`` frees. Those that pynetdicom starts have ended when this returns.

    Raises
    ------
    PeerFailed
        Where there is no association.

    """
    answers: list[PDU] = []

    def note(event: evt.Event) -> None:
        if not answers:  # the others hold objects
            answers.append(event.pdu)

    with _connect(peer, hangup or Hangup()) as connection:
        entity = _Entity(calling_ae, connection)
        entity.implementation_class_uid = IMPLEMENTATION_CLASS_UID
        entity.implementation_version_name = IMPLEMENTATION_VERSION_NAME
        entity.acse_timeout = peer.connect_time_s
        entity.dimse_timeout = entity.network_timeout = peer.answer_time_s
        association = entity.associate(
            connection.getpeername()[0],
            peer.port,
            list(contexts),
            ae_title=peer.ae_title,
            max_pdu=MAXIMUM_PDU_BYTES,
            ext_neg=list(roles),
            evt_handlers=[(evt.EVT_PDU_RECV, note), *handlers],
        )
        try:
            if not association.is_established:
                raise _refusal(peer, answers, calling_ae)  # noqa: TRY301 - to be ended as any other
            connection.settimeout(peer.answer_time_s)
            with hold_reactor(association, within_s=peer.connect_time_s):
                yield association
                association.release()
        except BaseException:
            association.abort()
            raise
        finally:
            _end(association)


def silence(association: Association) -> str:
    """Say why an answer is missing."""
    # pynetdicom aborts where it waited in vain; nothing public tells that from the peer's abort
    if association._sent_abort:  # noqa: SLF001
        return f"no answer within {association.dimse_timeout:g} s: look at its log"
    return "it has broken the association off: look at its log"


def _connect(peer: Peer, hangup: Hangup) -> socket.socket:
    try:
        connection = _dial(peer, hangup)
    except OSError as exc:
        sentence = f"nothing answers there ({exc.strerror or exc}): is it switched on, are address and port right?"
        raise PeerFailed(peer, sentence) from exc
    try:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if peer.tls is not None:
            context, name = client_context(peer.tls), peer.tls.server_name or peer.host
            connection = context.wrap_socket(connection, server_hostname=name, do_handshake_on_connect=False)
            hangup.attach(connection)
            connection.do_handshake()
    except OSError as exc:
        connection.close()
        if not isinstance(exc, ssl.SSLError | ConnectionError | TimeoutError):
            raise PeerFailed(peer, str(exc)) from exc
        sentence = f"no TLS: {exc}: is this its port for TLS, and are the certificates right?"
        raise PeerFailed(peer, sentence) from exc
    return connection


def _dial(peer: Peer, hangup: Hangup) -> socket.socket:
    """Connect to the first of its addresses that answers; raises ``OSError`` where none does."""
    failure = OSError(f"{peer.host} has no address")
    for family, kind, protocol, _, address in socket.getaddrinfo(peer.host, peer.port, type=socket.SOCK_STREAM):
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(peer.connect_time_s)
            hangup.attach(connection)
            connection.connect(address)
        except OSError as exc:
            connection.close()
            failure = exc
        else:
            return connection
    raise failure


def _refusal(peer: Peer, answers: Sequence[PDU], calling_ae: str) -> PeerFailed:
    """Say why there is no association, from what came: pynetdicom drops an answer that comes at once."""
    match answers:
        case [A_ASSOCIATE_RJ(source=source, reason_diagnostic=diagnostic), *_]:
            other = f"it rejects the association (source {source}, diagnostic {diagnostic})"
            said = REJECTIONS.get((source or 0, diagnostic or 0), other)
            return PeerFailed(peer, said.format(called_ae=peer.ae_title, calling_ae=calling_ae))
        case [A_ASSOCIATE_AC(), *_]:
            return PeerFailed(peer, "it accepts nothing of what we ask for: is that service switched on there?")
        case _:
            return PeerFailed(peer, "it does not answer as DICOM does: is this a DICOM port?")


def _end(association: Association) -> None:
    association.kill()
    for thread in (association, association.dul):
        if thread.is_alive():
            thread.join(END_TIME_S)
