"""Asks a DICOM node whether it answers (C-ECHO), for ``radionav check``.

Four messages written by hand on asyncio: pynetdicom's requestor keeps its socket when a connection is refused.
"""

import asyncio
import ssl
import struct

from devices.dicom.storage.part10 import IMPLEMENTATION_CLASS_UID
from devices.errors import DeviceUnavailable

ANSWER_TIME_S = 5.0
GREATEST_ANSWER_BYTES = 65536

ASSOCIATE_RQ, ASSOCIATE_AC, ASSOCIATE_RJ, P_DATA_TF, RELEASE_RQ = 0x01, 0x02, 0x03, 0x04, 0x05

REJECTIONS = {
    (0x01, 0x03): "it does not know our AE title {calling_ae}: enter it there",
    (0x01, 0x07): "its own AE title is not {called_ae}: correct the title",
    (0x03, 0x01): "it is busy: try again",
    (0x03, 0x02): "it has as many associations as it takes: try again",
}
"""Source and diagnostic of an A-ASSOCIATE-RJ (PS3.8 table 9-21), in words."""


async def echo(
    host: str,
    port: int,
    *,
    called_ae: str,
    calling_ae: str,
    device: str = "dicom",
    tls: ssl.SSLContext | None = None,
    server_name: str | None = None,
) -> None:
    """Open an association, send C-ECHO, and release it.

    With ``tls`` over TLS, to whom the certificate names ``server_name``, or ``host`` where that is None.

    Raises
    ------
    DeviceUnavailable
        Where there is no answer, or a refusal, with what to do about it.

    """
    place = f"{called_ae} at {host}:{port}"
    try:
        async with asyncio.timeout(ANSWER_TIME_S):
            reader, writer = await asyncio.open_connection(
                host, port, ssl=tls, server_hostname=(server_name or host) if tls else None
            )
    except ssl.SSLError as exc:
        sentence = f"no TLS: {exc.reason or exc}: is this its port for TLS, and are the certificates right?"
        raise DeviceUnavailable(device, f"{place}: {sentence}") from exc
    except OSError as exc:
        sentence = "nothing answers there: is it switched on, and are address and port right?"
        raise DeviceUnavailable(device, f"{place}: {sentence}") from exc
    try:
        async with asyncio.timeout(ANSWER_TIME_S):
            refusal = await _ask(reader, writer, called_ae, calling_ae)
    except (OSError, asyncio.IncompleteReadError, ValueError) as exc:
        sentence = "it does not answer as DICOM does: is this a DICOM port?"
        raise DeviceUnavailable(device, f"{place}: {sentence}") from exc
    finally:
        writer.transport.abort()
    if refusal:
        sentence = refusal.format(called_ae=called_ae, calling_ae=calling_ae)
        raise DeviceUnavailable(device, f"{place}: {sentence}")


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, called_ae: str, calling_ae: str) -> str:
    writer.write(_associate_request(called_ae, calling_ae))
    kind, content = await _answer(reader)
    if kind == ASSOCIATE_RJ:
        source, diagnostic = content[2], content[3]
        other = f"it rejects the association (source {source}, diagnostic {diagnostic})"
        return REJECTIONS.get((source, diagnostic), other)
    if kind != ASSOCIATE_AC:
        raise ValueError(f"PDU type {kind} answers an A-ASSOCIATE-RQ")
    writer.write(_echo_request())
    kind, content = await _answer(reader)
    if kind != P_DATA_TF:
        return "it opens an association and does not answer C-ECHO: is verification switched on there?"
    status = _status(content)
    writer.write(_pdu(RELEASE_RQ, bytes(4)))
    await _answer(reader)
    return "" if status == 0 else f"it answers C-ECHO with status {status:#06x}"


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    kind, length = struct.unpack(">BxL", await reader.readexactly(6))
    if length < 4 or length > GREATEST_ANSWER_BYTES:
        raise ValueError(f"a PDU of {length} bytes")
    return int(kind), await reader.readexactly(length)


def _pdu(kind: int, content: bytes) -> bytes:
    # PS3.8 9.3.1: type, reserved, length
    return struct.pack(">BxL", kind, len(content)) + content


def _item(kind: int, content: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(content)) + content


def _associate_request(called_ae: str, calling_ae: str) -> bytes:
    # PS3.8 table 9-11; one presentation context: verification in implicit VR little endian
    syntaxes = _item(0x30, b"1.2.840.10008.1.1") + _item(0x40, b"1.2.840.10008.1.2")
    context = _item(0x20, struct.pack(">B3x", 1) + syntaxes)
    length = _item(0x51, struct.pack(">L", 16384))
    user = _item(0x50, length + _item(0x52, IMPLEMENTATION_CLASS_UID.encode()))
    titles = called_ae.encode().ljust(16) + calling_ae.encode().ljust(16)
    head = struct.pack(">H2x32s32x", 1, titles)
    return _pdu(ASSOCIATE_RQ, head + _item(0x10, b"1.2.840.10008.3.1.1.1") + context + user)


def _echo_request() -> bytes:
    # PS3.7 table 9.3-12, implicit VR little endian; UIDs are padded to even length with a null
    def element(number: int, value: bytes) -> bytes:
        return struct.pack("<HHL", 0, number, len(value)) + value

    body = b"".join(
        (
            element(0x0002, b"1.2.840.10008.1.1\0"),
            element(0x0100, struct.pack("<H", 0x0030)),
            element(0x0110, struct.pack("<H", 1)),
            element(0x0800, struct.pack("<H", 0x0101)),
        )
    )
    command = element(0x0000, struct.pack("<L", len(body))) + body
    # one fragment: context 1, control 3 for a whole command (PS3.8 annex E.2)
    value = struct.pack(">BB", 1, 3) + command
    return _pdu(P_DATA_TF, struct.pack(">L", len(value)) + value)


def _status(content: bytes) -> int:
    at = content.index(struct.pack("<HHL", 0x0000, 0x0900, 2))
    return int(struct.unpack_from("<H", content, at + 8)[0])
