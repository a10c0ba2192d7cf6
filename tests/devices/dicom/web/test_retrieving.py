"""Objects are given as they are stored, and described as PS3.18 annex F says."""

import asyncio
import socket
import struct
import zlib
from io import BytesIO
from pathlib import Path

import httpx2
from pydicom import dcmread

from devices.dicom.storage.part10 import FileMeta
from tests.devices.dicom.conftest import SECONDARY_CAPTURE, Make
from tests.devices.dicom.web.conftest import KIND, TOKEN, Open, in_parts

DEFLATED = "1.2.840.10008.1.2.1.99"
SIZE = 12_000_000
"""More bytes than the kernel holds for who takes none."""

DICOM = 'multipart/related; type="application/dicom"'


def _element(tag: int, vr: bytes, value: bytes) -> bytes:
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, len(value)) + value


async def test_objects_are_given_as_stored(open_site: Open, thing: Make) -> None:
    """A part says the transfer syntax, and is a DICOM file whose data set is what was sent."""
    async with open_site() as site:
        await site.store(thing().meta.to_bytes() + thing().data_set)
        response = await site.http.get(f"{site.url}/studies/1.2.3/series/1.2.3.1", headers={"accept": DICOM})
    boundary = response.headers["content-type"].rpartition("boundary=")[2]
    head, content = response.content.removeprefix(f"--{boundary}\r\n".encode()).split(b"\r\n\r\n", 1)
    content = content.removesuffix(f"\r\n--{boundary}--\r\n".encode())
    assert head == b"Content-Type: application/dicom; transfer-syntax=1.2.840.10008.1.2.1"
    assert dcmread(BytesIO(content)).SOPInstanceUID == "1.2.3.4.5"
    assert content.endswith(thing().data_set)


ACCEPTABLE = (
    "*/*",
    DICOM,
    f"{DICOM}; transfer-syntax=*",
    f"{DICOM}; transfer-syntax=1.2.840.10008.1.2.1",
    f"{DICOM}; transfer-syntax=1.2.840.10008.1.2.4.50, {DICOM}; transfer-syntax=*",
)
UNACCEPTABLE = (
    f"{DICOM}; transfer-syntax=1.2.840.10008.1.2.4.50",
    'multipart/related; type="application/octet-stream"',
    "image/jpeg",
)


async def test_who_takes_nothing_of_what_he_asked_for_makes_room(
    open_site: Open, web: dict[str, object], thing: Make
) -> None:
    """A client that reads no further keeps its place for ``idle_time_s``, and not for ever."""
    pixels = _element(0x7FE00010, b"OW", b"")[:-2] + struct.pack("<HL", 0, SIZE) + bytes(SIZE)
    async with open_site(web=web | {"maximum_connections": 1}, idle_time_s=1.0) as site:
        async with httpx2.AsyncClient(headers=site.http.headers, timeout=30) as http:
            stored = await http.post(
                f"{site.url}/studies",
                content=in_parts(thing().meta.to_bytes() + thing().data_set + pixels),
                headers={"content-type": KIND},
            )
            assert stored.status_code == 200
        with socket.socket() as stalled:
            stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            stalled.connect(("127.0.0.1", site.node.web_port))
            head = f"GET /dicom-web/studies/1.2.3 HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}"
            stalled.sendall(f"{head}\r\nAccept: {DICOM}\r\n\r\n".encode())
            assert stalled.recv(17, socket.MSG_WAITALL) == b"HTTP/1.1 200 OK\r\n"
            async with asyncio.timeout(30):
                while True:
                    answer = await site.http.get(f"{site.url}/studies")
                    if answer.status_code != 503:
                        break
                    await asyncio.sleep(0.05)


async def test_what_is_not_stored_so_is_not_given(open_site: Open, thing: Make) -> None:
    """Nothing is transcoded or rendered: asked for something else, the node answers 406."""
    async with open_site() as site:
        await site.store(thing().meta.to_bytes() + thing().data_set)
        for accept in ACCEPTABLE + UNACCEPTABLE:
            response = await site.http.get(f"{site.url}/studies/1.2.3", headers={"accept": accept})
            assert response.status_code == (200 if accept in ACCEPTABLE else 406), accept


