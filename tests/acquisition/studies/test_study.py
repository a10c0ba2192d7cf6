"""Studies of several series, and everything that must not be joined."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import MediaStorageDirectoryStorage

from acquisition.studies import SeriesReport, read_studies, read_study
from acquisition.studies.verdicts import Verdicts
from navigation.hotspots import find_hotspots
from tests.acquisition.studies.written import STUDY, map_to, nm, put, save, write_ct, write_nm, write_pet


def test_ct_and_spect_of_one_frame_are_joined(tmp_path: Path) -> None:
    """CT and SPECT that share a frame of reference become anatomy and activity, and the node is found in it."""
    grid = np.moveaxis(np.indices((40, 48, 56)), 0, -1) * (4.4, 2.0, 1.5)
    node = 3000 * np.exp(-((grid - (88.0, 50.0, 42.0)) ** 2).sum(axis=-1) / (2 * 3.82**2))
    nm_paths = write_nm(tmp_path, pixels=node.astype(np.uint16), edit=map_to("Bq/ml"))
    study = read_study([*nm_paths, *write_ct(tmp_path)])
    assert study.anatomy is not None
    assert study.activity is not None
    assert (study.study_uid, study.patient_id, study.patient_name) == (STUDY, "4711", "Doe^Jane")
    assert study.description == "Sentinel node"
    assert all(report.accepted for report in study.series)
    assert study.resolution is not None
    (spot,) = find_hotspots(study.activity, resolution=study.resolution)
    assert spot.centre_mm == pytest.approx([-30 + 42.0, -20 + 50.0, -3 + 88.0], abs=0.3)


def test_another_frame_of_reference_is_not_fused(tmp_path: Path) -> None:
    """A SPECT in another frame of reference than the CT is not used, in words, and its map is not shown."""
    study = read_study([*write_nm(tmp_path, edit=nm("FrameOfReferenceUID", "1.9")), *write_ct(tmp_path)])
    assert study.anatomy is not None
    assert study.activity is None
    spect, ct = study.series
    assert ct.accepted
    assert not spect.accepted
    assert "Frame of Reference UID (0020,0052) is not that of the anatomy" in spect.reason


def test_the_ct_that_shares_the_frame_is_taken(tmp_path: Path) -> None:
    """Of two CT series the one in the frame of the SPECT is used, though the other has more voxels."""
    larger = np.zeros((9, 6, 7), np.int16)
    other = write_ct(tmp_path, series="1.2.826.11", pixels=larger, edit=put("FrameOfReferenceUID", "1.9"))
    study = read_study([*other, *write_ct(tmp_path), *write_nm(tmp_path)])
    assert study.anatomy is not None
    assert study.anatomy.geometry.shape == (5, 6, 7)
    assert [report.accepted for report in study.series] == [False, True, True]


def test_where_the_preferred_series_fails_the_next_is_taken(tmp_path: Path) -> None:
    """Broken pixels of the best CT are a refusal of that series; the next one is used."""
    larger = np.zeros((9, 6, 7), np.int16)
    broken = write_ct(tmp_path, series="1.2.826.11", pixels=larger, edit=put("PixelData", b"\0\0", only=8))
    study = read_study([*broken, *write_ct(tmp_path)])
    assert study.anatomy is not None
    assert study.anatomy.geometry.shape == (5, 6, 7)
    assert "Pixel Data (7fe0,0010)" in study.series[0].reason


def test_quantitative_pet_is_preferred(tmp_path: Path) -> None:
    """With a PET in Bq/mL and a SPECT in counts the PET is used, and the SPECT's report says so."""
    study = read_study([*write_nm(tmp_path), *write_pet(tmp_path)])
    assert study.activity is not None
    assert study.activity.unit == "Bq/mL"
    assert study.series[0].reason == "not used: another series is preferred as activity"


