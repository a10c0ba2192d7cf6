"""A synchroniser's chain follows the files of acquire, also while they change."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from acquisition.session.journal import open_journal
from acquisition.synchronise import Synchroniser, TipChain
from acquisition.tracking.joining import Joining
from acquisition.tracking.registration_file import (
    Registration,
    TouchedLandmark,
    Verification,
    add_registration,
    add_verification,
)
from acquisition.tracking.suspicion import Suspicion, last_suspicion
from acquisition.tracking.tip_file import TipCalibration
from navigation.estimation.slip import Slip
from navigation.estimation.turn import Turn
from navigation.frames import Frame
from navigation.registration_error import RegistrationError
from navigation.tissue import HalfSpace
from navigation.transforms import RigidTransform
from tests.acquisition.tracking.registering import SETTINGS

NOW = datetime(2026, 11, 28, 7, tzinfo=UTC)
CORNERS_MM = np.array([(100.0, -100, 0), (-50, -100, 90), (-50, -90, -80), (0, -110, 20)])


def registration(*, at: datetime = NOW, x_mm: float = 5.0, patient_id: str = "A-1") -> Registration:
    there = RigidTransform(
        to=Frame.PATIENT, from_=Frame.REFERENCE, rotation=np.eye(3), translation_mm=np.array((x_mm, 0.0, 0.0))
    )
    error = RegistrationError.of_landmarks(CORNERS_MM, fle_mm=2.0)
    return Registration(
        patient_id=patient_id,
        reference="Patient",
        tool="Probe",
        serial="",
        is_simulated=False,
        registered_at=at,
        patient_from_reference=there.matrix.tolist(),
        centre_mm=error.centre_mm.tolist(),
        covariance=error.covariance.tolist(),
        landmarks=[
            TouchedLandmark(name="xiphoid", patient_mm=(0.0, -100.0, 20.0), reference_mm=(-5.0, -100.0, 20.0))
        ],
        fle_mm=2.0,
        fre_mm=1.0,
        results=[{"name": "registration", "passed": True}],
    )


def tip(*, calibrated_at: datetime) -> TipCalibration:
    return TipCalibration(
        tool="Probe",
        serial="",
        tracker="camera",
        tracker_identity="",
        is_simulated=False,
        calibrated_at=calibrated_at,
        expires_at=calibrated_at + timedelta(days=30),
        tool_from_tip=np.eye(4).tolist(),
        tip_covariance_mm2=(0.01 * np.eye(3)).tolist(),
        results=[{"name": "pivot", "passed": True}],
    )


class Room:
    """A room whose files change."""

    def __init__(
        self, folder: Path, *, tip: TipCalibration | None = None, suspected: Suspicion | None = None
    ) -> None:
        self.path = folder / "registration.json"
        self.now, self.superseded = NOW, ""
        self.patient_id = ""
        self.space_uid = ""
        self.skin: HalfSpace | None = None
        self.noted = list[tuple[str, Mapping[str, Any]]]()
        self.begun_anew = 0
        chain = TipChain(
            tool="Probe",
            reference="Patient",
            tool_from_tip=RigidTransform.identity(Frame.TOOL, Frame.TIP),
            patient_from_reference=None,
        )
        self.synchroniser = Synchroniser(chain, emit=lambda _: None)
        self.joining = Joining(
            self.synchroniser,
            tip=tip,
            superseded=lambda: self.superseded,
            settings=SETTINGS.model_copy(update={"file": self.path, "verify_within_min": 30.0}),
            error=None,
            is_simulated=False,
            patient_id=lambda: self.patient_id,
            space_uid=lambda: self.space_uid,
            skin=lambda: self.skin,
            note=lambda kind, told: self.noted.append((kind, told)),
            on_registered=self._begin_anew,
            now=lambda: self.now,
            suspected=suspected,
        )

    async def _begin_anew(self) -> None:
        self.begun_anew += 1

    @property
    def doubt(self) -> str:
        """What speaks against the registration now."""
        return self.synchroniser.chain.registration_doubt


async def test_a_registration_in_place_of_a_matrix_that_was_typed_in_lets_the_estimate_begin_anew(
    tmp_path: Path,
) -> None:
    """What was counted until then was counted in the typed matrix's places."""
    room = Room(tmp_path)
    typed = RigidTransform.identity(Frame.PATIENT, Frame.REFERENCE)
    room.synchroniser.chain = replace(room.synchroniser.chain, patient_from_reference=typed)
    await room.joining.look()
    assert room.begun_anew == 0
    add_registration(room.path, registration())
    await room.joining.look()
    await room.joining.look()
    assert room.begun_anew == 1


