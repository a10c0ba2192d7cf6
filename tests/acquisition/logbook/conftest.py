"""Logbooks in SQLite, and in a PostgreSQL of the tests' own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from acquisition.logbook.settings import LogbookSettings
from tests.devices.dicom.index.cluster import Cluster, running_cluster


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Give a running PostgreSQL."""
    with running_cluster() as cluster:
        yield cluster


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.peer("postgresql"))])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> LogbookSettings:
    """Name a logbook that is not made yet, of either kind."""
    url = None
    if request.param == "postgresql":
        cluster: Cluster = request.getfixturevalue("cluster")
        url = cluster.new_database()
    return LogbookSettings(url=url).beside(tmp_path)
