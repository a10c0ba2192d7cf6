"""The display's table of the site file: what opens it to the network."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from config.display import AccessSettings, DisplaySettings, DisplayTls

OPENED: dict[str, Any] = {
    "tls": DisplayTls(certificate=Path("room.crt"), key=Path("room.key")),
    "access": AccessSettings(view_token=Path("view.token"), people=Path("people.toml")),
    "names": ("theatre4.hospital.example",),
}


def test_it_listens_on_this_machine_alone_by_default() -> None:
    """Nobody beyond this machine looks unless the site file says so."""
    assert DisplaySettings().host == "127.0.0.1"
    assert set(DisplaySettings().names) == {"127.0.0.1", "::1", "localhost"}


@pytest.mark.parametrize("missing", OPENED)
def test_a_network_wants_certificate_persons_and_names(missing: str) -> None:
    """Each of the three, by its name; with all of them it is opened."""
    assert DisplaySettings(host="0.0.0.0", **OPENED).host == "0.0.0.0"  # noqa: S104 - that is what is asked for
    with pytest.raises(ValidationError, match=f"it wants {missing} too; "):
        DisplaySettings(host="0.0.0.0", **{name: each for name, each in OPENED.items() if name != missing})  # noqa: S104
