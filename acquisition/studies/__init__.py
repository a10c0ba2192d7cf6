"""Received DICOM objects into volumes in the patient's space, or a sentence that says why not."""

from acquisition.studies.series import SeriesReport
from acquisition.studies.study import Study, read_studies, read_study

__all__ = ["SeriesReport", "Study", "read_studies", "read_study"]
