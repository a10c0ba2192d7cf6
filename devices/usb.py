"""Which adapter a serial port hangs on, by what Linux says of it: tells two of one kind apart.

An adapter with a serial number is known by it, wherever it is plugged in. Many have none, or one of zeros (CH340);
those are known by their place, as ``/dev/serial/by-path`` does.
"""

import os
from pathlib import Path
from typing import Final

from serial.tools.list_ports_common import ListPortInfo
from serial.tools.list_ports_linux import SysFS

CH340: Final = ("1a86", "7523")
"""The chip in most GQ counters. brltty takes it for a Braille display's (pygmc, docs/knownissues.rst)."""
USB_DEVICES: Final = Path("/sys/bus/usb/devices")


def find_adapter(path: str) -> str:
    """Name the adapter of a port such as ``/dev/ttyUSB0``; empty where it hangs on none."""
    # pyserial looks for a port by the last part of its path, so a link's name finds nothing
    return name_adapter(SysFS(os.path.realpath(path)))


def name_adapter(port: ListPortInfo) -> str:
    """Name the adapter of a port by its chip, and its serial number or else its place."""
    if port.vid is None or port.pid is None:
        return ""
    chip = f"USB {port.vid:04x}:{port.pid:04x}"
    number = (port.serial_number or "").strip()
    return f"{chip}, serial number {number}" if number.strip("0") else f"{chip} at {port.location}"


def find_stolen(devices: Path = USB_DEVICES) -> str:
    """Name the place of a CH340 that is plugged in and has no serial port; empty where there is none."""
    for vendor in sorted(devices.glob("*/idVendor")):
        place = vendor.parent
        try:
            chip = vendor.read_text().strip(), (place / "idProduct").read_text().strip()
        except OSError:  # pulled while it is looked at
            continue
        if chip == CH340 and not any(place.glob("*:*/tty*")):
            return place.name
    return ""
