"""Position trackers, one file for each protocol."""
