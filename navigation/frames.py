"""Names of the coordinate frames.

Lengths are millimetres everywhere. ``PATIENT`` is DICOM's patient coordinate system (LPS: +x to the
patient's left, +y to the back, +z to the head; PS3.3 C.7.6.2.1.1) of the loaded study's frame of reference.
"""

from enum import StrEnum


class Frame(StrEnum):
    """A coordinate frame; transforms carry two and refuse to be joined where they do not meet."""

    PATIENT = "patient"
    """DICOM patient axes (LPS) of the study's frame of reference."""

    TRACKER = "tracker"
    """The tracking camera's or field generator's own axes."""

    REFERENCE = "reference"
    """The tracked marker fixed to the patient, or the tracker itself where there is none."""

    TOOL = "tool"
    """The marker mounted on the probe, as the tracker reports it."""

    TIP = "tip"
    """Origin at the centre of the probe's entrance window, +z the way it looks, +y the probe's up mark."""

    VOXEL = "voxel"
    """Array indices of a volume in the order (k, j, i), at voxel centres."""