async def test_a_registration_made_while_it_runs_is_taken_and_the_former_recorded(tmp_path: Path) -> None:
    """Unregistered first, then registered, then again: the estimate begins anew only when one is replaced."""
    room = Room(tmp_path)
    await room.joining.look()
    assert room.synchroniser.chain.patient_from_reference is None
    add_registration(room.path, registration())
    await room.joining.look()
    await room.joining.look()
    assert room.joining.error is not None
    assert (room.begun_anew, len(room.noted)) == (0, 1)
    add_registration(room.path, registration(at=NOW + timedelta(minutes=5), x_mm=9.0))
    await room.joining.look()
    there = room.synchroniser.chain.patient_from_reference
    assert there is not None
    assert there.translation_mm[0] == 9.0
    assert room.begun_anew == 1
    kind, told = room.noted[-1]
    assert kind == "registered"
    assert told["in place of"]["patient_from_reference"][0][3] == 5.0


async def test_a_tip_that_waits_for_a_restart_is_a_doubt(tmp_path: Path) -> None:
    """No position is trusted by the former tip from the next look on, and the record says since when."""
    room = Room(tmp_path)
    await room.joining.look()
    assert room.synchroniser.chain.tip_doubt == ""
    room.superseded = "a new calibration of the tip waits: restart radionav"
    await room.joining.look()
    assert room.synchroniser.chain.tip_doubt == room.superseded
    assert room.noted[-1] == ("trust", {"tip": room.superseded, "registration": ""})


async def test_what_speaks_against_it_is_doubted_until_it_is_mended(tmp_path: Path) -> None:
    """A check that is due, another patient's study, a slip and a file that cannot be read: each by its name."""
    room = Room(tmp_path)
    add_registration(room.path, registration())
    await room.joining.look()
    assert room.doubt == ""
    room.now = NOW + timedelta(minutes=31)
    await room.joining.look()
    assert "acquire verify" in room.doubt
    assert room.noted[-1][0] == "trust"
    add_verification(room.path, Verification(verified_at=room.now, name="xiphoid", miss_mm=1.0, limit_mm=4.0))
    await room.joining.look()
    assert room.doubt == ""
    assert room.begun_anew == 0
    room.patient_id = "B-2"
    await room.joining.look()
    assert "another patient" in room.doubt
    room.patient_id = "A-1"
    add_verification(room.path, Verification(verified_at=room.now, name="xiphoid", miss_mm=14.0, limit_mm=4.0))
    await room.joining.look()
    assert "xiphoid was missed by 14 mm" in room.doubt
    room.path.write_text("{}")
    await room.joining.look()
    assert "no whole registrations" in room.doubt
    room.path.unlink()
    await room.joining.look()
    assert "is gone" in room.doubt
    assert room.synchroniser.chain.patient_from_reference is not None


async def test_far_from_the_landmarks_a_position_is_not_trusted(tmp_path: Path) -> None:
    """Where more than the site's limit is to be expected, the chain says so for that pose alone."""
    room = Room(tmp_path)
    add_registration(room.path, registration())
    await room.joining.look()
    for away_mm, words in ((0.0, ""), (900.0, "here the registration is good to")):
        tip = RigidTransform(
            to=Frame.PATIENT,
            from_=Frame.TIP,
            rotation=np.eye(3),
            translation_mm=np.array((0.0, away_mm - 100, 0.0)),
        )
        assert room.synchroniser.chain.doubt_at(tip).startswith(words)
        assert bool(room.synchroniser.chain.doubt_at(tip)) == bool(words)


async def test_landmarks_beside_the_skin_of_the_study_are_doubted(tmp_path: Path) -> None:
    """Once the study is in use its skin tells that the landmarks' axes were others than said."""
    room = Room(tmp_path)
    add_registration(room.path, registration())
    room.skin = HalfSpace(point_mm=np.array((0.0, -104.0, 0.0)), normal=np.array((0.0, -1.0, 0.0)))
    await room.joining.look()
    assert room.doubt == ""
    room.skin = HalfSpace(point_mm=np.array((0.0, 103.0, 0.0)), normal=np.array((0.0, 1.0, 0.0)))
    await room.joining.look()
    assert "RAS where LPS was said" in room.doubt


