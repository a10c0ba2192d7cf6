"""A simulated scanner console: makes studies of the scene and sends them over DICOM."""
