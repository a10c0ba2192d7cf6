"""A node that speaks DICOMweb, a client of it, and an independent one."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import httpx2
import pytest
from dicomweb_client.api import DICOMwebClient
from requests import Session

from devices.dicom.client import StorageNode, run_node
from devices.dicom.settings import NodeSettings
from tests.devices.dicom.conftest import Settings
from tests.devices.dicom.index.conftest import cluster, database  # noqa: F401 - fixtures

TOKEN = "0123456789abcdef" * 4
READER_TOKEN = "fedcba9876543210" * 4

BOUNDARY = "a-boundary"
KIND = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A node, and HTTP to it as a client that may store."""

    node: StorageNode
    settings: NodeSettings
    http: httpx2.AsyncClient

    @property
    def url(self) -> str:
        """Root of its DICOMweb."""
        return f"http://127.0.0.1:{self.node.web_port}/dicom-web"

    @property
    def folder(self) -> Path:
        """Where its objects are."""
        return self.settings.folder

    async def store(self, *objects: bytes, study: str | None = None) -> httpx2.Response:
        """Store objects."""
        url = f"{self.url}/studies" if study is None else f"{self.url}/studies/{study}"
        return await self.http.post(url, content=in_parts(*objects), headers={"content-type": KIND})

    async def search(self, path: str, **keys: str) -> list[dict[str, dict[str, object]]]:
        """Search, again until the index has what is stored."""
        async with asyncio.timeout(60):
            while True:
                response = await self.http.get(f"{self.url}/{path}", params=keys)
                if response.status_code == 200:
                    found: list[dict[str, dict[str, object]]] = response.json()
                    return found
                await asyncio.sleep(0.05)

    @property
    def web_process(self) -> int:
        """The process that speaks DICOMweb."""
        for folder in Path("/proc").iterdir():
            with suppress(OSError):
                if folder.name.isdecimal() and b"devices.dicom.web" in (folder / "cmdline").read_bytes():
                    fields = (folder / "stat").read_text().rpartition(")")[2].split()
                    if int(fields[1]) == self.node.process_id:
                        return int(folder.name)
        raise AssertionError("there is no such process")

    def libraries(self) -> str:
        """What that process has loaded."""
        return Path(f"/proc/{self.web_process}/maps").read_text()

    def left_incoming(self) -> list[Path]:
        """Files that are not complete."""
        return list((self.folder / ".incoming").iterdir())


def resident_mb(process: int) -> float:
    """Memory of a process."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6


Open: TypeAlias = Callable[..., AbstractAsyncContextManager[Site]]


def in_parts(*objects: bytes, kind: str = "application/dicom") -> bytes:
    """Make a body of parts."""
    parts = [f"--{BOUNDARY}\r\nContent-Type: {kind}\r\n\r\n".encode() + one + b"\r\n" for one in objects]
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


@pytest.fixture
def web(tmp_path: Path) -> dict[str, object]:
    """Give the table ``[dicom.web]`` of a node with a client that may store, and one that may not."""
    clients = []
    for title, token, may_store in (("SCRIPT", TOKEN, True), ("READER", READER_TOKEN, False)):
        path = tmp_path / f"{title}.token"
        path.write_text(token + "\n", encoding="ascii")
        path.chmod(0o600)
        clients.append({"ae_title": title, "token_file": path, "may_store": may_store})
    return {"port": 0, "clients": clients}


@pytest.fixture
def open_site(settings: Settings, web: dict[str, object]) -> Open:
    """Run a node."""

    @asynccontextmanager
    async def run(**changes: object) -> AsyncIterator[Site]:
        chosen = settings(**{"web": web} | changes)
        authorization = {"authorization": f"Bearer {TOKEN}"}
        async with run_node(chosen) as node, httpx2.AsyncClient(headers=authorization, timeout=30) as http:
            yield Site(node=node, settings=chosen, http=http)

    return run


Peer: TypeAlias = Callable[[Site], DICOMwebClient]


@pytest.fixture
def peer() -> Iterator[Peer]:
    """Make dicomweb-client's client of a node."""
    sessions: list[Session] = []

    def make(site: Site) -> DICOMwebClient:
        session = Session()
        session.headers["Authorization"] = f"Bearer {TOKEN}"
        sessions.append(session)
        return DICOMwebClient(site.url, session=session)

    yield make
    for session in sessions:
        session.close()
