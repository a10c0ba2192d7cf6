"""Where the target lies from the probe, and where to hold it next."""
