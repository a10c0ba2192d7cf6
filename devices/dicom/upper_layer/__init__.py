"""The upper layer of DICOM (PS3.8): associations, on whatever carries them."""
