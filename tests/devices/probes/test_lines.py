"""How each driver sets the line of its port, as its manual has it."""

import errno
from typing import Any, NoReturn

import pytest
import serial

from devices.clock import monotonic
from devices.errors import DeviceUnavailable
from tests.devices.probes.benches import BENCHES

LINES = {
    "amptek": (115200, "8N1"),
    "gammascout": (460800, "7E1"),
    "gmc-rfc1201": (115200, "8N1"),
    "gmc-rfc1801": (115200, "8N1"),
    "lb134": (38400, "8N1"),
    "ludlum375": (9600, "8N1"),
    "ludlum3030": (9600, "8N1"),
    "mightyohm": (9600, "8N1"),
    "opengamma": (2_000_000, "8N1"),
    "radeye": (9600, "7E2"),
    "radpro": (115200, "8N1"),
    "sheet": (57600, "8N1"),
}
"""Bits a second and character; the sheet's are those of a GMC-300."""


@pytest.mark.parametrize("name", BENCHES)
async def test_a_port_is_opened_alone_and_set_as_the_manual_says(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Speed, character and handshake are the instrument's, or its bytes are nonsense; nobody else reads them."""
    asked: dict[str, Any] = {}

    def open_port(_url: str, **line: Any) -> NoReturn:
        asked.update(line)
        raise OSError(errno.ENOENT, "no such port")

    monkeypatch.setattr(serial, "Serial", open_port)
    with pytest.raises(DeviceUnavailable, match="there is no port"):
        async with BENCHES[name].settings.connect("gamma", clock=monotonic):  # type: ignore[attr-defined]
            pass
    character = f"{asked['bytesize']}{asked['parity']}{asked['stopbits']}"
    assert (asked["baudrate"], character) == LINES[name]
    assert asked["rtscts"] == (name == "ludlum3030")
    assert asked["exclusive"]
