"""The calibration file: whole or refused, and never a simulated one for a real probe."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from acquisition.calibration import (
    Calibration,
    CalibrationError,
    Provenance,
    find_full,
    load_calibration,
    read_calibration,
    write_calibration,
)
from acquisition.quality.counts import Count
from acquisition.quality.response import renew
from navigation.probe.bench import PointSourceCount
from navigation.probe.response import Response
from navigation.probe.response_fit import fit_response


@cache
def response() -> Response:
    """Fit the response of a crystal 23 mm behind the tip, 2,000 cps/MBq at 30 mm."""
    counts = [
        PointSourceCount(
            medium="air",
            distance_mm=distance_mm,
            lateral_mm=0.0,
            angle_deg=angle_deg,
            activity_mbq=1.0,
            live_time_s=10.0,
            counts=round(10 * (5 + relative * 2000 * (53 / (distance_mm + 23)) ** 2)),
        )
        for distance_mm, angle_deg, relative in ((10, 0, 1), (30, 0, 1), (50, 0, 1), (100, 0, 1), (30, 20, 0.5))
    ]
    return fit_response(
        counts,
        300,
        60.0,
        0.0,
        probe="gamma",
        nuclide="Tc-99m",
        window_kev=(126.0, 154.0),
        calibrated_at="2026-11-22T07:00:00+00:00",
    )[0]


def calibration(*, probe: str = "gamma", is_simulated: bool = False) -> Calibration:
    """Make a calibration of a passed morning."""
    at = datetime(2026, 11, 22, 7, tzinfo=UTC)
    provenance = Provenance(
        probe=probe,
        identity="DP5 12345",
        is_simulated=is_simulated,
        started_at=at,
        ended_at=at,
        sources={"check": {"nuclide": "Co-57"}},
        results=[{"name": "background", "passed": True}],
    )
    return Calibration(response=response(), provenance=provenance)


def test_round_trip(tmp_path: Path) -> None:
    """What is written is read back, the folder made where there was none, and no part left behind."""
    path = tmp_path / "calibrations" / "gamma.json"
    write_calibration(path, calibration())
    found = read_calibration(path)
    assert found.response.to_dict() == calibration().response.to_dict()
    assert found.provenance == calibration().provenance
    assert load_calibration(path).response.sensitivity_cps_per_mbq == pytest.approx(2000, rel=0.01)
    assert [file.name for file in path.parent.iterdir()] == ["gamma.json"]


def test_simulated_is_refused_for_a_real_probe(tmp_path: Path) -> None:
    """A simulated bench's calibration serves a simulated probe and no other."""
    path = tmp_path / "gamma.json"
    write_calibration(path, calibration(is_simulated=True))
    assert load_calibration(path, is_simulated=True).response.probe == "gamma"
    with pytest.raises(CalibrationError, match="simulated bench"):
        load_calibration(path)


def test_another_probes_is_refused(tmp_path: Path) -> None:
    """Two probes of a room do not share a response."""
    path = tmp_path / "gamma.json"
    write_calibration(path, calibration())
    assert load_calibration(path, probe="gamma").response.probe == "gamma"
    with pytest.raises(CalibrationError, match="of gamma, not of beta"):
        load_calibration(path, probe="beta")


