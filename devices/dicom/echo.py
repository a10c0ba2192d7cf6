"""Asks a DICOM node whether it answers (C-ECHO), for ``radionav check``."""

import asyncio

from pynetdicom import AE
from pynetdicom.association import Association

from devices.dicom.scp import VERIFICATION
from devices.errors import DeviceUnavailable

ANSWER_TIME_S = 5.0

REJECTIONS = {
    (0x01, 0x03): "it does not know our AE title {calling_ae}: enter it there",
    (0x01, 0x07): "its own AE title is not {called_ae}: correct the title",
    (0x03, 0x01): "it is busy: try again",
    (0x03, 0x02): "it has as many associations as it takes: try again",
}
"""Source and diagnostic of an A-ASSOCIATE-RJ (PS3.8 table 9-21), in words."""


async def echo(host: str, port: int, *, called_ae: str, calling_ae: str, device: str = "dicom") -> None:
    """Open an association, send C-ECHO, and release it.

    Raises
    ------
    DeviceUnavailable
        Where there is no answer, or a refusal, with what to do about it.

    """
    refusal = await asyncio.to_thread(_ask, host, port, called_ae, calling_ae)
    if refusal:
        raise DeviceUnavailable(device, f"{called_ae} at {host}:{port}: {refusal}")


def _ask(host: str, port: int, called_ae: str, calling_ae: str) -> str:
    entity = AE(calling_ae)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = ANSWER_TIME_S
    entity.connection_timeout = ANSWER_TIME_S
    association = entity.associate(host, port, [VERIFICATION], ae_title=called_ae)
    if not association.is_established:
        return _why_not(association).format(called_ae=called_ae, calling_ae=calling_ae)
    status = association.send_c_echo()
    association.release()
    if "Status" not in status:
        return f"no answer to C-ECHO within {ANSWER_TIME_S:g} s"
    return "" if status.Status == 0 else f"C-ECHO answered with status {status.Status:#06x}"


def _why_not(association: Association) -> str:
    answer = association.acceptor.primitive
    if association.is_rejected and answer is not None:
        source, diagnostic = answer.result_source, answer.diagnostic
        if source is not None and diagnostic is not None:
            other = f"it rejects the association (source {source}, diagnostic {diagnostic})"
            return REJECTIONS.get((source, diagnostic), other)
    if association.is_aborted:
        return "it dropped the connection instead of answering: is this a DICOM port?"
    return "nothing answers there: is it switched on, and are address and port right?"
