"""The DICOM storage node that consoles send to."""