def edited(path: Path, **changes: Any) -> None:
    """Change a written calibration by ``section__key`` or ``section``."""
    write_calibration(path, calibration())
    content = json.loads(path.read_text())
    for name, value in changes.items():
        section, _, key = name.partition("__")
        if key:
            content[section][key] = value
        else:
            content[section] = value
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"version": 2}, "version 2"),
        ({"format": "other"}, "no whole calibration"),
        ({"note": "mine"}, "note"),
        ({"response__sensitivity_cps_per_mbq": -1.0}, "sensitivity_cps_per_mbq"),
        ({"response__sensitivity_cps_per_mbq": "many"}, "no whole calibration"),
        ({"response__sensitivity": 1.0}, "unknown"),
        ({"provenance__results": []}, "did not pass"),
        ({"provenance__results": [{"name": "background", "passed": False}]}, "did not pass"),
        ({"provenance__results": [{"name": "background"}]}, "did not pass"),
        ({"provenance__probe": "other"}, "measured with other"),
        ({"provenance__started_at": "yesterday"}, "started_at"),
    ],
)
def test_a_changed_file_is_refused(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    """Another version or format, impossible numbers, a failed morning, another probe: refused by name."""
    path = tmp_path / "gamma.json"
    edited(path, **changes)
    with pytest.raises(CalibrationError, match=words) as caught:
        load_calibration(path)
    assert str(path) in str(caught.value)


def test_a_shortened_file_is_refused(tmp_path: Path) -> None:
    """At whatever byte a file is cut, it is refused."""
    path = tmp_path / "gamma.json"
    write_calibration(path, calibration())
    whole = path.read_bytes()
    for length in range(0, len(whole) - 2, 97):
        path.write_bytes(whole[:length])
        with pytest.raises(CalibrationError):
            load_calibration(path)


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    """No calibration: run acquire."""
    with pytest.raises(CalibrationError, match="run acquire"):
        load_calibration(tmp_path / "gamma.json")


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A file where the folder should be is an error in words."""
    (tmp_path / "file").write_text("")
    with pytest.raises(CalibrationError, match="cannot be written"):
        write_calibration(tmp_path / "file" / "gamma.json", calibration())


COUNTED = {"medium": "air", "distance_mm": 30.0, "counts": 1000.0}


@pytest.mark.parametrize(
    ("changes", "is_found"),
    [
        ({}, True),
        ({"provenance__counts": []}, False),
        ({"provenance__identity": "DP5 2"}, False),
        ({"provenance__is_simulated": True}, False),
        ({"response__nuclide": "In-111"}, False),
        ({"response__window_kev": [120.0, 160.0]}, False),
        ({"version": 2}, False),
    ],
)
def test_a_full_calibration_is_found_only_where_it_is_of_the_same(
    tmp_path: Path, changes: dict[str, Any], *, is_found: bool
) -> None:
    """One of another instrument, nuclide or window, a simulated one, a morning's alone: none of them."""
    path = tmp_path / "gamma.json"
    edited(path, **({"provenance__counts": [COUNTED]} | changes))
    found = find_full(path, response(), identity="DP5 12345", is_simulated=False)
    assert (found is not None) == is_found
    assert find_full(tmp_path / "none.json", response(), identity="DP5 12345", is_simulated=False) is None


def test_a_morning_renews_a_full_calibration() -> None:
    """Sensitivity, background and date are today's with today's errors; shape, attenuation and theirs stay."""
    counting = np.zeros((2, 15))
    counting[0, 13], counting[1, 14], counting[0, 1] = 1e-14, 4.0, 1e-10
    full = replace(response(), counting_covariance=counting)
    today = replace(
        full.scaled({"sensitivity_cps_per_mbq": 0.05, "recess_mm": 0.3}),
        background_cps=7.0,
        covariance=4 * full.covariance,
    )
    at = datetime(2026, 11, 23, 7, tzinfo=UTC)
    background = Count(counts=420, live_time_s=60.0, real_time_s=60.0, dead_time_s=0.0, started_at=at)
    renewed = renew(full, today, background)
    assert renewed.sensitivity_cps_per_mbq == today.sensitivity_cps_per_mbq
    assert renewed.background_cps == 7.0
    assert renewed.recess_mm == full.recess_mm
    assert (renewed.covariance[1:, 1:] == full.covariance[1:, 1:]).all()
    assert renewed.covariance[0, 0] == today.covariance[0, 0]
    assert not renewed.covariance[0, 1:].any()
    assert renewed.counting_covariance is not None
    assert renewed.counting_covariance[0, 13] == 1e-14
    assert renewed.counting_covariance[1, 14] == pytest.approx(420 / 3600)
    assert np.count_nonzero(renewed.counting_covariance) == 2
