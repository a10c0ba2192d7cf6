"""Asks a device once whether it is there, for ``radionav check``."""

import asyncio
import socket
from dataclasses import dataclass
from typing import TypeVar
from uuid import uuid4

import aiomqtt

from devices.clock import Clock
from devices.dicom.echo import echo
from devices.dicom.index.database import IndexUnavailable, try_database
from devices.dicom.settings import ANY, NodeSettings, Peer
from devices.dicom.tls import client_context
from devices.errors import DeviceError, DeviceUnavailable, FrameError
from devices.igtl_settings import Settings as IgtlSettings
from devices.mqtt_broker import Settings as BrokerSettings
from devices.mqtt_broker import connected, say_lost
from devices.protocols import DeviceSettings
from devices.trackers.igtl import Header
from devices.trackers.igtl_envelope import HEADER

Reading = TypeVar("Reading")

ANSWER_S = 5.0
"""Longest wait for a server of ours to say what it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Whether a device was reached, and a sentence: what it is, or what to do."""

    device: str
    is_reached: bool
    sentence: str


async def reach(
    device: str, settings: DeviceSettings[Reading], *, clock: Clock, patience_s: float | None = None
) -> Reach:
    """Open a device, wait for its first reading and close it again; every failure becomes a sentence.

    One that tells finished counts only need not have one: that it answers is enough.

    Without ``patience_s`` it has as long as its settings give it to open, and a silence more.
    """
    patience_s = patience_s or settings.opening_s + settings.silence_s
    try:
        async with asyncio.timeout(patience_s), settings.connect(device, clock=clock) as connection:
            identity = connection.identity or "it does not say what it is"
            if not settings.streams:
                return Reach(
                    device=device, is_reached=True, sentence=f"answers, and tells finished counts ({identity})"
                )
            await anext(aiter(connection))
            return Reach(device=device, is_reached=True, sentence=f"delivers readings ({identity})")
    except TimeoutError:
        sentence = f"no reading within {patience_s:g} s: check that it is switched on and its cable is whole"
        return Reach(device=device, is_reached=False, sentence=sentence)
    except DeviceError as exc:
        return Reach(device=device, is_reached=False, sentence=str(exc).removeprefix(f"{device}: "))


async def reach_node(settings: NodeSettings, *, device: str = "dicom") -> Reach:
    """Ask a running storage node by C-ECHO; where none runs, say whether it could listen."""
    calling_ae = next((title for title in settings.allowed_ae_titles if title != ANY), settings.ae_title)
    try:
        await echo(settings.host, settings.port, called_ae=settings.ae_title, calling_ae=calling_ae, device=device)
    except DeviceUnavailable as exc:
        with socket.socket() as probing:
            # as the node does: what a node that just ended left in TIME_WAIT does not hold the port
            probing.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probing.bind((settings.host, settings.port))
            except OSError:
                return Reach(device=device, is_reached=False, sentence=str(exc).removeprefix(f"{device}: "))
        sentence = f"not running; port {settings.port} is free for it"
        return Reach(device=device, is_reached=True, sentence=sentence)
    return Reach(device=device, is_reached=True, sentence=f"{settings.ae_title} answers C-ECHO")


async def reach_igtl(settings: IgtlSettings, *, device: str = "openigtlink") -> Reach:
    """Say whether our OpenIGTLink server runs, or could: whether its port is free."""
    if settings.port == 0:
        return Reach(device=device, is_reached=True, sentence="takes any free port")
    try:
        async with asyncio.timeout(ANSWER_S):
            reader, writer = await asyncio.open_connection(settings.host, settings.port)
            try:
                greeting = Header.from_bytes(await reader.readexactly(HEADER.size))
            finally:
                writer.close()
    except ConnectionRefusedError:
        return Reach(device=device, is_reached=True, sentence=f"not running; port {settings.port} is free for it")
    except (TimeoutError, FrameError, OSError, asyncio.IncompleteReadError):
        sentence = f"another program has {settings.host}:{settings.port}: end it, or choose another port"
        return Reach(device=device, is_reached=False, sentence=sentence)
    return Reach(device=device, is_reached=True, sentence=f"{greeting.device_name} greets with {greeting.kind}")


async def reach_index(settings: NodeSettings, *, device: str = "index") -> Reach:
    """Connect to the database of the storage node's index, and leave it as it is."""
    try:
        named = await asyncio.to_thread(try_database, settings.folder, settings.index)
    except IndexUnavailable as exc:
        return Reach(device=device, is_reached=False, sentence=str(exc))
    return Reach(device=device, is_reached=True, sentence=f"{named} lets us in")


async def reach_peer(peer: Peer, *, calling_ae: str) -> Reach:
    """Ask another DICOM node by C-ECHO, as we call it; what it is asked for besides is not tried."""
    try:
        await echo(
            peer.host,
            peer.port,
            called_ae=peer.ae_title,
            calling_ae=calling_ae,
            device=peer.name,
            tls=client_context(peer.tls) if peer.tls else None,
            server_name=peer.tls.server_name if peer.tls else None,
        )
    except (DeviceUnavailable, OSError) as exc:
        return Reach(device=peer.name, is_reached=False, sentence=str(exc).removeprefix(f"{peer.name}: "))
    roles = ", ".join(sorted(peer.roles)) or "nothing: it has no roles"
    return Reach(device=peer.name, is_reached=True, sentence=f"{peer.ae_title} answers C-ECHO (asked for {roles})")


async def reach_broker(settings: BrokerSettings, *, device: str = "mqtt") -> Reach:
    """Connect to the broker and leave again; the room's topics and a running service's link are not touched.

    Under a name of its own, for a broker ends the older of two links of one name; without a last will, and
    without a message. So whether the broker's access list lets us publish is not tried.
    """
    name = f"radionav-check-{uuid4().hex[:8]}"  # 23 characters, which every broker takes (MQTT 3.1.1, 3.1.3.1)
    try:
        async with connected(settings, device=device, identifier=name):
            return Reach(device=device, is_reached=True, sentence="lets us in")
    except aiomqtt.MqttError as exc:
        return Reach(device=device, is_reached=False, sentence=say_lost(settings, exc))
    except DeviceUnavailable as exc:
        return Reach(device=device, is_reached=False, sentence=str(exc).removeprefix(f"{device}: "))
