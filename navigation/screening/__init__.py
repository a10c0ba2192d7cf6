"""Readings that cannot be are left out, each with its reason."""
