"""What the site file says of the DICOM storage node."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

ANY = "*"
"""In ``allowed_ae_titles``: every calling AE title is accepted. Meant for a simulated site."""


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


class NodeSettings(BaseModel):
    """The storage node: where it listens, whom it lets in, and where it keeps what it receives."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ae_title: AeTitle = Field(default="RADIONAV", description="What the node calls itself.")
    host: str = Field(default="127.0.0.1", description="Address to listen on; 0.0.0.0 for every interface.")
    port: int = Field(default=11112, ge=0, le=65535, description="TCP port; 0 takes any free one.")
    folder: Path = Field(description="Where received objects are kept, one folder a study.")
    allowed_ae_titles: tuple[AeTitle, ...] = Field(
        default=(),
        description='Calling AE titles that may send; none means nobody may, "*" means anybody may.',
    )
    quiet_s: float = Field(
        default=2.0,
        ge=0,
        le=600,
        description="A study is complete this long after its last object, once its association has ended.",
    )
    free_floor_mb: int = Field(
        default=1024, ge=0, description="With less free space than this the node refuses to store (0xA700)."
    )
    maximum_associations: int = Field(
        default=10, ge=1, le=100, description="Associations at a time; more are rejected as transient."
    )
    maximum_object_mb: int = Field(
        default=1024, ge=1, description="A larger object is refused by dropping its association."
    )

    def is_allowed(self, calling_ae: str) -> bool:
        """Whether a calling AE title may open an association."""
        return ANY in self.allowed_ae_titles or calling_ae.strip() in self.allowed_ae_titles
