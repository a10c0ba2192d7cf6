"""What is read of a file for the index, held against pydicom."""

import os
import struct
import zlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence

from devices.dicom.index.attributes import Entry, read_entry
from devices.dicom.storage.elements import UnreadableObject, walk
from devices.dicom.storage.part10 import EMPTY, FileMeta

IMPLICIT, EXPLICIT, BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
NM = "1.2.840.10008.5.1.4.1.1.20"


def spect() -> Dataset:
    """A SPECT volume's attributes, in front of more pixels than are read."""
    made = Dataset()
    made.SpecificCharacterSet = "ISO_IR 192"
    made.SOPClassUID, made.SOPInstanceUID = NM, "1.2.3.4.5"
    made.StudyDate, made.StudyTime, made.AccessionNumber = "20261128", "101500.25", "A-77"
    made.Modality, made.StudyDescription, made.SeriesDescription = "NM", "Schildwächter", "RECON TOMO"
    made.PatientName, made.PatientID = "Müller^Jörg=山田^太郎", "SIM-0001"
    made.PatientBirthDate, made.PatientSex = "19610204", "M"
    made.StudyInstanceUID, made.SeriesInstanceUID = "1.2.3", "1.2.3.1"
    made.StudyID, made.SeriesNumber, made.InstanceNumber = "7", "3", "-1"
    made.NumberOfFrames, made.Rows, made.Columns, made.BitsAllocated = "128", 64, 96, 16
    detector = Dataset()
    detector.ImagePositionPatient, detector.Rows = [-280, -280, 0], 1
    made.DetectorInformationSequence = Sequence([detector])
    made.PixelData = bytes(200_000)
    made["PixelData"].VR = "OW"
    return made


def write(folder: Path, made: Dataset, syntax: str) -> Path:
    """Write it as the node would have kept it."""
    buffer = DicomBytesIO()
    buffer.is_implicit_VR, buffer.is_little_endian = syntax == IMPLICIT, syntax != BIG
    write_dataset(buffer, made)
    content = buffer.getvalue()
    if syntax == DEFLATED:
        packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
        content = packer.compress(content) + packer.flush()
    path = folder / str(made.StudyInstanceUID) / f"{made.SOPInstanceUID}.dcm"
    path.parent.mkdir(exist_ok=True)
    meta = FileMeta(
        sop_class_uid=made.SOPClassUID,
        object_uid=made.SOPInstanceUID,
        transfer_syntax=syntax,
        calling_ae="SPECTCT",
        seal=EMPTY.over(content),
    )
    path.write_bytes(meta.to_bytes() + content)
    return path


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT, BIG, DEFLATED])
def test_attributes_are_read_in_every_encoding(tmp_path: Path, syntax: str) -> None:
    """Text in its character set, numbers as numbers, nothing of a sequence, whatever the transfer syntax."""
    path = write(tmp_path, spect(), syntax)
    os.utime(path, ns=(0, 1_795_860_000_123_456_789))
    entry = read_entry(tmp_path, path)
    assert entry.study == {
        "study_uid": "1.2.3",
        "patient_id": "SIM-0001",
        "patient_name": "Müller^Jörg=山田^太郎",
        "patient_birth_date": "19610204",
        "patient_sex": "M",
        "study_id": "7",
        "study_date": "20261128",
        "study_time": "101500.25",
        "study_description": "Schildwächter",
        "accession_number": "A-77",
        "referring_physician": None,
    }
    assert entry.series["modality"] == "NM"
    assert (entry.series["series_uid"], entry.series["series_number"]) == ("1.2.3.1", 3)
    numbers = ("instance_number", "number_of_frames", "rows", "columns", "bits_allocated")
    assert [entry.object[name] for name in numbers] == [-1, 128, 64, 96, 16]
    assert entry.path == "1.2.3/1.2.3.4.5.dcm"
    assert (entry.object["transfer_syntax"], entry.object["calling_ae"]) == (syntax, "SPECTCT")
    assert entry.object["received_at"] == datetime(2026, 11, 28, 10, 0, 0, 123456, tzinfo=UTC)
    assert entry.object["size_bytes"] == path.stat().st_size


