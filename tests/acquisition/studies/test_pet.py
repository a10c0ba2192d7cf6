"""PET series into activity concentration, and what is refused."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from acquisition.studies import read_study
from tests.acquisition.studies.written import Edit, put, refused, write_pet


def test_pet_slopes_differ_from_slice_to_slice(tmp_path: Path) -> None:
    """Each slice is scaled by its own slope before stacking; BQML with its corrections is Bq/mL."""
    study = read_study(write_pet(tmp_path))
    volume = study.activity
    assert volume is not None
    assert (volume.quantity, volume.unit) == ("activity concentration", "Bq/mL")
    assert volume.values[:, 0, 0].tolist() == [200, 300, 400, 500, 600]
    assert study.taken_at == datetime(2026, 11, 22, 8, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("edit", "unit"),
    [
        (put("Units", "CNTS"), "CNTS"),
        (put("Units", "GML"), "GML"),
        (put("CorrectedImage", ["DECY"]), "BQML"),
        (put("CorrectedImage", None), "BQML"),
    ],
)
def test_pet_units_are_never_relabelled(tmp_path: Path, edit: Edit, unit: str) -> None:
    """Other units, and BQML that is not corrected for attenuation, keep their name and give no activity."""
    study = read_study(write_pet(tmp_path, edit=edit))
    assert study.activity is not None
    assert study.activity.unit == unit
    assert "relative values" in study.series[0].reason


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (put("NumberOfSlices", 60), "Number of Slices (0054,0081) announces 60 slices and 5 came"),
        (put("Units", None), "Units (0054,1001) is missing"),
        (put("Units", "CNTS", only=2), "Units (0054,1001) differs"),
        (put("Units", "CNTS", only=2), "CNTS in 1.2.826.20.4.2.dcm, BQML in 1.2.826.20.0.0.dcm"),
    ],
)
def test_what_makes_a_pet_series_refused(tmp_path: Path, edit: Edit, words: str) -> None:
    """Missing slices at an end leave no gap and are still noticed; units must be there and agree."""
    assert words in refused(write_pet(tmp_path, edit=edit))


@pytest.mark.parametrize(
    ("decay", "series_time", "moment"),
    [
        ("START", "092000", datetime(2026, 11, 22, 8, 20, tzinfo=UTC)),
        ("START", "120000", datetime(2026, 11, 22, 8, 30, tzinfo=UTC)),
        ("ADMIN", "092000", datetime(2026, 11, 22, 7, 15, tzinfo=UTC)),
    ],
)
def test_pet_decay_reference(tmp_path: Path, decay: str, series_time: str, moment: datetime) -> None:
    """START counts from the series unless its time is later than the acquisition, ADMIN from the injection."""

    def edit(_: int, dataset: Dataset) -> None:
        dataset.DecayCorrection, dataset.SeriesTime = decay, series_time
        drug = Dataset()
        drug.RadiopharmaceuticalStartDateTime = "20261122081500+0100"
        dataset.RadiopharmaceuticalInformationSequence = Items([drug])

    assert read_study(write_pet(tmp_path, edit=edit)).taken_at == moment
