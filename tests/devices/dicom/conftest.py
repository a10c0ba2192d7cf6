"""A console made of bytes, objects to send, and settings for a node of the test's own."""

import asyncio
import os
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import pytest

from devices.dicom.settings import NodeSettings
from devices.dicom.storage.part10 import FileMeta
from tests.devices.dicom.durable import Disk

EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"

Settings: TypeAlias = Callable[..., NodeSettings]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Make settings for a node in the test's own folder that lets anybody in."""

    def make(**changes: object) -> NodeSettings:
        values: dict[str, object] = {
            "port": 0,
            "folder": tmp_path / "store",
            "allowed_ae_titles": ("*",),
            "quiet_s": 0.2,
            "free_floor_mb": 1,
        }
        return NodeSettings.model_validate(values | changes)

    return make


def _element(group: int, element: int, vr: bytes, value: bytes) -> bytes:
    return struct.pack("<HH2sH", group, element, vr, len(value)) + value


def _padded(uid: str) -> bytes:
    return uid.encode() + b"\0" * (len(uid) % 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """A tiny object: its identifiers and its data set in explicit VR little endian, made by hand."""

    object_uid: str = "1.2.3.4.5"
    study_uid: str = "1.2.3"
    sop_class: str = SECONDARY_CAPTURE
    patient_id: str = "SIM-0001"
    note: str = "first "

    @property
    def data_set(self) -> bytes:
        """Its bytes."""
        return b"".join(
            (
                _element(0x0008, 0x0016, b"UI", _padded(self.sop_class)),
                _element(0x0008, 0x0018, b"UI", _padded(self.object_uid)),
                _element(0x0010, 0x0020, b"LO", self.patient_id.encode()),
                _element(0x0020, 0x000D, b"UI", _padded(self.study_uid)),
                _element(0x0020, 0x000E, b"UI", _padded(self.study_uid + ".1")),
                _element(0x0020, 0x4000, b"LT", self.note.encode()),
            )
        )

    @property
    def meta(self) -> FileMeta:
        """What is known of it besides."""
        return FileMeta(
            sop_class_uid=self.sop_class,
            object_uid=self.object_uid,
            transfer_syntax=EXPLICIT_LITTLE_ENDIAN,
            calling_ae="CONSOLE",
        )

    def write(self, path: Path) -> Path:
        """Write it as a file that a console can send."""
        path.write_bytes(self.meta.to_bytes() + self.data_set)
        return path


Make: TypeAlias = Callable[..., Thing]


@pytest.fixture
def thing() -> Make:
    """Make a tiny object."""
    return Thing


def _item(kind: int, content: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(content)) + content


def _pdu(kind: int, content: bytes) -> bytes:
    return struct.pack(">BxL", kind, len(content)) + content


def associate_request(calling_ae: str, sop_class: str, called_ae: str, transfer_syntax: str) -> bytes:
    """Make an A-ASSOCIATE-RQ with one context."""
    # PS3.8 table 9-11: version, called, calling, then application context, one presentation context, user items
    context = _item(
        0x20,
        b"\x01\0\0\0" + _item(0x30, sop_class.encode()) + _item(0x40, transfer_syntax.encode()),
    )
    user = _item(0x50, _item(0x51, struct.pack(">L", 16384)) + _item(0x52, b"1.2.3.99"))
    head = struct.pack(">H2x16s16s32x", 1, called_ae.encode().ljust(16), calling_ae.encode().ljust(16))
    return _pdu(0x01, head + _item(0x10, b"1.2.840.10008.3.1.1.1") + context + user)


def _store_command(sop_class: str, object_uid: str) -> bytes:
    # PS3.7 table 9.3-1, implicit VR little endian
    def element(number: int, value: bytes) -> bytes:
        return struct.pack("<HHL", 0, number, len(value)) + value

    body = b"".join(
        (
            element(0x0002, _padded(sop_class)),
            element(0x0100, struct.pack("<H", 0x0001)),
            element(0x0110, struct.pack("<H", 1)),
            element(0x0700, struct.pack("<H", 0)),
            element(0x0800, struct.pack("<H", 0x0000)),
            element(0x1000, _padded(object_uid)),
        )
    )
    return element(0x0000, struct.pack("<L", len(body))) + body


class RawConsole:
    """Speaks DICOM's upper layer byte by byte, so that it can also speak it wrongly."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def associate(
        self,
        calling_ae: str = "RAW",
        *,
        sop_class: str = SECONDARY_CAPTURE,
        called_ae: str = "RADIONAV",
        transfer_syntax: str = EXPLICIT_LITTLE_ENDIAN,
    ) -> int:
        """Ask for an association and return the type of the PDU that answers (2 accept, 3 reject)."""
        self.writer.write(associate_request(calling_ae, sop_class, called_ae, transfer_syntax))
        kind, _ = await self.answer()
        return kind

    async def answer(self) -> tuple[int, bytes]:
        """Read one PDU."""
        kind, length = struct.unpack(">BxL", await self.reader.readexactly(6))
        return int(kind), await self.reader.readexactly(length)

    def send(self, content: bytes, *, control: int) -> None:
        """Send one fragment: control 3 is a whole command, 2 the last of a data set, 0 one before it."""
        value = struct.pack(">BB", 1, control) + content
        self.writer.write(_pdu(0x04, struct.pack(">L", len(value)) + value))

    def begin_store(self, thing: Thing, *, command_uid: str | None = None) -> None:
        """Send a C-STORE-RQ without its data set."""
        self.send(_store_command(thing.sop_class, command_uid or thing.object_uid), control=3)

    def store_in_one(self, thing: Thing) -> None:
        """Send a C-STORE-RQ and its data set as two fragments of one PDU."""
        command = _store_command(thing.sop_class, thing.object_uid)
        parts = [
            struct.pack(">LBB", len(part) + 2, 1, control) + part
            for part, control in ((command, 3), (thing.data_set, 2))
        ]
        self.writer.write(_pdu(0x04, b"".join(parts)))

    async def store(self, thing: Thing, *, command_uid: str | None = None) -> int:
        """Send an object and return the status of the answer; -1 where the association was aborted."""
        self.begin_store(thing, command_uid=command_uid)
        self.send(thing.data_set, control=2)
        return self.status(await self.answer())

    @staticmethod
    def status(answer: tuple[int, bytes]) -> int:
        """Status in an answer; -1 where it is an abort."""
        kind, content = answer
        if kind != 0x04:
            return -1
        at = content.index(struct.pack("<HHL", 0x0000, 0x0900, 2))
        return int(struct.unpack_from("<H", content, at + 8)[0])

    async def release(self) -> None:
        """Release the association."""
        self.writer.write(_pdu(0x05, bytes(4)))
        await self.answer()

    async def closed(self) -> None:
        """Return when the node has ended the connection."""
        with suppress(ConnectionError):
            while await self.reader.read(4096):
                pass


Console: TypeAlias = Callable[..., AbstractAsyncContextManager[RawConsole]]


@pytest.fixture
def console() -> Console:
    """Connect a console made of bytes."""

    @asynccontextmanager
    async def connect(port: int, *, from_address: str = "127.0.0.1") -> AsyncIterator[RawConsole]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(from_address, 0))
        try:
            yield RawConsole(reader, writer)
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    return connect


Run: TypeAlias = Callable[..., Awaitable[tuple[int, str]]]


@pytest.fixture
def run() -> Run:
    """Run a program of DCMTK and return its exit code and output."""

    async def run_program(*arguments: object) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            *map(str, arguments),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=os.environ | {"TCP_NODELAY": "1"},
        )
        output, _ = await process.communicate()
        return process.returncode or 0, output.decode()

    return run_program


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """Note what is synchronised."""
    noting = Disk()
    monkeypatch.setattr(os, "fsync", noting.synchronise)
    return noting
