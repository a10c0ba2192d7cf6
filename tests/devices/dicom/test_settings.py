"""What the site file says of the storage node."""

from typing import Any

import pytest


@pytest.mark.parametrize(("cores", "workers"), [(None, 1), (1, 1), (2, 2), (64, 4)])
def test_a_worker_for_each_core_unless_said_otherwise(
    settings: Any, monkeypatch: pytest.MonkeyPatch, cores: int | None, workers: int
) -> None:
    """Four at most; a number in the site file holds, none at all included."""
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    assert settings().crew_size == workers
    assert settings(workers=0).crew_size == 0
    assert settings(workers=7).crew_size == 7
