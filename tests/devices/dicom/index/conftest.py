"""Databases to keep an index in."""

from collections.abc import Iterator

import pytest

from tests.devices.dicom.index.cluster import Cluster, running_cluster


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Give a running PostgreSQL."""
    with running_cluster() as cluster:
        yield cluster


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.peer("postgresql"))])
def database(request: pytest.FixtureRequest) -> str | None:
    """Give the address of an empty database; None for the SQLite file below the folder."""
    if request.param == "sqlite":
        return None
    cluster: Cluster = request.getfixturevalue("cluster")
    return cluster.new_database()
