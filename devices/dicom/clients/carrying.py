"""Carries an order of the outbox out: once, with a row in the audit trail."""

from collections.abc import Callable
from contextlib import closing

from devices.dicom.audit import AuditTrail
from devices.dicom.clients.answers import Fate
from devices.dicom.clients.association import PeerFailed
from devices.dicom.clients.outbox import Order, Progress
from devices.dicom.clients.sending import send
from devices.dicom.settings import Peer


def carry_out(
    order: Order,
    peer: Peer,
    *,
    calling_ae: str,
    audit: AuditTrail,
    asked_by: str = "",
    is_over: Callable[[], bool] = lambda: False,
    tell: Callable[[Progress], None] = lambda _: None,
) -> None:
    """Send what an order still has to send, once, and note each answer; what was sent is audited. Blocks.

    ``tell`` is called after each answer; when ``is_over`` says so, what is left is for another time.

    Raises
    ------
    OSError
        Where an answer cannot be noted.

    """
    before = order.progress.count(Fate.STORED)
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
        progress = order.progress
        audit.sent(
            (peer.ae_title, peer.host),
            progress.request.study_uid,
            progress.count(Fate.STORED) - before,
            asked_by=asked_by,
            failure=_shortfall(progress),
        )


def _shortfall(progress: Progress) -> str:
    """Say why a destination does not have all of an order; empty where it has."""
    reasons = {answer.reason for answer in progress.failures()}
    if progress.waiting:
        reasons.add(progress.missed or "the rest is sent later")
    return "; ".join(sorted(filter(None, reasons)))
