"""The quality logbook: every check, calibration and timed count, dated, signed, and never changed unnoticed."""
