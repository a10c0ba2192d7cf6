"""Received objects on the disk: how they get there durably, and what a file says of itself."""
