"""Peers for the node's client roles: DCMTK's servers behind a wall, pynetdicom's where they are to misbehave."""

import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeAlias

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE
from pynetdicom.events import EventHandlerType

from devices.dicom.settings import Peer
from tests.devices.dicom.clients.walled import ENTER


@pytest.fixture(scope="session")
def _walls() -> str:
    """Say why there are no network namespaces; empty where there are."""
    try:
        tried = subprocess.run(  # noqa: S603 - our own command
            [*ENTER, "sh", "-c", "ip link set lo up && command -v socat"],
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as exc:
        return f"a network namespace cannot be had: {exc}"
    if tried.returncode:
        return f"a network namespace with socat in it cannot be had: {tried.stderr.strip()}"
    return ""


@pytest.fixture
def walls(_walls: str) -> None:
    """Ask for network namespaces."""
    if _walls and os.environ.get("REQUIRE_PEERS") == "1":
        pytest.fail(f"REQUIRE_PEERS=1 and {_walls}")
    if _walls:
        pytest.skip(_walls)


MakePeer: TypeAlias = Callable[..., Peer]


@pytest.fixture
def peer() -> MakePeer:
    """Make a peer on this machine that may be asked for everything."""

    def make(port: int, **changes: object) -> Peer:
        values: dict[str, object] = {
            "name": "peer",
            "ae_title": "PEER",
            "host": "127.0.0.1",
            "port": port,
            "roles": ["worklist", "archive", "destination"],
        }
        return Peer.model_validate(values | changes)

    return make


Serve: TypeAlias = Callable[..., AbstractContextManager[int]]


@pytest.fixture
def serve() -> Serve:
    """Run a server of pynetdicom on loopback that answers as it is told to; gives its port.

    Of the classes that it ``gives`` it sends objects on the association of whoever asks (C-GET).
    """

    @contextmanager
    def run(models: Sequence[str], *handlers: EventHandlerType, gives: Sequence[str] = ()) -> Iterator[int]:
        entity = AE("PEER")
        for model in (*models, *gives):
            gives_it = True if model in gives else None
            entity.add_supported_context(
                model, [ExplicitVRLittleEndian, ImplicitVRLittleEndian], scu_role=gives_it, scp_role=gives_it
            )
        server: Any = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=list(handlers))
        try:
            yield server.server_address[1]
        finally:
            for association in entity.active_associations:
                association.abort()
            server.shutdown()
            server.server_close()

    return run


def data_set(**values: object) -> Dataset:
    """Make a data set of attributes by keyword."""
    made = Dataset()
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made
