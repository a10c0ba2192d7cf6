"""The commands that say where the tip is, each in a process of its own, and the service that reads their files."""

import http.client
import json
import re
from pathlib import Path
from typing import Any

from acquisition.tracking.registration_file import read_registrations
from tests.system.running import PATIENCE_S, Service, finish, looking, running

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


def ask(service: Service, method: str, path: str, body: object = None) -> tuple[int, str]:
    """Ask the room's calibrations something; status and what it says."""
    connection = http.client.HTTPConnection(service.display, timeout=PATIENCE_S)
    try:
        sent = None if body is None else json.dumps(body)
        connection.request(method, f"/v1/calibrations{path}", sent, {"Origin": f"http://{service.display}"})
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def do(service: Service, step: str, body: object, *, until: str = "") -> dict[str, Any]:
    """Do a calibration as a person before the display does, to its end, or until its words say so: then end it."""
    assert ask(service, "POST", f"/{step}", body) == (204, ""), step
    seq, is_ended = -1, False
    while True:
        standing: dict[str, Any] = json.loads(ask(service, "GET", f"?after={seq}")[1])
        seq = standing["seq"]
        if standing["phase"] == "ended":
            return standing
        said = {"seq": seq, "act": "continue"} if standing["phase"] in {"waiting", "accepting"} else None
        if until and re.search(until, standing["words"]) and not is_ended:
            said, is_ended = {"act": "end"}, True
        assert standing["phase"] != "judging", standing
        if said is not None:
            assert ask(service, "POST", f"/{step}/acts", said) == (204, "")


def test_the_simulated_room_is_calibrated_from_its_display(tmp_path: Path) -> None:
    """Each calibration is asked for over HTTP; a simulated hand does as the display says, before the same wires.

    The patient is registered and checked, and the room goes by that. Of those that only a restart would use, the
    hand pivots, swings and sweeps as far as it is asked to; ended, they leave what was in use. Nothing is written
    to the working directory, from which the next start begins in the same state.
    """
    with running(*SIMULATED, folder=tmp_path) as service, looking(service.display) as display:
        landmarks = Path(service.said(r"SIMULATED landmarks: (\S+),")[1])
        marked = json.loads(landmarks.read_text())
        display.until(lambda state: state.study and state.pose and state.pose.error)
        assert do(service, "register", {"landmarks": marked})["passed"] is True
        assert do(service, "verify", {"landmark": "xiphoid"})["passed"] is True
        (registration,) = read_registrations(landmarks.parent / "calibrations" / "registration.json")
        assert (registration.patient_id, registration.is_simulated) == ("SIM-0001", True)
        assert [check.passed for check in registration.verifications] == [True]
        error_mm = registration.error.at(registration.error.centre_mm)
        display.until(lambda state: state.pose and (state.pose.registration_error_mm or 0) >= error_mm)
        for step, far_enough in (
            ("tool", r"tilted by [12]\d° of 20°"),
            ("axis", r"tilted by \d\d° of .*turned by \d\d°"),
            ("timing", r"moved over [89]\d mm"),
        ):
            ended = do(service, step, {}, until=far_enough)
            assert (ended["passed"], ended["simulated"]) == (False, True)
            assert ended["reason"] == "it was ended before it had come to anything", step
        trusted = display.until(lambda state: state.pose and not state.pose.doubt)
        assert trusted.registered
        service.terminate()
        assert service.ended() == 0
    assert list(tmp_path.iterdir()) == []


def test_without_a_site_or_a_simulation_it_says_what_to_give(tmp_path: Path) -> None:
    """The command alone exits 2 and names the two ways to call it."""
    code, _, complaints = finish("tool", folder=tmp_path, name="acquire")
    assert code == 2
    assert "give either --config SITE.toml for real devices or --simulate" in complaints
