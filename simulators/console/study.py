"""A study of a scene as a SPECT/CT console writes it: a CT series and one reconstructed NM object.

Attributes are those of the CT and NM IODs (PS3.3 A.3, A.5) that their modules call type 1 and 2, so that what
reads it meets what real consoles send: in NM the geometry stands in the Detector Information Sequence only.
"""

import copy
import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRLittleEndian

from simulators.console.images import (
    COUNTS_PER_BQ_PER_ML,
    CT_GRID,
    SPECT_GRID,
    Grid,
    ct_hounsfield,
    spect_counts,
)
from simulators.scene import Scene

CT_IMAGE_STORAGE = UID("1.2.840.10008.5.1.4.1.1.2")
NM_IMAGE_STORAGE = UID("1.2.840.10008.5.1.4.1.1.20")
SLICE_VECTOR = 0x00540080
GREATEST_PIXEL = 60000

AXIAL = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]
"""Rows run to the patient's left, columns to the back, so that the slice normal points to the head."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Uids:
    """UIDs derived from one root, so that the same seed gives the same study."""

    root: str

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Self:
        """Draw the root."""
        return cls(root=rng.bytes(16).hex())

    @property
    def frame_of_reference(self) -> UID:
        """Of CT and SPECT alike."""
        return self("frame of reference")

    def __call__(self, name: str) -> UID:
        # 2.25 and a 128-bit number (PS3.5 B.2)
        return UID(f"2.25.{int.from_bytes(hashlib.sha256(f'{self.root}/{name}'.encode()).digest()[:16])}")


def foretell_frame_of_reference_uid(rng: np.random.Generator) -> str:
    """Give the Frame of Reference UID that ``make_study`` will draw from ``rng``, whose state stays as it is."""
    return str(_Uids.drawn(copy.deepcopy(rng)).frame_of_reference)


def make_study(scene: Scene, folder: Path, *, rng: np.random.Generator, taken_at: datetime) -> list[Path]:
    """Write a scan of the scene as DICOM files.

    Parameters
    ----------
    scene
        What was scanned; its sources as they were at the scan.
    folder
        Where the files go; made if need be.
    rng
        Noise and UIDs are drawn from it: the same state gives the same files.
    taken_at
        When the scan began.

    Returns
    -------
    The files: CT slices from feet to head, then the NM object.

    """
    folder.mkdir(parents=True, exist_ok=True)
    uids = _Uids.drawn(rng)
    hounsfield = ct_hounsfield(scene, CT_GRID, rng)
    counts = spect_counts(scene, SPECT_GRID, rng)
    paths = []
    for k, pixels in enumerate(hounsfield):
        paths.append(folder / f"ct{k:04d}.dcm")
        _save(_ct_slice(pixels, k, uids=uids, taken_at=taken_at), paths[-1])
    paths.append(folder / "nm.dcm")
    _save(_nm_recon(counts, uids=uids, taken_at=taken_at + timedelta(minutes=5)), paths[-1])
    return paths


def _save(dataset: Dataset, path: Path) -> None:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID("2.25.8495145222267637900756451969585494369")
    dataset.file_meta = meta
    dataset.save_as(path, enforce_file_format=True)


def _image(sop_class: UID, name: str, series: str, *, uids: _Uids, taken_at: datetime) -> Dataset:
    # Patient, General Study, General Series, Frame of Reference, General Equipment, SOP Common
    image = Dataset()
    image.SpecificCharacterSet = "ISO_IR 100"
    image.SOPClassUID = sop_class
    image.SOPInstanceUID = uids(name)
    image.StudyDate = image.SeriesDate = image.AcquisitionDate = image.ContentDate = f"{taken_at:%Y%m%d}"
    image.StudyTime = image.SeriesTime = image.AcquisitionTime = image.ContentTime = f"{taken_at:%H%M%S}"
    image.AccessionNumber = ""
    image.Manufacturer = "radionav"
    image.ManufacturerModelName = "simulated console"
    image.ReferringPhysicianName = ""
    image.StudyDescription = "Sentinel node SPECT/CT (simulated)"
    image.PatientName = "SIMULATED^PATIENT"
    image.PatientID = "SIM-0001"
    image.PatientBirthDate = ""
    image.PatientSex = ""
    image.StudyInstanceUID = uids("study")
    image.SeriesInstanceUID = uids(series)
    image.StudyID = "1"
    image.FrameOfReferenceUID = uids.frame_of_reference
    image.PositionReferenceIndicator = ""
    image.Laterality = None
    return image


def _put_pixels(image: Dataset, pixels: NDArray[np.generic]) -> None:
    image.SamplesPerPixel = 1
    image.PhotometricInterpretation = "MONOCHROME2"
    image.Rows, image.Columns = pixels.shape[-2:]
    image.BitsAllocated = image.BitsStored = 16
    image.HighBit = 15
    image.PixelRepresentation = int(pixels.dtype.kind == "i")
    image.add_new(0x7FE00010, "OW", pixels.astype(pixels.dtype.newbyteorder("<")).tobytes())


def _position_mm(grid: Grid, k: int) -> list[float]:
    x_mm, y_mm, z_mm = grid.origin_mm
    return [round(float(mm), 6) for mm in (x_mm, y_mm, z_mm + k * grid.spacing_mm[0])]


def _ct_slice(pixels: NDArray[np.int16], k: int, *, uids: _Uids, taken_at: datetime) -> Dataset:
    image = _image(CT_IMAGE_STORAGE, f"ct {k}", "ct series", uids=uids, taken_at=taken_at)
    image.Modality = "CT"
    image.SeriesDescription = "CT low dose (simulated)"
    image.SeriesNumber = 1
    image.AcquisitionNumber = 1
    image.InstanceNumber = k + 1
    image.PatientPosition = "HFS"
    image.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    image.KVP = 120
    image.SliceThickness = CT_GRID.spacing_mm[0]
    image.PixelSpacing = list(CT_GRID.spacing_mm[1:])
    image.ImageOrientationPatient = AXIAL
    image.ImagePositionPatient = _position_mm(CT_GRID, k)
    image.SliceLocation = image.ImagePositionPatient[2]
    image.RescaleIntercept = 0
    image.RescaleSlope = 1
    image.RescaleType = "HU"
    _put_pixels(image, pixels)
    return image


def _nm_recon(counts: NDArray[np.int64], *, uids: _Uids, taken_at: datetime) -> Dataset:
    # NM Reconstruction module PS3.3 C.8.4.15, NM Multi-frame C.8.4.8, NM Detector C.8.4.11
    image = _image(NM_IMAGE_STORAGE, "nm", "nm series", uids=uids, taken_at=taken_at)
    image.Modality = "NM"
    image.SeriesDescription = "SPECT reconstructed (simulated)"
    image.SeriesNumber = 2
    image.InstanceNumber = 1
    image.ImageType = ["ORIGINAL", "PRIMARY", "RECON TOMO", "EMISSION"]
    slices = len(counts)
    # an injection site has more counts than 16 bits hold: scaled, as consoles do, and said in the mapping
    scale = min(1.0, GREATEST_PIXEL / max(1, int(counts.max())))
    # from head to feet, so that the sign of SpacingBetweenSlices matters: negative is against the normal
    _put_pixels(image, np.rint(counts[::-1] * scale).astype(np.uint16))
    image.NumberOfFrames = image.NumberOfSlices = slices
    image.FrameIncrementPointer = SLICE_VECTOR
    image.SliceVector = list(range(1, slices + 1))
    image.SpacingBetweenSlices = -SPECT_GRID.spacing_mm[0]
    image.SliceThickness = SPECT_GRID.spacing_mm[0]
    image.PixelSpacing = list(SPECT_GRID.spacing_mm[1:])
    image.CountsAccumulated = int(counts.sum())
    # instead of PatientPosition: the two are exclusive in NM (PS3.3 C.7.3.1.1.2)
    image.PatientOrientationCodeSequence = Sequence([_code("102538003", "SCT", "recumbent")])
    image.PatientOrientationCodeSequence[0].PatientOrientationModifierCodeSequence = Sequence(
        [_code("40199007", "SCT", "supine")]
    )
    image.PatientGantryRelationshipCodeSequence = Sequence([_code("102540008", "SCT", "headfirst")])
    _put_acquisition(image, slices)
    _put_activity_mapping(image, bq_per_ml_of_one=1.0 / (COUNTS_PER_BQ_PER_ML * scale))
    return image


def _put_acquisition(image: Dataset, slices: int) -> None:
    image.NumberOfEnergyWindows = image.NumberOfDetectors = image.NumberOfRotations = 1
    limits = Dataset()
    limits.EnergyWindowLowerLimit, limits.EnergyWindowUpperLimit = 126, 154
    window = Dataset()
    window.EnergyWindowName = "Tc-99m"
    window.EnergyWindowRangeSequence = Sequence([limits])
    image.EnergyWindowInformationSequence = Sequence([window])
    agent = Dataset()
    agent.Radiopharmaceutical = "Tc-99m nanocolloid"
    agent.RadionuclideCodeSequence = Sequence([_code("C-163A8", "SRT", "^99m^Technetium")])
    image.RadiopharmaceuticalInformationSequence = Sequence([agent])
    detector = Dataset()
    detector.CollimatorGridName, detector.CollimatorType = "LEHR", "PARA"
    detector.FieldOfViewShape = "RECTANGLE"
    detector.ImageOrientationPatient = AXIAL
    detector.ImagePositionPatient = _position_mm(SPECT_GRID, slices - 1)
    image.DetectorInformationSequence = Sequence([detector])
    rotation = Dataset()
    rotation.StartAngle = 0
    rotation.AngularStep = 3
    rotation.RotationDirection = "CW"
    rotation.ScanArc = 360
    rotation.ActualFrameDuration = 20_000
    rotation.RadialPosition = [250] * 60
    rotation.NumberOfFramesInRotation = 60
    image.RotationInformationSequence = Sequence([rotation])


def _put_activity_mapping(image: Dataset, *, bq_per_ml_of_one: float) -> None:
    # Real World Value Mapping, PS3.3 C.7.6.16.2.11: the only way that NM has to say Bq/ml
    mapping = Dataset()
    mapping.LUTExplanation = "activity concentration"
    mapping.LUTLabel = "BQML"
    mapping.MeasurementUnitsCodeSequence = Sequence([_code("Bq/ml", "UCUM", "Becquerels/milliliter")])
    mapping.RealWorldValueFirstValueMapped, mapping.RealWorldValueLastValueMapped = 0, 65535
    mapping.RealWorldValueIntercept = 0.0
    mapping.RealWorldValueSlope = bq_per_ml_of_one
    image.RealWorldValueMappingSequence = Sequence([mapping])


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code
