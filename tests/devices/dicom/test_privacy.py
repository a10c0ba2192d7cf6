"""What the node logs and audits of objects: UIDs, titles and reasons, and nobody's name."""

import asyncio
import struct
from contextlib import aclosing
from typing import Any

import pytest

from devices.dicom.client import run_node

NAME, PATIENT_ID = "MUSTERFRAU^ERIKA", "ID-4711-GEHEIM"


def named(one: Any) -> bytes:
    """Give the data set of an object with the patient's name in its place (0010,0010)."""
    patient_id = struct.pack("<HH2sH", 0x0010, 0x0020, b"LO", len(PATIENT_ID)) + PATIENT_ID.encode()
    name = struct.pack("<HH2sH", 0x0010, 0x0010, b"PN", len(NAME)) + NAME.encode()
    assert patient_id in one.data_set
    return bytes(one.data_set.replace(patient_id, name + patient_id))


async def test_no_log_and_no_audit_names_the_patient(
    settings: Any, thing: Any, console: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    """Of an object that is stored, in conflict, damaged, misnamed or broken off; the refusals are all logged."""
    chosen = settings()

    async def bring(raw: Any, uid: str, content: bytes) -> int:
        raw.begin_store(thing(object_uid=uid))
        raw.send(content, control=2)
        return int(raw.status(await raw.answer()))

    async with run_node(chosen) as node, aclosing(node.studies()) as studies, asyncio.timeout(30):
        async with console(node.port) as raw:
            assert await raw.associate("GAMMA") == 2
            good = named(thing(patient_id=PATIENT_ID))
            assert await bring(raw, "1.2.3.4.5", good) == 0
            assert await bring(raw, "1.2.3.4.5", named(thing(patient_id=PATIENT_ID, note="other "))) == 0
            # cut within the name, within the value after it, and with another value representation
            for content in (
                good[: good.index(b"ERIKA")],
                good[: good.index(b"GEHEIM")],
                good.replace(b"LO", b"XX"),
                good.replace(b"1.2.3.4.5\0", b"\0" * 10),
            ):
                assert await bring(raw, "1.2.3.4.5", content) == 0xC000
            assert await bring(raw, "1.9.9", good) == 0xA900
            raw.begin_store(thing())
            raw.send(good, control=0)
            raw.writer.write(struct.pack(">BxL", 7, 4) + bytes(4))
            await raw.closed()
        assert (await anext(studies)).conflicts == 1
    said = capfd.readouterr()
    trail = "".join(path.read_text() for path in chosen.folder.glob(".audit/*.jsonl"))
    for words in ("1.9.9", "XX", "aborted by the peer"):
        assert words in said.out + said.err
    assert "GAMMA" in trail
    for told in (said.out, said.err, trail):
        for secret in ("MUSTERFRAU", "ERIKA", "GEHEIM"):
            assert secret not in told
