"""What the site file says of the OpenIGTLink server, by which 3D Slicer and others follow the navigation."""

from ipaddress import ip_address
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def _checked_address(text: str) -> str:
    return str(ip_address(text))


Address = Annotated[str, AfterValidator(_checked_address)]


class Settings(BaseModel):
    """The server's entry in the site file; without one nothing is served.

    Attributes
    ----------
    host, port
        Where to listen; 18944 is OpenIGTLink's registered port.
    clients
        Addresses that may connect, for OpenIGTLink has no sign-in; must be named where ``host`` is not this
        machine's own. This machine itself may always.
    axes
        ``RAS``, which 3D Slicer shows, or ``LPS``, DICOM's own, which are radionav's patient axes.
    header_version
        2 adds metadata (``TransformStatus``), which peers of protocol 1 and 2 do not understand.
    count_rate
        Whether the count rate is sent. 3D Slicer knows no SENSOR, and notes an error for each one that comes.
    most_clients
        Who connects beyond these is refused.
    queue
        Messages held for a client that does not keep up; the oldest are dropped.

    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    host: str = "127.0.0.1"
    port: int = Field(default=18944, ge=0, le=65535)
    clients: tuple[Address, ...] = ()
    axes: Literal["RAS", "LPS"] = "RAS"
    header_version: Literal[1, 2] = 1
    count_rate: bool = True
    most_clients: int = Field(default=16, ge=1)
    queue: int = Field(default=64, ge=1, le=4096)

    @model_validator(mode="after")
    def _stay_on_this_machine(self) -> Self:
        if self.host not in LOOPBACK and not self.clients:
            raise ValueError(
                f"host {self.host!r} would show the navigation to the network: name the addresses that may "
                "connect in clients, or keep 127.0.0.1"
            )
        return self
