"""A recording played again: the same room, on its own time, never live."""
