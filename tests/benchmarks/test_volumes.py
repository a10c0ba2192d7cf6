"""The benchmark of volumes reads what it writes, and both readers give the same numbers."""

import json
import sys

import pytest

from benchmarks import volumes


def test_both_readers_give_the_same_numbers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Run small: figures for both, and the same voxels."""
    monkeypatch.setattr(sys, "argv", ["volumes", "--runs", "1", "--slices", "4"])
    volumes.main()
    figures = json.loads(capsys.readouterr().out)
    assert figures["ct"]["shape"] == [4, 512, 512]
    for kind in ("ct", "nm"):
        assert figures[kind]["same_numbers"]
        assert figures[kind]["radionav"]["wall_s"] > 0
        assert figures[kind]["SimpleITK"]["wall_s"] > 0
