"""What devices raise. Every sentence says what is wrong, where, and what to do."""

from typing import Final

NOT_ITS_WORDS: Final = "though bytes come: check its baud rate and that it is the model in the site file"
"""End of the sentence about a device that is not understood."""


class DeviceError(Exception):
    """Raised when a device cannot do what it was asked; ``device`` is its name in the site file."""

    def __init__(self, device: str, message: str) -> None:
        super().__init__(f"{device}: {message}")
        self.device = device


class DeviceUnavailable(DeviceError):
    """Raised when a device cannot be reached or its link is lost; trying again may help."""


class DeviceTimeout(DeviceUnavailable):
    """Raised when a device is linked but delivers nothing within its time."""


class DeviceFault(DeviceError):
    """Raised when a device answers with an error of its own; ``code`` is what it sent."""

    def __init__(self, device: str, code: int, message: str) -> None:
        super().__init__(device, message)
        self.code = code


class FrameError(ValueError):
    """Raised by a codec for bytes that are no frame; ``raw`` is the evidence."""

    def __init__(self, message: str, raw: bytes) -> None:
        super().__init__(message)
        self.raw = raw
