"""Sends a study as a console does: one association, one object after another, C-STORE."""

import asyncio
import socket
from collections.abc import Sequence
from pathlib import Path

from pydicom import dcmread
from pynetdicom import AE
from pynetdicom.presentation import build_context

from devices.dicom.reactor import hold_reactor

ANSWER_TIME_S = 30.0


class StudyNotSent(Exception):
    """Raised when the node did not take every object; ``sent`` of them were acknowledged."""

    def __init__(self, message: str, *, sent: int) -> None:
        super().__init__(message)
        self.sent = sent


async def send_study(paths: Sequence[Path], host: str, port: int, *, calling_ae: str, called_ae: str) -> None:
    """Send files in one association, in order.

    Raises
    ------
    StudyNotSent
        Where there is no association, or an object is not answered with Success.

    """
    await asyncio.to_thread(_send, paths, host, port, calling_ae, called_ae)


def _send(paths: Sequence[Path], host: str, port: int, calling_ae: str, called_ae: str) -> None:
    entity = AE(calling_ae)
    entity.connection_timeout = entity.acse_timeout = entity.dimse_timeout = ANSWER_TIME_S
    heads = [dcmread(path, stop_before_pixels=True) for path in paths]
    offered = {(head.SOPClassUID, head.file_meta.TransferSyntaxUID) for head in heads}
    contexts = [build_context(sop_class, syntax) for sop_class, syntax in sorted(offered)]
    association = entity.associate(host, port, contexts, ae_title=called_ae)
    if not association.is_established:
        raise StudyNotSent(f"{called_ae} at {host}:{port} does not open an association", sent=0)
    connection = association.dul.socket.socket if association.dul.socket else None
    if connection is not None:
        # command and data set are separate writes: with Nagle's delay each object would wait 40 ms
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with hold_reactor(association, within_s=ANSWER_TIME_S):
        try:
            for sent, path in enumerate(paths):
                status = association.send_c_store(path)
                if "Status" not in status:
                    raise StudyNotSent(f"{path.name}: no answer", sent=sent)
                if status.Status != 0:
                    raise StudyNotSent(f"{path.name}: status {status.Status:#06x}", sent=sent)
        finally:
            association.release()
