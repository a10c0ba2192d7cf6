"""By which calibrations a simulated room goes: its own, those of acquire, or the shipped ones."""

from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from acquisition.tracking.registration_file import add_registration
from acquisition.tracking.tip_file import TipCalibration, load_tip, write_tip
from composition.errors import ServiceError
from composition.in_use import read_in_use
from composition.simulated import (
    SHIPPED_TIMING,
    SHIPPED_TIP,
    simulated_registration,
    simulated_site,
    simulated_tip,
    tip_in_use,
)
from composition.simulated_calibrations import calibrated, room_registration, room_timing, room_tip
from tests.acquisition.tracking.test_joining import NOW, registration
from tests.acquisition.tracking.tips import tip_calibration

ELSEWHERE = tip_calibration(NOW - timedelta(days=1))
REGISTERED = simulated_registration().file
MEASURED = simulated_tip().file


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work where nothing is; give the room's own folder, which is elsewhere."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return tmp_path / "room"


def begin(folder: Path, *, now: datetime = NOW) -> list[str]:
    """Begin the room; what it says."""
    site, said = calibrated(simulated_site(), folder, scan_uid="1.2", now=now)
    read_in_use(site, is_simulated=True)
    return said


def shipped() -> TipCalibration:
    """Read the tip that is shipped."""
    return load_tip(SHIPPED_TIP, tool="Probe", serial="", is_simulated=True)


def register(path: Path, *, by: TipCalibration, **changes: object) -> None:
    """Register the simulated patient with a tip."""
    made = registration(at=NOW)
    told = {"patient_id": "SIM-0001", "is_simulated": True, "tip_calibrated_at": by.calibrated_at, **changes}
    add_registration(path, msgspec.structs.replace(made, **told))


def test_it_begins_with_what_is_shipped_and_writes_nothing_where_it_was_started(folder: Path) -> None:
    """Also in a folder that nobody may write to, and by the file of the version that runs now."""
    Path.cwd().chmod(0o555)
    for _ in range(2):
        assert begin(folder) == []
        assert room_tip(folder).file.resolve() == SHIPPED_TIP.resolve()
        assert room_timing(folder).file.resolve() == SHIPPED_TIMING.resolve()
        assert not room_registration(folder).file.exists()
    assert list(Path.cwd().iterdir()) == []


def test_it_goes_by_what_acquire_measured_and_never_writes_to_it(folder: Path) -> None:
    """A tip or registration made from the display takes the place of the link, not of the file behind it."""
    write_tip(MEASURED, ELSEWHERE)
    register(REGISTERED, by=ELSEWHERE)
    before = MEASURED.read_bytes(), REGISTERED.read_bytes()
    assert tip_in_use() == simulated_tip()
    assert begin(folder) == [
        "SIMULATED calibration: var/simulated-tip.json, written by acquire",
        "SIMULATED calibration: var/simulated-registration.json, written by acquire",
    ]
    assert room_tip(folder).file.read_bytes() == before[0]
    write_tip(room_tip(folder).file, tip_calibration(NOW))
    register(room_registration(folder).file, by=tip_calibration(NOW))
    assert (MEASURED.read_bytes(), REGISTERED.read_bytes()) == before


def test_what_was_made_from_the_display_of_a_kept_room_is_gone_by_at_its_next_start(folder: Path) -> None:
    """Before what acquire measured; what speaks against it by then is said."""
    write_tip(MEASURED, ELSEWHERE)
    tip, registered = room_tip(folder).file, room_registration(folder).file
    begin(folder)
    write_tip(tip, tip_calibration(NOW))
    register(registered, by=tip_calibration(NOW), frame_of_reference_uid="1.2")
    assert begin(folder) == [
        f"SIMULATED calibration: {tip}, made from the display",
        f"SIMULATED calibration: {registered}, made from the display",
    ]
    assert not tip.is_symlink()
    assert begin(folder, now=NOW + timedelta(hours=13))[1] == (
        f"SIMULATED calibration in doubt: {registered}, made from the display: the registration is 13 h old: "
        "register again"
    )


@pytest.mark.parametrize(
    ("changes", "hours", "why"),
    [
        ({}, 13, "the registration is 13 h old"),
        ({"frame_of_reference_uid": "1.3"}, 0, "in another scan than the one that is sent, as of another --seed"),
        ({"tip_calibrated_at": None}, 0, "another calibration of the tip"),
        ({"patient_id": "A-1"}, 0, "of another patient"),
        ({"results": []}, 0, "did not pass"),
    ],
)
def test_a_registration_that_it_cannot_go_by_is_left_out_and_said(
    folder: Path, changes: dict[str, object], hours: int, why: str
) -> None:
    """The room begins as it would without: by the registration that is typed in."""
    assert tip_in_use().file == SHIPPED_TIP
    register(REGISTERED, by=shipped(), **changes)
    (said,) = begin(folder, now=NOW + timedelta(hours=hours))
    assert said.startswith("SIMULATED calibration left out: var/simulated-registration.json, written by acquire: ")
    assert why in said
    assert said.count("var/") == 1
    assert not room_registration(folder).file.exists()


def test_a_tip_that_has_expired_is_left_out_and_one_that_is_none_refused(folder: Path) -> None:
    """The shipped one takes its place; a file that is no tip's calibration is named as it lies in var/."""
    write_tip(MEASURED, ELSEWHERE)
    (said,) = begin(folder, now=NOW + timedelta(days=40))
    assert "left out: var/simulated-tip.json, written by acquire: the tip's calibration expired" in said
    assert room_tip(folder).file.resolve() == SHIPPED_TIP.resolve()
    MEASURED.write_text("{}")
    with pytest.raises(ServiceError, match=r"^var/simulated-tip\.json: no whole tip's calibration"):
        begin(folder)
