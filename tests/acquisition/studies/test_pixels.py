"""Stored values in every way that uncompressed objects hold them."""

from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread, dcmwrite, uid

from acquisition.studies import read_study
from acquisition.studies.errors import SeriesRefused
from acquisition.studies.scaling import rescale
from tests.acquisition.studies.written import write_ct

SYNTAXES = (uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian)


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.name)
@pytest.mark.parametrize("bits", [12, 16])
@pytest.mark.parametrize("sign", ["signed", "unsigned"])
def test_stored_values_in_every_syntax(tmp_path: Path, syntax: uid.UID, bits: int, sign: str) -> None:
    """Twelve of sixteen bits with anything in the rest, signed or not, in either byte order: the same values."""
    rng = np.random.default_rng(5)
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1)) if sign == "signed" else (0, 2**bits)
    values = rng.integers(low, high, (5, 6, 7))
    stored = values & (2**bits - 1)
    if bits < 16:
        stored |= rng.integers(0, 16, values.shape) << 12
    paths = write_ct(tmp_path, pixels=stored.astype(np.uint16).view(np.int16))
    for path in paths:
        dataset = dcmread(path)
        dataset.BitsStored, dataset.HighBit = bits, bits - 1
        dataset.PixelRepresentation = int(sign == "signed")
        if syntax == uid.ExplicitVRBigEndian:
            dataset.PixelData = np.frombuffer(dataset.PixelData, "<u2").astype(">u2").tobytes()
        dataset.file_meta.TransferSyntaxUID = syntax
        dcmwrite(
            path,
            dataset,
            implicit_vr=syntax.is_implicit_VR,
            little_endian=syntax.is_little_endian,
            force_encoding=True,
            overwrite=True,
        )
    volume = read_study(paths).anatomy
    assert volume is not None
    assert np.array_equal(volume.values, (values - 1024).astype(np.float32))


@pytest.mark.parametrize(
    ("slope", "intercept"), [(1.0, -1024.0), (2.0, 3.0), (-1.0, 0.0), (0.1, 0.3), (7.56e-9, 0.0), (300.0, 1.0)]
)
def test_rescaling_rounds_once(slope: float, intercept: float) -> None:
    """Whatever the way, the result is that of double precision rounded to float32."""
    pixels = np.arange(-32768, 32768, dtype=np.int16)
    expected = (pixels.astype(np.float64) * slope + intercept).astype(np.float32)
    assert np.array_equal(rescale(pixels, slope, intercept, where="ct.dcm"), expected)


@pytest.mark.parametrize(("slope", "intercept"), [(np.inf, 0.0), (np.nan, 0.0), (1.0, np.nan), (np.inf, np.nan)])
def test_what_is_no_number_rescales_nothing(slope: float, intercept: float) -> None:
    """Whatever was multiplied into it: a voxel that is no number would spread over all that is filtered."""
    with pytest.raises(SeriesRefused, match="holds values that cannot be"):
        rescale(np.ones(5, np.int16), slope, intercept, where="one.dcm")
