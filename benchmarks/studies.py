"""What the senders of the benchmarks send: made-up studies, as files."""

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.tag import Tag
from pydicom.uid import (
    UID,
    CTImageStorage,
    EnhancedCTImageStorage,
    ExplicitVRLittleEndian,
    NuclearMedicineImageStorage,
    generate_uid,
)


def _object(sop_class: str, study_uid: str, series_uid: str, modality: str) -> Dataset:
    written = Dataset()
    written.SOPClassUID, written.SOPInstanceUID = UID(sop_class), generate_uid()
    written.StudyInstanceUID, written.SeriesInstanceUID = study_uid, series_uid
    written.FrameOfReferenceUID = generate_uid(entropy_srcs=[study_uid])
    written.PatientName, written.PatientID = "BENCH^INGEST", "BENCH-1"
    written.Modality, written.StudyDate, written.StudyTime = modality, "20260101", "101500"
    written.SamplesPerPixel, written.PhotometricInterpretation = 1, "MONOCHROME2"
    written.BitsAllocated = written.BitsStored = 16
    written.HighBit, written.PixelRepresentation = 15, 0
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = written.SOPClassUID, written.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    written.file_meta = meta
    return written


def write_study(folder: Path, *, slices: int, rng: np.random.Generator) -> None:
    """Write one association's study: so many CT slices and an NM volume."""
    folder.mkdir(parents=True)
    study_uid, ct_uid, nm_uid = generate_uid(), generate_uid(), generate_uid()
    noise = rng.integers(0, 4096, 512 * 512 + slices, dtype="<u2")
    for number in range(slices):
        ct = _object(CTImageStorage, study_uid, ct_uid, "CT")
        ct.InstanceNumber, ct.Rows, ct.Columns = number + 1, 512, 512
        ct.ImagePositionPatient, ct.ImageOrientationPatient = [-250, -250, 1.5 * number], [1, 0, 0, 0, 1, 0]
        ct.PixelSpacing, ct.SliceThickness = [0.9765625, 0.9765625], 1.5
        ct.RescaleIntercept, ct.RescaleSlope = -1024, 1
        ct.PixelData = noise[number : number + 512 * 512].tobytes()
        ct["PixelData"].VR = "OW"
        ct.save_as(folder / f"ct{number:04}.dcm", enforce_file_format=True)
    nm = _object(NuclearMedicineImageStorage, study_uid, nm_uid, "NM")
    nm.ImageType = ["ORIGINAL", "PRIMARY", "RECON TOMO", "EMISSION"]
    nm.NumberOfFrames = nm.Rows = nm.Columns = 128
    nm.PixelSpacing, nm.SliceThickness = [4.4, 4.4], 4.4
    nm.FrameIncrementPointer, nm.SliceVector = Tag(0x00540080), list(range(1, 129))
    nm.SpacingBetweenSlices = 4.4
    detector = Dataset()
    detector.ImagePositionPatient, detector.ImageOrientationPatient = [-280, -280, 0], [1, 0, 0, 0, 1, 0]
    nm.DetectorInformationSequence = Items([detector])
    nm.PixelData = rng.poisson(2.0, (128, 128, 128)).astype("<u2").tobytes()
    nm["PixelData"].VR = "OW"
    nm.save_as(folder / "nm.dcm", enforce_file_format=True)


def write_small(folder: Path, *, objects: int, rng: np.random.Generator) -> None:
    """Write so many small CT slices of one study."""
    folder.mkdir(parents=True)
    study_uid, series_uid = generate_uid(), generate_uid()
    for number in range(objects):
        ct = _object(CTImageStorage, study_uid, series_uid, "CT")
        ct.InstanceNumber, ct.Rows, ct.Columns = number + 1, 32, 32
        ct.PixelData = rng.integers(0, 4096, 32 * 32, dtype="<u2").tobytes()
        ct["PixelData"].VR = "OW"
        ct.save_as(folder / f"ct{number:05}.dcm", enforce_file_format=True)


def write_large(folder: Path, *, size: int) -> None:
    """Write one enhanced object with so many bytes of pixels, all zero: they take no room on the disk."""
    folder.mkdir(parents=True)
    ct = _object(EnhancedCTImageStorage, generate_uid(), generate_uid(), "CT")
    ct.Rows, ct.Columns, ct.NumberOfFrames = 1000, 1000, size // 2_000_000
    path = folder / "large.dcm"
    ct.save_as(path, enforce_file_format=True)
    with path.open("r+b") as file:
        file.seek(0, 2)
        # the header of (7FE0,0010), OW with its 32-bit length (PS3.5 table 7.1-1)
        file.write(b"\xe0\x7f\x10\x00OW\x00\x00" + size.to_bytes(4, "little"))
        file.truncate(file.tell() + size)