def test_the_checksum_is_that_of_what_was_received(tmp_path: Path) -> None:
    """CRC-64/XZ of the data set, in hexadecimal digits: the check value of the standard's nine digits."""
    meta = FileMeta(
        sop_class_uid=NM,
        object_uid="1.2",
        transfer_syntax=EXPLICIT,
        calling_ae="A",
        seal=EMPTY.over(b"123456789"),
    )
    made = spect()
    path = write(tmp_path, made, EXPLICIT)
    path.write_bytes(meta.to_bytes() + path.read_bytes()[FileMeta.read(path)[1] :])
    # the check value of CRC-64/XZ in the catalogue of parametrised CRC algorithms
    assert read_entry(tmp_path, path).object["checksum"] == "995dc9bbdf1939fa"


def test_numbers_that_are_none_are_unknown(tmp_path: Path) -> None:
    """An integer string that is no number, or none that a column holds, and rows of a wrong length, are NULL."""
    made = spect()
    made.Rows = None
    path = write(tmp_path, made, EXPLICIT)
    content = path.read_bytes().replace(b"\x20\x00\x13\x00IS\x02\x00-1", b"\x20\x00\x13\x00IS\x02\x00ab")
    path.write_bytes(content.replace(b"IS\x04\x00128 ", b"IS\x04\x00\x00\x00\x00\x00"))
    entry = read_entry(tmp_path, path)
    assert (entry.object["instance_number"], entry.object["rows"], entry.object["number_of_frames"]) == (None,) * 3


def test_a_file_in_a_foreign_folder_is_refused(tmp_path: Path) -> None:
    """An object that lies with another study is no row of that study."""
    path = write(tmp_path, spect(), EXPLICIT)
    path.parent.rename(tmp_path / "1.9")
    with pytest.raises(UnreadableObject, match=r"of study 1\.2\.3"):
        read_entry(tmp_path, tmp_path / "1.9" / path.name)


def test_pixels_are_not_read() -> None:
    """Of an object with many compressed frames after its attributes only the head is read."""
    element = struct.pack("<HH2sH", 0x0028, 0x0010, b"US", 2) + b"\x40\x00"
    frame = struct.pack("<HHL", 0xFFFE, 0xE000, 100_000) + bytes(100_000)
    content = element + struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF) + frame * 20
    places: list[int] = []

    def read(place: int, size: int) -> bytes:
        places.append(place)
        return content[place : place + size]

    rows = frozenset({0x00280010})
    values = walk(read, len(content), transfer_syntax=EXPLICIT, wanted=rows, until=0x00280011)
    assert (values, set(places)) == ({0x00280010: b"\x40\x00"}, {0})
    with pytest.raises(UnreadableObject):  # as a whole it has no end
        walk(read, len(content), transfer_syntax=EXPLICIT, wanted=rows)


def test_real_objects_are_read_as_pydicom_reads_them(samples: Path, tmp_path: Path) -> None:
    """PET slices of real scanners, a compressed NM image and a parametric map."""
    for sample in sorted((samples / "dicom").glob("*.dcm")):
        read = dcmread(sample)
        path = tmp_path / read.StudyInstanceUID / sample.name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(sample.read_bytes())
        entry = read_entry(tmp_path, path)
        assert entry == Entry(
            study=entry.study
            | {
                "study_uid": read.StudyInstanceUID,
                "patient_id": read.get("PatientID") or None,
                "patient_name": str(read.get("PatientName", "")) or None,
                "study_date": read.get("StudyDate") or None,
                "study_description": read.get("StudyDescription") or None,
            },
            series=entry.series
            | {
                "series_uid": read.SeriesInstanceUID,
                "modality": read.Modality,
                "series_description": read.get("SeriesDescription") or None,
                "series_number": read.get("SeriesNumber"),
            },
            object=entry.object
            | {
                "object_uid": read.SOPInstanceUID,
                "rows": read.get("Rows"),
                "columns": read.get("Columns"),
                "number_of_frames": read.get("NumberOfFrames"),
                "instance_number": read.get("InstanceNumber"),
                "bits_allocated": read.get("BitsAllocated"),
            },
        )