@pytest.mark.parametrize(
    ("keyword", "value"),
    [("PatientID", "4712"), ("PatientName", "Roe^Richard"), ("StudyInstanceUID", "1.9")],
)
def test_mixed_patients_are_refused(tmp_path: Path, keyword: str, value: str) -> None:
    """Objects of two patients or two studies give no volume and no patient's name."""
    paths = [*write_nm(tmp_path), *write_ct(tmp_path, edit=put(keyword, value))]
    study = read_study(paths)
    assert study.anatomy is None
    assert study.activity is None
    assert study.patient_id == ""
    assert all("differs: objects of several" in report.reason for report in study.series)


def test_one_name_spelt_twice_is_one_patient(tmp_path: Path) -> None:
    """Consoles differ in case and trailing carets; that is no second patient."""
    study = read_study([*write_nm(tmp_path), *write_ct(tmp_path, edit=put("PatientName", "DOE^JANE^^"))])
    assert study.anatomy is not None


def test_files_that_are_no_dicom_objects_are_reported(tmp_path: Path) -> None:
    """Text, an empty file, a cut-off object ... become one report, each by its name, beside the series."""
    text, empty, cut = tmp_path / "notes.txt", tmp_path / "empty", tmp_path / "cut.dcm"
    text.write_text("no images here")
    empty.touch()
    paths = write_ct(tmp_path)
    cut.write_bytes(paths[0].read_bytes()[:300])
    listed = Dataset()
    listed.SOPClassUID, listed.SOPInstanceUID = MediaStorageDirectoryStorage, "1.2.826.70"
    listed.FileSetID, listed.DirectoryRecordSequence = "DISK", []
    disk = save(listed, tmp_path / "DICOMDIR")
    study = read_study([text, *paths, empty, cut, tmp_path / "missing", tmp_path, disk])
    assert study.anatomy is not None
    assert study.series[-1].objects == 6
    assert study.series[-1].reason.split("; ") == [
        "notes.txt is no readable DICOM object: it does not begin as a DICOM file does",
        "empty is no readable DICOM object: it does not begin as a DICOM file does",
        "cut.dcm is no readable DICOM object: SOP Class UID (0008,0016) is missing or empty in cut.dcm",
        "missing is no readable DICOM object: No such file or directory",
        f"{tmp_path.name} is no readable DICOM object: Is a directory",
        "DICOMDIR is a disk's list of its files, and holds no image",
    ]
    assert read_study([]).series == ()


def test_many_files_that_are_no_dicom_objects_are_counted(tmp_path: Path) -> None:
    """Of a thousand as many are named as a person reads, and all are counted."""
    texts = [tmp_path / f"{number}.txt" for number in range(1000)]
    for text in texts:
        text.write_text("no images here")
    (report,) = read_study(texts).series
    assert report.objects == 1000
    assert len(report.reason) < 1100
    told = report.reason.count("is no readable DICOM object")
    assert report.reason.endswith(f"; and {1000 - told} more")


def test_what_nobody_foresaw_costs_its_series_alone() -> None:
    """An exception of any kind becomes the reason of the one series that was being read, and goes no further."""

    def trip() -> None:
        raise ZeroDivisionError("division by zero")

    verdicts = Verdicts(reasons={"1.2.3": "used"})
    assert not verdicts._try("1.2.4", trip)
    assert verdicts.reasons == {"1.2.3": "used", "1.2.4": "not understood: ZeroDivisionError: division by zero"}


@pytest.mark.parametrize("seed", range(40))
def test_flipped_bytes_never_raise(tmp_path: Path, seed: int) -> None:
    """Objects with random bytes changed are read or refused, never an exception."""
    rng = np.random.default_rng(seed)
    paths = [*write_ct(tmp_path), *write_nm(tmp_path)]
    for path in paths:
        content = bytearray(path.read_bytes())
        for place in rng.integers(132, min(len(content), 1500), 3):
            content[place] = rng.integers(256)
        path.write_bytes(content)
    for study in (read_study(paths), *read_studies(paths)):
        for report in study.series:
            assert isinstance(report, SeriesReport)
            assert report.accepted == (report.volume is not None)
            assert report.reason


