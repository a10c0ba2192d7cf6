"""Learns an instrument's sheet from a recorded session of it: its fields, which of them counts, and why."""
