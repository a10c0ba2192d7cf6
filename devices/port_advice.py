"""Why a port could not be opened, and what to do about it, in a sentence."""

import errno
import grp
import socket
import termios
from pathlib import Path

from serial.tools import list_ports

from devices.usb import find_stolen

_STOLEN = (
    "but at USB {place} is a CH340 adapter without one: brltty takes it for a Braille display; remove it "
    "(`apt remove brltty`) or stop it (`systemctl mask brltty-udev`), and plug the instrument in again"
)


def advise(url: str, exc: Exception) -> str:
    """Say in a sentence why a port could not be opened and what to do about it."""
    cause = exc.__context__ if isinstance(exc.__context__, OSError) else exc
    if url.startswith("socket://"):
        return _network_advice(url, cause)
    number = _number_of(cause)
    if number in {errno.ENOENT, errno.ENXIO, errno.ENODEV, errno.EIO}:
        if place := find_stolen():
            return f"there is no port {url}, {_STOLEN.format(place=place)}"
        present = ", ".join(sorted(port.device for port in list_ports.comports())) or "none"
        return f"there is no port {url}: plug the instrument in and switch it on (ports here now: {present})"
    if number in {errno.EACCES, errno.EPERM}:
        group = _group_of(url)
        return f"not allowed to open {url}: add this user to its group ({group}) and log in again"
    if number in {errno.EBUSY, errno.EAGAIN}:
        return f"{url} is in use: stop the other program (`fuser -v {url}` names it), or ModemManager or brltty"
    return f"{url} cannot be opened as a serial port: {exc}"


def _number_of(cause: BaseException) -> int | None:
    """Error number; pyserial 3.5 lets tcsetattr's and tcflush's ``termios.error`` through, which is no OSError."""
    if isinstance(cause, termios.error):
        return int(cause.args[0])
    return cause.errno if isinstance(cause, OSError) else None


def _network_advice(url: str, cause: BaseException) -> str:
    if isinstance(cause, ConnectionRefusedError):
        return f"nobody listens at {url}: is the serial server on, and is the port number right?"
    if isinstance(cause, TimeoutError):
        return f"{url} does not answer: check the network cable and the address"
    if isinstance(cause, socket.gaierror):
        return f"the name in {url} is not known here: check it, or write the address in numbers"
    return f"{url} cannot be opened: {cause}"


def _group_of(path: str) -> str:
    try:
        return grp.getgrgid(Path(path).stat().st_gid).gr_name
    except (OSError, KeyError):
        return "dialout"
