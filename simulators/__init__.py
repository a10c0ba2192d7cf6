"""The other end of each wire: instruments, trackers, consoles, and the scene that they look at."""
