"""The hospital's MQTT broker: where it listens, and how it is reached and left without a trace."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Annotated, Literal, Self

import aiomqtt
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from devices.errors import DeviceUnavailable
from devices.mqtt_client import MqttClient

FAREWELL_S = 0.5
"""How long saying goodbye may take."""

TopicPart = Annotated[str, StringConstraints(min_length=1, pattern=r"^[^/+#\x00]+$")]
"""One level of a topic: without the separator and the wildcards (MQTT 3.1.1, 4.7)."""


class Settings(BaseModel):
    """The broker's entry in the site file; without one nothing is published.

    Attributes
    ----------
    host, port
        Where the broker listens: usually 1883, with TLS 8883.
    site, room
        Levels of the topic.
    username, password_file
        Who we are; the password is the file's first line, read at each connection.
    tls, ca_file
        Whether to encrypt, and the authority to trust in place of the system's.
    qos
        Quality of service of everything published.
    timeout_s
        Longest wait for the broker to connect or to take a message, s.
    keepalive_s
        A broker that hears nothing for 1.5 times as long publishes the last will, s.

    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    host: str = Field(min_length=1)
    port: int = Field(default=1883, ge=1, le=65535)
    site: TopicPart
    room: TopicPart
    username: str | None = None
    password_file: Path | None = None
    tls: bool = False
    ca_file: Path | None = None
    qos: Literal[0, 1, 2] = 0
    timeout_s: float = Field(default=2.0, gt=0)
    keepalive_s: int = Field(default=5, ge=1, le=65535)

    @model_validator(mode="after")
    def _only_what_is_used(self) -> Self:
        if self.password_file is not None and self.username is None:
            raise ValueError("password_file without username: MQTT sends a password only with a name")
        if self.ca_file is not None and not self.tls:
            raise ValueError("ca_file without tls = true: nothing would be encrypted")
        return self

    @property
    def prefix(self) -> str:
        """What every topic starts with."""
        return f"radionav/v2/{self.site}/{self.room}"

    @property
    def address(self) -> str:
        """Host and port, for sentences."""
        return f"{self.host}:{self.port}"


@asynccontextmanager
async def connected(
    settings: Settings, *, device: str, identifier: str, will: aiomqtt.Will | None = None
) -> AsyncIterator[aiomqtt.Client]:
    """Connect to the broker, and disconnect at the end; cancelling closes the link.

    Parameters
    ----------
    settings
        The broker.
    device
        Name that errors carry.
    identifier
        Our name at the broker, which ends any other link of that name (MQTT 3.1.1, 3.1.4).
    will
        What the broker publishes when we die without a word.

    Raises
    ------
    DeviceUnavailable
        Where it cannot be reached or trusted, or a file of the settings cannot be read.
    aiomqtt.MqttError
        Where it refuses us, or the link is lost; ``say_lost`` has the words.

    """
    client = await _client(settings, device, identifier, will)
    # aiomqtt connects in a thread, which a cancellation would leave running with an open socket: let it
    # come to its end, then close what it opened
    entering = asyncio.ensure_future(client.__aenter__())
    try:
        await asyncio.shield(entering)
    except BaseException:
        await asyncio.wait({entering})
        await _leave(client)
        raise
    try:
        yield client
    finally:
        await _leave(client)


def say_lost(settings: Settings, exc: aiomqtt.MqttError) -> str:
    """Say that the broker refused us or the link was lost, and why."""
    return f"the link to the broker {settings.address} is lost or refused ({exc})"


async def _leave(client: aiomqtt.Client) -> None:
    client.timeout = FAREWELL_S
    with suppress(aiomqtt.MqttError):  # the link is gone already, which is what we want
        await client.__aexit__(None, None, None)


async def _client(settings: Settings, device: str, identifier: str, will: aiomqtt.Will | None) -> aiomqtt.Client:
    try:
        password = await asyncio.to_thread(_password, settings)
        context = await asyncio.to_thread(_tls_context, settings) if settings.tls else None
    except OSError as exc:
        raise DeviceUnavailable(
            device, f"cannot use {exc.filename or settings.ca_file} ({exc.strerror}). Check the site file"
        ) from exc
    await _reach(settings, device, context)
    return MqttClient(
        settings.host,
        settings.port,
        identifier=identifier,
        username=settings.username,
        password=password,
        tls_context=context,
        timeout=settings.timeout_s,
        keepalive=settings.keepalive_s,
        will=will,
    )


async def _reach(settings: Settings, device: str, context: ssl.SSLContext | None) -> None:
    """Try the address first: this can be cancelled, closes what fails, and its errors say what is wrong."""
    try:
        async with asyncio.timeout(settings.timeout_s):
            _, writer = await asyncio.open_connection(settings.host, settings.port, ssl=context)
    except TimeoutError as exc:
        sentence = f"the broker {settings.address} does not answer. Check host and firewall"
        raise DeviceUnavailable(device, sentence) from exc
    except ConnectionRefusedError as exc:
        sentence = f"no broker listens at {settings.address}. Start it, or check host and port"
        raise DeviceUnavailable(device, sentence) from exc
    except ssl.SSLCertVerificationError as exc:
        sentence = (
            f"the certificate of {settings.address} is not trusted ({exc.verify_message}). "
            "Name its authority in ca_file"
        )
        raise DeviceUnavailable(device, sentence) from exc
    except OSError as exc:
        sentence = f"cannot reach the broker {settings.address} ({exc.strerror or exc}). Check host and port"
        raise DeviceUnavailable(device, sentence) from exc
    writer.transport.abort()
    with suppress(OSError):  # that it was reached is all we wanted to know
        await writer.wait_closed()


def _password(settings: Settings) -> str | None:
    path = settings.password_file
    return None if path is None else path.read_text(encoding="utf-8").split("\n", 1)[0].rstrip("\r")


def _tls_context(settings: Settings) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=settings.ca_file)
