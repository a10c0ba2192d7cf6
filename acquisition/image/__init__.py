"""The image that the probe's own counts make, in a process beside the service."""
