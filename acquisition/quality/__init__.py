"""What a technologist checks of a probe each morning, and what it gives: verdicts and a calibration."""
