"""Received DICOM objects into volumes in the patient's space, or a sentence that says why not."""

from acquisition.studies.calibrations import SpectCalibration
from acquisition.studies.plans import Knowledge
from acquisition.studies.registration import SameFrames
from acquisition.studies.series import SeriesReport
from acquisition.studies.study import Study, read_studies, read_study

__all__ = ["Knowledge", "SameFrames", "SeriesReport", "SpectCalibration", "Study", "read_studies", "read_study"]