async def test_another_scan_and_another_calibration_of_the_tip_are_doubted(tmp_path: Path) -> None:
    """Landmarks hold in the space that they were marked in, as touched with the tip that is navigated by."""
    room = Room(tmp_path)
    add_registration(room.path, msgspec.structs.replace(registration(), frame_of_reference_uid="1.2.3"))
    await room.joining.look()
    assert room.doubt == ""
    room.space_uid = "1.2.4"
    room.joining.reconsider()
    assert "another scan" in room.doubt
    room.space_uid = "1.2.3"
    room.joining.reconsider()
    assert room.doubt == ""
    add_registration(room.path, msgspec.structs.replace(registration(), tip_calibrated_at=NOW))
    await room.joining.look()
    assert "another calibration of the tip" in room.doubt


SLIP = Slip(mean_mm=np.array((12.0, 0.0, 0.0)), covariance_mm2=np.eye(3), log_evidence=20.0)
TURN = Turn(log_evidence=6.0)


async def test_a_slip_that_the_counts_tell_is_doubted_until_it_is_checked(tmp_path: Path) -> None:
    """Told in words with a remedy and recorded; a landmark that is hit, or a new registration, ends the doubt."""
    room = Room(tmp_path)
    add_registration(room.path, registration())
    await room.joining.look()
    for mended in ("verified", "registered"):
        room.now += timedelta(minutes=5)
        room.joining.suspect(SLIP)
        assert room.doubt.startswith("registration doubtful: by the counts all lies 12 mm elsewhere")
        assert "touch a landmark with acquire verify, register again if it is missed" in room.doubt
        assert room.noted[-1] == ("trust", {"tip": "", "registration": room.doubt})
        room.now += timedelta(minutes=1)
        await room.joining.look()
        room.joining.begin_anew()  # to choose the study again is no check
        assert room.doubt.startswith("registration doubtful")
        if mended == "verified":
            hit = Verification(verified_at=room.now, name="xiphoid", miss_mm=1.0, limit_mm=4.0)
            add_verification(room.path, hit)
        else:
            add_registration(room.path, registration(at=room.now))
        await room.joining.look()
        assert room.doubt == ""
    room.joining.suspect(SLIP)
    missed = Verification(verified_at=room.now + timedelta(minutes=1), name="xiphoid", miss_mm=14.0, limit_mm=4.0)
    add_verification(room.path, missed)
    await room.joining.look()
    assert "xiphoid was missed by 14 mm" in room.doubt


async def test_a_slip_is_doubted_after_a_restart_too(tmp_path: Path) -> None:
    """A service that starts anew has checked nothing: as the record says, until a landmark is hit."""
    room = Room(tmp_path)
    add_registration(room.path, registration())
    await room.joining.look()
    room.now += timedelta(minutes=5)
    with open_journal(tmp_path / "record.sqlite", now=lambda: room.now) as journal:
        assert last_suspicion(journal) is None
        room.joining.suspect(SLIP)
        for kind, told in room.noted:
            journal.add(kind, told)
        again = Room(tmp_path, suspected=last_suspicion(journal))
    again.now = room.now + timedelta(minutes=1)
    await again.joining.look()
    again.joining.begin_anew()
    assert again.doubt == room.doubt != ""
    add_verification(room.path, Verification(verified_at=again.now, name="xiphoid", miss_mm=1.0, limit_mm=4.0))
    await again.joining.look()
    assert again.doubt == ""


async def test_half_a_turn_that_the_counts_tell_is_doubted_until_she_is_registered_again(tmp_path: Path) -> None:
    """Every landmark that was turned with the registration is hit: a check ends nothing, nor does a restart."""
    room = Room(tmp_path)
    add_registration(room.path, registration())
    await room.joining.look()
    room.now += timedelta(minutes=5)
    room.joining.suspect(TURN)
    room.joining.suspect(SLIP)  # told by what the process had counted before it heard of the doubt
    assert room.doubt.startswith("registration doubtful: the counts fit the study turned by half")
    assert "saved as RAS where LPS is said? Save them anew, register again" in room.doubt
    with open_journal(tmp_path / "record.sqlite", now=lambda: room.now) as journal:
        for kind, told in room.noted:
            journal.add(kind, told)
        again = Room(tmp_path, suspected=last_suspicion(journal))
    again.now = room.now + timedelta(minutes=1)
    add_verification(room.path, Verification(verified_at=again.now, name="xiphoid", miss_mm=1.0, limit_mm=4.0))
    for each in (room, again):
        await each.joining.look()
        each.joining.begin_anew()
        assert each.doubt.startswith("registration doubtful: the counts fit the study turned by half")
    add_registration(room.path, registration(at=again.now))
    for each in (room, again):
        await each.joining.look()
        assert each.doubt == ""


