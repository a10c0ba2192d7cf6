"""Which adapter a port hangs on, and which is plugged in without one."""

from pathlib import Path

import pytest
from serial.tools.list_ports_common import ListPortInfo

from devices import port_advice, usb
from devices.errors import DeviceUnavailable
from devices.links import open_link
from devices.usb import find_adapter, find_stolen, name_adapter


def port(*, serial_number: str | None, location: str = "1-1.2") -> ListPortInfo:
    """Give what pyserial says of a port on a USB adapter."""
    told = ListPortInfo("/dev/ttyUSB0")
    told.vid, told.pid, told.serial_number, told.location = 0x1A86, 0x7523, serial_number, location
    return told


def test_an_adapter_is_known_by_its_number() -> None:
    """With a serial number it is the same one in any socket."""
    assert name_adapter(port(serial_number="A50285BI")) == "USB 1a86:7523, serial number A50285BI"
    assert name_adapter(port(serial_number="A50285BI", location="3-4")) == name_adapter(
        port(serial_number="A50285BI")
    )


@pytest.mark.parametrize("serial_number", [None, "", "0", "00000000"])
def test_without_a_number_by_its_place(serial_number: str | None) -> None:
    """None, and one of zeros as CH340 chips have it, tells nothing: two of them differ by their sockets."""
    assert name_adapter(port(serial_number=serial_number)) == "USB 1a86:7523 at 1-1.2"
    assert name_adapter(port(serial_number=serial_number, location="1-1.3")) == "USB 1a86:7523 at 1-1.3"


def test_a_port_without_an_adapter_has_none(tmp_path: Path) -> None:
    """A pty, and a port that is not there, hang on nothing."""
    assert find_adapter("/dev/ptmx") == ""
    assert find_adapter(str(tmp_path / "nowhere")) == ""


def plug(devices: Path, place: str, vendor: str, product: str, *, tty: str = "") -> None:
    """Lay out a device as Linux does under /sys/bus/usb/devices."""
    interface = devices / place / f"{place}:1.0"
    interface.mkdir(parents=True)
    (devices / place / "idVendor").write_text(f"{vendor}\n")
    (devices / place / "idProduct").write_text(f"{product}\n")
    if tty:
        (interface / tty).mkdir()


def test_a_ch340_without_a_port_is_found(tmp_path: Path) -> None:
    """One that has its port is in order, as is any other chip; one that has none was taken."""
    plug(tmp_path, "1-1", "1a86", "7523", tty="ttyUSB0")
    plug(tmp_path, "1-2", "0403", "6001")
    assert find_stolen(tmp_path) == ""
    plug(tmp_path, "1-3", "1a86", "7523")
    assert find_stolen(tmp_path) == "1-3"
    assert find_stolen(tmp_path / "nowhere") == ""


async def test_brltty_is_named_where_it_took_the_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing port beside a CH340 without one: the words say who took it, and how to get it back."""
    plug(tmp_path, "1-3", "1a86", "7523")
    monkeypatch.setattr(port_advice, "find_stolen", lambda: usb.find_stolen(tmp_path))
    with pytest.raises(DeviceUnavailable, match=r"at USB 1-3 is a CH340 .* brltty takes it .*apt remove brltty"):
        async with open_link("/dev/ttyNONE7", device="gamma"):
            pass
