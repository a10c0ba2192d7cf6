"""What the site file says of the DICOM storage node."""

import os
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from devices.database_url import DatabaseUrl
from devices.dicom.storage.placement import OnConflict
from devices.dicom.upper_layer.timing import Timing

ANY = "*"
"""In ``allowed_ae_titles``: every calling AE title is accepted. Meant for a simulated site."""

MOST_BY_DEFAULT = 4
"""Workers of a node whose site file names no number."""

EVERYWHERE: tuple[IPv4Network | IPv6Network, ...] = (IPv4Network("0.0.0.0/0"), IPv6Network("::/0"))


def _checked_ae_title(title: str) -> str:
    # PS3.5 table 6.2-1, VR AE: 16 characters of the default repertoire, no backslash, not only spaces
    stripped = title.strip()
    if not 1 <= len(stripped) <= 16 or not stripped.isascii() or not stripped.isprintable():
        raise ValueError(f"{title!r} is no AE title: it wants 1 to 16 printable ASCII characters")
    if "\\" in stripped:
        raise ValueError(f"{title!r} is no AE title: a backslash is not allowed")
    return stripped


AeTitle = Annotated[str, AfterValidator(_checked_ae_title)]
"""An application entity title, spaces around it removed."""


class Section(BaseModel):
    """A table of the site file: unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Sender(Section):
    """A console that may send, and how it is dealt with."""

    ae_title: AeTitle = Field(description="Its calling AE title.")
    networks: tuple[IPv4Network | IPv6Network, ...] = Field(
        default=EVERYWHERE, min_length=1, description="Where it may call from, as 10.1.2.0/24."
    )
    called_ae_titles: tuple[AeTitle, ...] = Field(
        default=(), description='What it may call the node besides its ae_title; "*" for anything.'
    )
    maximum_associations: int = Field(default=10, ge=1, le=100, description="Its associations at a time.")
    on_conflict: OnConflict = Field(
        default=OnConflict.KEEP_FIRST,
        description="Other bytes under a UID that is there: keep first, replace (both are kept), or reject.",
    )
    may_query: bool = Field(default=False, description="Whether it may ask what the node holds (C-FIND).")
    commitment_host: str | None = Field(
        default=None, description="Where it listens for reports of storage commitment. None: on its associations."
    )
    commitment_port: int = Field(default=104, ge=1, le=65535, description="TCP port there.")

    def may_call(self, called_ae: str, node_ae: str) -> bool:
        """Whether it may call the node so."""
        return called_ae == node_ae or ANY in self.called_ae_titles or called_ae in self.called_ae_titles

    def may_come_from(self, address: str) -> bool:
        """Whether it may call from an address."""
        return any(ip_address(address) in network for network in self.networks)


class TlsSettings(Section):
    """A second port that speaks TLS (PS3.15 B.12, BCP 195)."""

    port: int = Field(default=2762, ge=0, le=65535, description="TCP port; 0 takes any free one.")
    certificate: Path = Field(description="The node's certificate and its chain, PEM.")
    key: Path = Field(description="Its private key, PEM.")
    client_ca: Path | None = Field(
        default=None, description="Who signs the senders' certificates, PEM. None: senders need no certificate."
    )


class WebClient(Section):
    """A program that may ask by HTTP."""

    ae_title: AeTitle = Field(description="What the node calls it, in files and in the audit trail.")
    token_file: Path = Field(description="File with the secret it sends, 32 characters or more, on one line.")
    may_store: bool = Field(
        default=False, description="Whether it may store objects, or only find and fetch them."
    )
    on_conflict: OnConflict = Field(
        default=OnConflict.KEEP_FIRST,
        description="Other bytes under a UID that is there: keep first, replace (both are kept), or reject.",
    )


class WebSettings(Section):
    """DICOMweb beside DICOM: the same objects by HTTP."""

    host: str = Field(
        default="127.0.0.1", description="Address to listen on; another than this machine's wants tls."
    )
    port: int = Field(default=8751, ge=0, le=65535, description="TCP port; 0 takes any free one.")
    names: tuple[str, ...] = Field(
        default=("localhost", "127.0.0.1", "::1"),
        min_length=1,
        description="Names that it answers for, as they stand in the URLs of programs.",
    )
    tls: bool = Field(default=False, description="Speak HTTPS, with the certificate of `[dicom.tls]`.")
    clients: tuple[WebClient, ...] = Field(default=(), description="Programs that may ask; none means nobody may.")
    maximum_connections: int = Field(
        default=32, ge=1, le=1000, description="Connections at a time; more are answered with 503."
    )

    @model_validator(mode="after")
    def _keeps_secrets(self) -> Self:
        if not self.tls and not ip_address(self.host).is_loopback:
            raise ValueError(f"{self.host} is beyond this machine: tokens and patients want tls = true there")
        titles = [client.ae_title for client in self.clients]
        if twice := {title for title in titles if titles.count(title) > 1}:
            raise ValueError(f"two clients are called {', '.join(sorted(twice))}: each needs a title of its own")
        return self


class RetentionRule(Section):
    """Studies that ``radionav retention`` names: those of which all that the rule says is so."""

    older_than_days: float | None = Field(default=None, ge=1, description="Its last object came longer ago.")
    larger_than_mb: float | None = Field(default=None, gt=0, description="Its files together are larger.")
    sender: AeTitle | None = Field(default=None, description="Every object came from this calling AE title.")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("an empty rule names every study: write older_than_days, larger_than_mb or sender")
        return self

    def __str__(self) -> str:
        said = (
            self.older_than_days is not None and f"older than {self.older_than_days:g} days",
            self.larger_than_mb is not None and f"larger than {self.larger_than_mb:g} MB",
            self.sender is not None and f"from {self.sender}",
        )
        return ", ".join(one for one in said if one)


class Role(StrEnum):
    """What a peer is asked for."""

    WORKLIST = "worklist"
    """Which procedures are scheduled (C-FIND, modality worklist)."""
    ARCHIVE = "archive"
    """Which studies it has, and to send them (C-FIND, C-MOVE or C-GET)."""
    DESTINATION = "destination"
    """To take studies of ours (C-STORE)."""


class Retrieval(StrEnum):
    """How an archive is asked for a study."""

    MOVE = "move"
    """It sends the study to the node on an association of its own (C-MOVE)."""
    GET = "get"
    """It sends the study on the association that asked (C-GET)."""


class PeerTls(Section):
    """TLS to a peer (PS3.15 B.12, BCP 195)."""

    ca: Path = Field(description="Who signs the peer's certificate, PEM.")
    certificate: Path | None = Field(default=None, description="Our certificate, PEM. None: we show none.")
    key: Path | None = Field(default=None, description="Its private key, PEM.")
    server_name: str | None = Field(default=None, description="Name in its certificate, where that is not `host`.")

    def beside(self, folder: Path) -> Self:
        """Take relative paths as relative to ``folder``."""
        named = {"ca": self.ca, "certificate": self.certificate, "key": self.key}
        return self.model_copy(update={key: path and folder / path for key, path in named.items()})

    @model_validator(mode="after")
    def _certificate_has_its_key(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key go together: write both, or neither")
        return self


class Peer(Section):
    """Another node that we call: a worklist, an archive, a destination."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", description="What the commands call it.")
    ae_title: AeTitle = Field(description="Its AE title.")
    host: str = Field(min_length=1, description="Where it listens.")
    port: int = Field(default=104, ge=1, le=65535, description="TCP port there.")
    roles: frozenset[Role] = Field(
        default=frozenset(), description="What it may be asked for: worklist, archive, destination. None: nothing."
    )
    retrieval: Retrieval = Field(
        default=Retrieval.MOVE, description="How an archive is asked for a study: move (C-MOVE) or get (C-GET)."
    )
    tls: PeerTls | None = Field(default=None, description="TLS. None: plain DICOM.")
    connect_time_s: float = Field(
        default=10.0, gt=0, le=60, description="Time to connect, and to answer a request for an association."
    )
    answer_time_s: float = Field(
        default=60.0, gt=0, le=3600, description="Silence, where an answer is owed, that ends an association."
    )


