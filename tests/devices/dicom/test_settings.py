"""What the site file says of the storage node."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from devices.dicom.settings import NodeSettings


@pytest.mark.parametrize(("cores", "workers"), [(None, 1), (1, 1), (2, 2), (64, 4)])
def test_a_worker_for_each_core_unless_said_otherwise(
    settings: Any, monkeypatch: pytest.MonkeyPatch, cores: int | None, workers: int
) -> None:
    """Four at most; a number in the site file holds, none at all included."""
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    assert settings().crew_size == workers
    assert settings(workers=0).crew_size == 0
    assert settings(workers=7).crew_size == 7


@pytest.mark.parametrize("floor_mb", [0, -1])
def test_a_floor_that_keeps_no_room_is_refused(tmp_path: Path, floor_mb: int) -> None:
    """On a full disk the index and the audit trail could not be written either; the sentence says what to do."""
    with pytest.raises(ValidationError, match="keeps no room for index and audit trail: write 1 or more"):
        NodeSettings(folder=tmp_path, free_floor_mb=floor_mb)