async def test_half_a_turn_beside_a_slip_is_what_is_told(tmp_path: Path) -> None:
    """The graver of the two, whichever was told first."""
    room = Room(tmp_path)
    add_registration(room.path, registration())
    await room.joining.look()
    room.now += timedelta(minutes=5)
    room.joining.suspect(SLIP)
    room.joining.suspect(TURN)
    assert "turned by half" in room.doubt


async def test_a_typed_registration_that_is_turned_is_doubted_until_the_study_is_chosen_again(
    tmp_path: Path,
) -> None:
    """There is nothing to register: the matrix is mended, and the room started again."""
    room = Room(tmp_path)
    await room.joining.look()
    room.joining.suspect(TURN)
    assert "is the site file's matrix of RAS? Mend it, restart radionav" in room.doubt
    room.joining.begin_anew()
    assert room.doubt == ""


async def test_a_slip_beside_a_registration_that_was_typed_in_ends_with_the_study(tmp_path: Path) -> None:
    """There is nothing to touch: it is registered again by hand, and the study chosen again."""
    room = Room(tmp_path)
    await room.joining.look()
    room.joining.suspect(SLIP)
    assert "register again, then choose the study again" in room.doubt
    await room.joining.look()
    assert room.doubt.startswith("registration doubtful")
    room.joining.begin_anew()
    assert room.doubt == ""


@pytest.mark.parametrize(
    ("touched_at", "remedy"),
    [
        (NOW - timedelta(days=1), "another calibration of the tip than this room navigates by: register again"),
        (None, "another calibration of the tip than this room navigates by: register again"),
        (NOW + timedelta(days=1), "a newer calibration of the tip than this room navigates by: restart radionav"),
    ],
)
async def test_the_remedy_for_another_tip_is_the_one_that_helps(
    tmp_path: Path, touched_at: datetime | None, remedy: str
) -> None:
    """What was registered with the former tip is registered again; what a newer one touched wants a restart."""
    room = Room(tmp_path, tip=tip(calibrated_at=NOW))
    add_registration(room.path, msgspec.structs.replace(registration(), tip_calibrated_at=touched_at))
    await room.joining.look()
    assert room.doubt == f"registered with {remedy}"
    add_registration(room.path, msgspec.structs.replace(registration(), tip_calibrated_at=NOW))
    await room.joining.look()
    assert room.doubt == ""


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("[0.0,0.0,1.0,0.0]", "[0.0,0.0,1.0]"),
        ("2026-11-28T07:00:00Z", "2026-11-28T07:00:00"),
        ('"patient_mm":[0.0,-100.0,20.0],', ""),
        ('"patient_mm":[0.0,-100.0,20.0]', '"patient_mm":[0.0,-100.0]'),
        ('"name":"xiphoid"', '"name":null'),
    ],
)
async def test_a_file_that_was_edited_is_doubted(tmp_path: Path, was: str, becomes: str) -> None:
    """Rows and landmarks that are none, and a time without its zone: said, while the room goes on."""
    room = Room(tmp_path)
    room.skin = HalfSpace(point_mm=np.array((0.0, -104.0, 0.0)), normal=np.array((0.0, -1.0, 0.0)))
    add_registration(room.path, registration())
    written = room.path.read_text()
    assert was in written.replace(" ", "").replace("\n", "")
    room.path.write_text(written.replace(" ", "").replace("\n", "").replace(was, becomes))
    await room.joining.look()
    assert "no whole registrations" in room.doubt


@pytest.mark.parametrize("change", [{"tool": "Pointer"}, {"reference": "Table"}])
async def test_a_registration_by_other_tools_is_doubted(tmp_path: Path, change: dict[str, str]) -> None:
    """The site file names other tools than those that it was made with."""
    room = Room(tmp_path)
    add_registration(room.path, msgspec.structs.replace(registration(), **change))
    await room.joining.look()
    assert "other tools" in room.doubt