PATHS = (
    (404, "studies/1.2.4"),
    (404, "studies/1.2.3/series/1.2.3.2"),
    (404, "studies/1.2.3/series/1.2.3.2/instances/1.2.3.4.5"),
    (404, "studies/1.2.3/series/1.2.3.1/instances/1.2.3.4.6"),
    (200, "studies/1.2.3/series/1.2.3.1/instances/1.2.3.4.5"),
    (400, "studies/.audit"),
    (400, "studies/1.2.x"),
    (404, "studies/..%2f1.2.3"),
    (400, f"studies/{'1' * 65}"),
)


async def test_what_is_not_there_is_not_given(open_site: Open, thing: Make) -> None:
    """What is not held is 404, also an object under another series than its own; what is no UID is 400."""
    async with open_site() as site:
        await site.store(thing().meta.to_bytes() + thing().data_set)
        for status, path in PATHS:
            assert (await site.http.get(f"{site.url}/{path}")).status_code == status, path


async def test_a_description_leaves_out_bulk_data(open_site: Open, thing: Make) -> None:
    """Names, numbers and short bytes are described as in annex F; pixels and long bytes are left out."""
    data_set = b"".join(
        (
            thing().data_set[: thing().data_set.index(b"\x10\0\x20\0LO")],
            _element(0x00100010, b"PN", "Müller^Eva=伊娃 ".encode()),
            thing().data_set[thing().data_set.index(b"\x10\0\x20\0LO") :],
            _element(0x00280010, b"US", struct.pack("<H", 512)),
            _element(0x00280030, b"DS", b"4.795\\4.795 "),
            struct.pack("<HH2sxxL", 0x0028, 0x1201, b"OW", 8192) + bytes(8192),
            struct.pack("<HH2sxxL", 0x0042, 0x0011, b"OB", 4) + b"abcd",
            struct.pack("<HH2sxxL", 0x7FE0, 0x0010, b"OW", 8) + bytes(8),
        )
    )
    data_set = _element(0x00080005, b"CS", b"ISO_IR 192") + data_set
    async with open_site() as site:
        assert (await site.store(thing().meta.to_bytes() + data_set)).status_code == 200
        (said,) = (await site.http.get(f"{site.url}/studies/1.2.3/metadata")).json()
    assert said["00100010"] == {"vr": "PN", "Value": [{"Alphabetic": "Müller^Eva", "Ideographic": "伊娃"}]}
    assert said["00280010"] == {"vr": "US", "Value": [512]}
    assert said["00280030"] == {"vr": "DS", "Value": [4.795, 4.795]}
    assert said["00420011"] == {"vr": "OB", "InlineBinary": "YWJjZA=="}
    assert not {"00281201", "7FE00010", "00020010"} & set(said)


def _peak_kb(status: Path) -> int:
    (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1])


async def test_a_deflate_bomb_is_described_by_its_identifiers(open_site: Open, thing: Make) -> None:
    """An object that would inflate to 500 MB is stored as sent; its description does not inflate it."""
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    bomb = struct.pack("<HH2sxxL", 0x0042, 0x0011, b"OB", 500_000_000)
    content = deflater.compress(thing().data_set + bomb)
    content += b"".join(deflater.compress(bytes(1_000_000)) for _ in range(500)) + deflater.flush()
    meta = FileMeta(
        sop_class_uid=SECONDARY_CAPTURE, object_uid="1.2.3.4.5", transfer_syntax=DEFLATED, calling_ae="X"
    )
    async with open_site() as site:
        assert (await site.store(meta.to_bytes() + content + bytes(len(content) % 2))).status_code == 200
        status = Path(f"/proc/{site.web_process}/status")
        before_kb = _peak_kb(status)
        (said,) = (await site.http.get(f"{site.url}/studies/1.2.3/metadata")).json()
        assert _peak_kb(status) - before_kb < 50_000
    assert said["00080018"] == {"vr": "UI", "Value": ["1.2.3.4.5"]}
    assert said["0020000E"] == {"vr": "UI", "Value": ["1.2.3.1"]}
    assert "00420011" not in said


async def test_what_is_for_pixels_is_not_loaded(open_site: Open, thing: Make) -> None:
    """Storing, describing and giving objects load neither numpy nor a decoder: 40 MB that nothing here uses."""
    async with open_site() as site:
        await site.store(thing().meta.to_bytes() + thing().data_set)
        for path, kind in (("studies/1.2.3/metadata", "application/dicom+json"), ("studies/1.2.3", DICOM)):
            response = await site.http.get(f"{site.url}/{path}", headers={"accept": kind})
            assert response.status_code == 200
        loaded = site.libraries()
    assert "pydantic" in loaded
    assert [name for name in ("numpy", "gdcm", "PIL") if name in loaded] == []
