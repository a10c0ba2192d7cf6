"""The full calibration of a probe for a nuclide and window: what it measures, how it is judged, what it gives."""