def test_command_prints_what_it_made(tmp_path: Path) -> None:
    """``python -m acquisition.studies FOLDER --json`` gives each study and series as JSON."""
    write_ct(tmp_path)
    write_nm(tmp_path)
    (tmp_path / "notes.txt").write_text("no images here")
    command = [sys.executable, "-m", "acquisition.studies", str(tmp_path)]
    printed = subprocess.run([*command, "--json"], check=True, capture_output=True, text=True)  # noqa: S603
    study, stray = json.loads(printed.stdout)
    assert study["study_uid"] == STUDY
    assert {one["modality"]: one["volume"]["shape"] for one in study["series"]} == {
        "CT": [5, 6, 7],
        "NM": [128, 16, 24],
    }
    assert not stray["series"][0]["accepted"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603
    assert "used as anatomy: attenuation in HU" in lines
    lost = subprocess.run([*command, "--approach", "up"], check=False, capture_output=True, text=True)  # noqa: S603
    assert lost.returncode == 2
    assert "'up' is no direction" in lost.stderr


def test_command_in_a_folder_of_anything(tmp_path: Path) -> None:
    """Folders in folders are searched, links that turn in a ring are not, and no pipe is waited for."""
    (tmp_path / "one" / "two").mkdir(parents=True)
    write_ct(tmp_path / "one" / "two")
    (tmp_path / "one" / "ring").symlink_to(tmp_path)
    (tmp_path / "itself").symlink_to(tmp_path / "itself")
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe")
    command = [sys.executable, "-m", "acquisition.studies", str(tmp_path), "--json"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)  # noqa: S603
    (study,) = json.loads(printed.stdout)
    assert [(one["modality"], one["objects"]) for one in study["series"]] == [("CT", 5)]


def test_command_refuses_a_pipe(tmp_path: Path) -> None:
    """Named itself, a pipe is not waited for either."""
    os.mkfifo(tmp_path / "pipe")
    command = [sys.executable, "-m", "acquisition.studies", str(tmp_path / "pipe")]
    printed = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)  # noqa: S603
    assert printed.returncode == 2
    assert "is neither a file nor a folder" in " ".join(printed.stderr.replace("│", " ").split())


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is closed to root")
@pytest.mark.parametrize("mode", [0o000, 0o400])
def test_command_names_a_folder_that_is_closed(tmp_path: Path, mode: int) -> None:
    """What may lie in it is not seen, be its names or not: that is said once, and the rest is read."""
    write_ct(tmp_path)
    closed = tmp_path / "closed"
    (closed / "deeper").mkdir(parents=True)
    write_nm(closed)
    (tmp_path / "link").symlink_to(closed / "deeper")
    closed.chmod(mode)
    command = [sys.executable, "-m", "acquisition.studies", str(tmp_path)]
    printed = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603
    closed.chmod(0o700)
    assert printed.returncode == 0, printed.stderr
    assert "used as anatomy" in printed.stdout
    said = [line for line in printed.stderr.splitlines() if "cannot be looked into: Permission denied" in line]
    assert sorted(line.split(" cannot")[0] for line in said) == [str(closed), str(tmp_path / "link")]


def test_real_samples(samples: Path) -> None:
    """Real objects: none forms a volume here, each for its own reason."""
    reasons = {
        report.modality: report.reason
        for study in read_studies(sorted((samples / "dicom").glob("*.dcm")))
        for report in study.series
    }
    assert reasons["NM"] == "not a volume: Secondary Capture Image Storage"
    assert reasons["RWV"] == "real-world value mappings of 191 objects, none of which has come"
    assert "Number of Slices (0054,0081) announces" in reasons["PT"]


def test_real_slices_of_two_patients(samples: Path) -> None:
    """Two real PET slices that came as one study are of two patients and are both refused."""
    study = read_study(sorted((samples / "dicom").glob("PT_*.dcm")))
    assert study.activity is None
    assert [report.accepted for report in study.series] == [False, False]
    assert "objects of several" in study.series[0].reason
