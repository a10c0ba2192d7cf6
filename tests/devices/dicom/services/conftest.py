"""Databases for the index, beside what every test of the node has."""

from tests.devices.dicom.index.conftest import cluster, database

__all__ = ["cluster", "database"]
