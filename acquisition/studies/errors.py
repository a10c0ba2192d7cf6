"""What stops an object or a series from becoming a volume; each is caught in the room and becomes a report."""

from pathlib import Path

NO_MEMORY = "there is not enough memory for its voxels"


class SeriesRefused(ValueError):
    """Raised when a series cannot become a volume; the sentence names the DICOM attribute at fault."""


class ObjectUnreadable(ValueError):
    """Raised when a file cannot be read as a DICOM object."""

    def __init__(self, message: str, *, path: Path) -> None:
        super().__init__(message)
        self.path = path
