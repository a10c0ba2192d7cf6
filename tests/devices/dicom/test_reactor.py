"""pynetdicom's reactor, as it is when a busy machine makes it late, and what holds it."""

import threading
from collections.abc import Iterator

import pytest
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from devices.clock import monotonic
from devices.dicom.reactor import hold_reactor

ROUNDS = 40


class Late(threading.Event):
    """The checkpoint of a reactor that is called away as it passes, and goes on just as an answer is there."""

    def __init__(self, association: Association) -> None:
        super().__init__()
        self._messages = association.dimse.msg_queue

    def wait(self, timeout: float | None = None) -> bool:
        """Pass, late."""
        passed, until_s = super().wait(timeout), monotonic() + 0.02
        while self._messages.empty() and monotonic() < until_s:
            pass
        return passed


@pytest.fixture
def association() -> Iterator[Association]:
    """An association with pynetdicom's own verification service."""
    acceptor = AE("PEER")
    acceptor.add_supported_context(Verification)
    acceptor.network_timeout = acceptor.acse_timeout = 5.0  # or its end may wait a minute for a peer that has gone
    server = acceptor.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_ECHO, lambda _: 0x0000)]
    )
    assert server is not None
    requestor = AE("US")
    requestor.dimse_timeout = 0.3
    requestor.add_requested_context(Verification)
    association = requestor.associate("127.0.0.1", server.server_address[1])
    assert association.is_established
    association._reactor_checkpoint = Late(association)
    association._reactor_checkpoint.set()
    yield association
    association.abort()
    server.shutdown()


def test_every_answer_comes_to_whoever_asked(association: Association) -> None:
    """However late the reactor is, none is taken from under us."""
    with hold_reactor(association, within_s=5.0):
        for _ in range(ROUNDS):
            assert association.send_c_echo().Status == 0x0000
        association.release()
    association.join(5.0)
    assert not association.is_alive()
