"""The display's table of the site file: where the page and the feed are served, and who may look and act."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from config.section import Section

LOOPBACK = ("127.0.0.1", "::1", "localhost")


class DisplayTls(Section):
    """The certificate that the display's server shows."""

    certificate: Path = Field(description="Certificate and its chain, PEM.")
    key: Path = Field(description="Its private key, PEM.")


class AccessSettings(Section):
    """Who may look and who may act; without it whoever is at this machine may do both."""

    view_token: Path = Field(description="File with the token of displays, 32 characters or more, on one line.")
    people: Path = Field(description="File of the persons who may sign in: written by `radionav person`.")
    engineer_token: Path | None = Field(
        default=None, description="File with the token of programs that read the metrics. None: persons only."
    )


PedalAct = Literal[
    "sound", "hold", "peak", "background", "mark", "procedure", "next step", "excision", "out", "bed", "specimen",
    "undo", "live image", "window", "colours", "lock", "head", "feet", "distance", "calibration",
]  # fmt: skip
"""What a key of a pedal can do on the page: the same as the key that docs/display.md names for it."""


class DisplaySettings(Section):
    """The server of the page and the feed."""

    host: str = Field(
        default="127.0.0.1",
        description="Address to listen on; another than this machine's own wants tls, access and names.",
    )
    names: tuple[str, ...] = Field(
        default=LOOPBACK, min_length=1, description="Names that it answers for, as they stand in URLs."
    )
    tls: DisplayTls | None = Field(default=None, description="Speak HTTPS. None: HTTP, on this machine only.")
    access: AccessSettings | None = Field(default=None, description="Tokens and persons. None: nobody signs in.")
    language: Literal["en", "ru"] = Field(default="en", description="Of the page, until somebody chooses.")
    keys: dict[str, PedalAct] = Field(
        default={},
        description="What further keys do, as a pedal sends them: names of `KeyboardEvent.key` or `.code`.",
    )
    port: int = Field(default=8750, ge=0, le=65535, description="TCP port; 0 takes any free one.")
    integration_s: float = Field(default=1.0, gt=0, le=5, description="Counting time of the rate shown.")
    stale_after_s: float = Field(
        default=0.5, gt=0, le=1, description="Silence after which the display stops looking live."
    )

    def beside(self, folder: Path) -> Self:
        """Take relative paths as relative to ``folder``."""
        tls, access = self.tls, self.access
        return self.model_copy(
            update={
                "tls": tls and DisplayTls(certificate=folder / tls.certificate, key=folder / tls.key),
                "access": access
                and AccessSettings(
                    view_token=folder / access.view_token,
                    people=folder / access.people,
                    engineer_token=access.engineer_token and folder / access.engineer_token,
                ),
            }
        )

    @model_validator(mode="after")
    def _stay_on_this_machine(self) -> Self:
        if self.host in LOOPBACK:
            return self
        missing = [name for name in ("tls", "access") if getattr(self, name) is None]
        if set(self.names) <= set(LOOPBACK):
            missing.append("names")
        if missing:
            raise ValueError(
                f"host {self.host!r} would open the feed to the network: it wants {', '.join(missing)} too; "
                "or keep 127.0.0.1 and show the page on this machine's own screens"
            )
        return self
