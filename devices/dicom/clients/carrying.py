"""Carries an order of the outbox out: once, with a row in the audit trail.

The order notes how much of it the trail tells: what an attempt sent that was killed, the next one makes up for.
Where it was killed between row and note, the row is written twice: too much is told rather than too little.
"""

from collections.abc import Callable
from contextlib import closing
from typing import Final

from devices.dicom.audit.trail import AuditTrail
from devices.dicom.clients.association import PeerFailed
from devices.dicom.clients.outbox import Order
from devices.dicom.clients.progress import Progress
from devices.dicom.clients.sending import send
from devices.dicom.settings import Peer

MADE_UP: Final = "an earlier attempt sent them, and ended before that was noted, or could not note it"


def carry_out(
    order: Order,
    peer: Peer,
    *,
    calling_ae: str,
    audit: AuditTrail,
    is_over: Callable[[], bool] = lambda: False,
    tell: Callable[[Progress], None] = lambda _: None,
) -> None:
    """Send what an order still has to send, once, and note each answer; what was sent is audited. Blocks.

    What an earlier attempt sent and did not audit is audited first: this one may take long. ``tell`` is
    called after each answer; when ``is_over`` says so, what is left is for another time.

    Raises
    ------
    OSError
        Where an answer cannot be noted.

    """
    if order.progress.unaudited:
        _audit(order, peer, audit, failure=MADE_UP)
        if not order.progress.waiting:
            return
    try:
        with closing(send(peer, order.paths, calling_ae=calling_ae)) as answers:
            for answer in answers:
                order.note(answer)
                tell(order.progress)
                if is_over():
                    break
    except PeerFailed as exc:
        order.miss(str(exc))
        tell(order.progress)
    finally:
        _audit(order, peer, audit, failure=_shortfall(order.progress))


def _audit(order: Order, peer: Peer, audit: AuditTrail, *, failure: str) -> None:
    progress = order.progress
    try:
        audit.sent(
            (peer.ae_title, peer.host),
            progress.request.study_uid,
            progress.unaudited,
            asked_by=progress.request.asked_by,
            failure=failure,
        )
    except OSError:  # it has said so; the order stays until an attempt can tell it
        return
    if progress.unaudited:
        order.audited()


def _shortfall(progress: Progress) -> str:
    """Say why a destination does not have all of an order; empty where it has."""
    reasons = {answer.reason for answer in progress.failures()}
    if progress.waiting:
        reasons.add(progress.missed or "the rest is sent later")
    return "; ".join(sorted(filter(None, reasons)))