class NodeSettings(Section):
    """The storage node: where it listens, whom it lets in, and where it keeps what it receives."""

    ae_title: AeTitle = Field(default="RADIONAV", description="What the node calls itself.")
    host: str = Field(default="127.0.0.1", description="Address to listen on; 0.0.0.0 for every interface.")
    port: int = Field(default=11112, ge=0, le=65535, description="TCP port; 0 takes any free one.")
    folder: Path = Field(description="Where received objects are kept, one folder a study.")
    index: DatabaseUrl | None = Field(
        default=None,
        description="Database of the index, as postgresql://radionav@db.example/or3. None: SQLite in `folder`.",
    )
    allowed_ae_titles: tuple[AeTitle, ...] = Field(
        default=(),
        description='Calling AE titles that may send; none means nobody may, "*" means anybody may.',
    )
    senders: tuple[Sender, ...] = Field(
        default=(), description="Consoles that may send, each with its own address and rules."
    )
    retention: tuple[RetentionRule, ...] = Field(
        default=(),
        description="Rules by which `radionav retention` lists studies, and deletes them when told to.",
    )
    peers: tuple[Peer, ...] = Field(
        default=(), description="Nodes that are called: worklist, archive, destinations. None: nobody is."
    )
    tls: TlsSettings | None = Field(default=None, description="TLS beside plain DICOM. None: off.")
    web: WebSettings | None = Field(default=None, description="DICOMweb beside DICOM. None: off.")
    workers: int | None = Field(
        default=None,
        ge=0,
        le=64,
        description="Processes that associations are spread over; 0 for the node's own only. "
        "None: one a core, 4 at most.",
    )
    quiet_s: float = Field(
        default=0.75,
        ge=0,
        le=600,
        description="A study is complete this long after its last object, once its association has ended.",
    )
    free_floor_mb: int = Field(
        default=1024, description="With less free space than this (at least 1) the node refuses to store (0xA700)."
    )
    maximum_associations: int = Field(
        default=10, ge=1, le=100, description="Associations at a time; more are rejected as transient."
    )
    maximum_object_mb: int = Field(
        default=8192, ge=1, description="A larger object is refused by dropping its association."
    )
    request_time_s: float = Field(
        default=10.0,
        gt=0,
        le=60,
        description="Time to ask for an association, and to close after its end (ARTIM).",
    )
    pdu_time_s: float = Field(default=30.0, gt=0, le=600, description="Time for one PDU, first byte to last.")
    idle_time_s: float = Field(default=120.0, gt=0, le=3600, description="Silence that ends an association.")
    minimum_bytes_per_s: float = Field(
        default=500.0,
        ge=0,
        description="Mean pace of data sets, over `idle_time_s` or more, below which an association ends where a "
        "message is under way or another needs its place; 0 for none.",
    )
    total_time_s: float = Field(default=14400.0, gt=0, description="The longest association.")

    def beside(self, folder: Path) -> Self:
        """Take relative paths as relative to ``folder``."""
        tls = self.tls and self.tls.model_copy(
            update={
                "certificate": folder / self.tls.certificate,
                "key": folder / self.tls.key,
                "client_ca": self.tls.client_ca and folder / self.tls.client_ca,
            }
        )
        peers = tuple(peer.model_copy(update={"tls": peer.tls and peer.tls.beside(folder)}) for peer in self.peers)
        web = self.web and self.web.model_copy(
            update={
                "clients": tuple(
                    client.model_copy(update={"token_file": folder / client.token_file})
                    for client in self.web.clients
                )
            }
        )
        return self.model_copy(update={"folder": folder / self.folder, "tls": tls, "peers": peers, "web": web})

    @property
    def timing(self) -> Timing:
        """How long an association may take."""
        return Timing(
            artim_s=self.request_time_s,
            pdu_s=self.pdu_time_s,
            idle_s=self.idle_time_s,
            total_s=self.total_time_s,
        )

    @property
    def crew_size(self) -> int:
        """How many workers there are: more than there are cores take memory and gain nothing."""
        return min(os.cpu_count() or 1, MOST_BY_DEFAULT) if self.workers is None else self.workers

    @property
    def is_open(self) -> bool:
        """Whether anybody may send."""
        return ANY in self.allowed_ae_titles

    def is_expected_from(self, address: str) -> bool:
        """Whether a console at an address is heard at all; while no network is given, each is."""
        if self.allowed_ae_titles or not self.senders:
            return True
        return any(sender.may_come_from(address) for sender in self.senders)

    def find_sender(self, calling_ae: str) -> Sender | None:
        """Rules for a calling AE title; None where it may not send."""
        named = next((sender for sender in self.senders if sender.ae_title == calling_ae), None)
        if named is None and (self.is_open or calling_ae in self.allowed_ae_titles):
            return Sender.model_construct(ae_title=calling_ae, called_ae_titles=(ANY,), may_query=self.is_open)
        return named

    @field_validator("free_floor_mb")
    @classmethod
    def _keeps_room(cls, floor_mb: int) -> int:
        if floor_mb < 1:
            raise ValueError(
                f"{floor_mb} keeps no room for index and audit trail: write 1 or more, or leave it out"
            )
        return floor_mb

    @model_validator(mode="after")
    def _web_has_its_certificate(self) -> Self:
        if self.web is not None and self.web.tls and self.tls is None:
            raise ValueError("web.tls wants a certificate: write [dicom.tls]")
        return self

    @model_validator(mode="after")
    def _senders_differ(self) -> Self:
        titles = [sender.ae_title for sender in self.senders]
        if twice := {title for title in titles if titles.count(title) > 1 or title in self.allowed_ae_titles}:
            raise ValueError(f"{', '.join(sorted(twice))} may send by two rules: write one")
        return self

    @model_validator(mode="after")
    def _peers_differ(self) -> Self:
        names = [peer.name for peer in self.peers]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"two peers are called {', '.join(sorted(twice))}: each needs a name of its own")
        return self
