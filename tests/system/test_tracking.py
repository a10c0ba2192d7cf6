"""The commands that say where the tip is, each in a process of its own, and the service that reads their files."""

import json
from pathlib import Path

from tests.system.running import finish, looking, running

SIMULATED = ("--simulate", "--port", 0, "--dicom-port", 0)


def test_a_simulated_tip_is_used_by_the_next_simulation(tmp_path: Path) -> None:
    """``acquire tool --simulate`` prints one JSON line and writes the tip, which ``radionav --simulate`` reads."""
    code, output, complaints = finish("tool", "--simulate", "--json", folder=tmp_path, name="acquire")
    assert code == 0, complaints
    told = json.loads(output)
    assert (told["passed"], told["simulated"], told["file"]) == (True, True, "var/simulated-tip.json")
    assert [step["name"] for step in told["steps"]] == ["pivot", "spin"]
    with running(*SIMULATED, folder=tmp_path) as service:
        service.said(r"SIMULATED calibration: var/simulated-tip\.json, written by acquire")
        service.terminate()
        assert service.ended() == 0
    (tmp_path / "var" / "simulated-tip.json").write_text("{}")
    code, _, complaints = finish(*SIMULATED, folder=tmp_path)
    assert code == 2
    assert "var/simulated-tip.json: no whole tip's calibration" in complaints


def test_a_simulated_registration_is_used_by_the_next_simulation(tmp_path: Path) -> None:
    """``acquire register --simulate`` registers the simulated patient, and ``radionav --simulate`` reads it."""
    with running("register", "--simulate", "--json", folder=tmp_path, name="acquire") as command:
        assert command.ended(within_s=150.0) == 0, command.complaints
        assert json.loads(command.output)["file"] == "var/simulated-registration.json"
    with running(*SIMULATED, folder=tmp_path) as service, looking(service.display) as display:
        pose = display.until(lambda state: state.pose and state.pose.registration_error_mm).pose
        assert pose is not None
        assert pose.registration_error_mm is not None
        assert 0.5 < pose.registration_error_mm < 5
        budgeted = display.until(lambda state: state.pose and state.pose.error and state.pose.error.within_mm)
        assert budgeted.pose is not None
        assert budgeted.pose.error is not None
        assert budgeted.pose.error.within_mm is not None
        assert budgeted.pose.error.within_mm > 8.0  # the tissue's part alone
        service.terminate()
        assert service.ended() == 0


def test_without_a_site_or_a_simulation_it_says_what_to_give(tmp_path: Path) -> None:
    """The command alone exits 2 and names the two ways to call it."""
    code, _, complaints = finish("tool", folder=tmp_path, name="acquire")
    assert code == 2
    assert "give either --config SITE.toml for real devices or --simulate" in complaints
