"""Compressed pixels, with the extra `codecs` and without it."""

import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread, uid
from pydicom.encaps import encapsulate, generate_frames

from acquisition.studies import read_study
from tests.acquisition.studies.htj2k import SLICES, STREAMS
from tests.acquisition.studies.written import refused, write_ct, write_nm

PIXELS = np.random.default_rng(3).integers(0, 3000, (5, 48, 64)).astype(np.int16)

LOSSLESS = (
    uid.JPEG2000Lossless,  # pylibjpeg-openjpeg
    uid.JPEGLSLossless,  # python-gdcm
    uid.RLELossless,  # pydicom itself
)


@pytest.mark.parametrize("syntax", LOSSLESS, ids=lambda syntax: syntax.name)
def test_compressed_ct_is_the_same_volume(tmp_path: Path, syntax: uid.UID) -> None:
    """Slices that the console compressed without loss give the very voxels of the plain ones, signed ones too."""
    paths = write_ct(tmp_path, pixels=PIXELS - 500)
    plain = read_study(paths).anatomy
    for path in paths:
        dataset = dcmread(path)
        dataset.compress(syntax, generate_instance_uid=False)
        dataset.save_as(path)
    packed = read_study(paths).anatomy
    assert plain is not None
    assert packed is not None
    assert np.array_equal(packed.values, plain.values)
    assert np.array_equal(packed.geometry.patient_from_voxel, plain.geometry.patient_from_voxel)


@pytest.mark.parametrize(
    "syntax", [uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K], ids=lambda syntax: syntax.name
)
def test_high_throughput_jpeg_2000_is_the_same_volume(tmp_path: Path, syntax: uid.UID) -> None:
    """Code streams of OpenJPH give the voxels that went into them, signed ones too, each slice its own."""
    paths = write_ct(tmp_path, pixels=SLICES)
    plain = read_study(paths).anatomy
    for path in paths:
        dataset = dcmread(path)
        place = int(np.flatnonzero((dataset.pixel_array == SLICES).all(axis=(1, 2)))[0])
        dataset.PixelData = encapsulate([STREAMS[place]])
        dataset["PixelData"].VR = "OB"
        dataset.file_meta.TransferSyntaxUID = syntax
        dataset.save_as(path)
    packed = read_study(paths).anatomy
    assert plain is not None
    assert packed is not None
    assert np.array_equal(packed.values, plain.values)
    assert np.array_equal(packed.geometry.patient_from_voxel, plain.geometry.patient_from_voxel)


CLAIMS = {
    # where a code stream's rows and columns stand behind the marker: ISO 10918-1 B.2.2, 14495-1, 15444-1 A.5.1
    uid.JPEG2000Lossless: (b"\xff\x4f\xff\x51", 4, ">II"),
    uid.JPEGLSLossless: (b"\xff\xf7", 3, ">HH"),
}


@pytest.mark.parametrize("syntax", CLAIMS, ids=lambda syntax: syntax.name)
@pytest.mark.parametrize("claimed", [63, 65500])
def test_a_code_stream_that_says_another_size_reaches_no_decoder(
    tmp_path: Path, syntax: uid.UID, claimed: int
) -> None:
    """Some hundred bytes that claim gigabytes would end the process: it is refused by what both say."""
    paths = write_ct(tmp_path, pixels=PIXELS)
    marker, behind, kind = CLAIMS[syntax]
    for path in paths:
        dataset = dcmread(path)
        dataset.compress(syntax, generate_instance_uid=False)
        (stream,) = generate_frames(dataset.PixelData, number_of_frames=1)
        changed = bytearray(stream)
        struct.pack_into(kind, changed, stream.index(marker) + len(marker) + behind, claimed, claimed)
        dataset.PixelData = encapsulate([bytes(changed)])
        dataset.save_as(path)
    reason = refused(paths)
    assert f"says {claimed} x {claimed}, its attributes 48 x 64" in reason


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (b"\x81\x00" * 20_000, "bytes in RLE for 48 x 64 pixels"),
        (b"\xff\xd8\xff\xda\x00\x02", "says no size"),
        (b"\x00\x00", "says no size"),
    ],
)
def test_frames_that_cannot_be(tmp_path: Path, frame: bytes, words: str) -> None:
    """More bytes than the pixels can need, and a code stream that begins with its scan."""
    paths = write_ct(tmp_path, pixels=PIXELS)
    syntax = uid.RLELossless if "RLE" in words else uid.JPEGLosslessSV1
    for path in paths:
        dataset = dcmread(path)
        dataset.PixelData = encapsulate([frame])
        dataset["PixelData"].VR = "OB"
        dataset.file_meta.TransferSyntaxUID = syntax
        dataset.save_as(path)
    assert words in refused(paths)


@pytest.mark.peer("dcmtk")
@pytest.mark.parametrize("option", ["+e1", "+el"])
def test_jpeg_lossless_from_dcmtk(tmp_path: Path, option: str) -> None:
    """JPEG lossless, which only consoles and DCMTK write here, gives the same voxels frame by frame."""
    (path,) = write_nm(tmp_path, pixels=PIXELS.astype(np.uint16))
    plain = read_study([path]).activity
    packed_path = tmp_path / "packed.dcm"
    subprocess.run(["dcmcjpeg", option, path, packed_path], check=True, capture_output=True)  # noqa: S603, S607
    assert dcmread(packed_path).file_meta.TransferSyntaxUID in {uid.JPEGLossless, uid.JPEGLosslessSV1}
    packed = read_study([packed_path]).activity
    assert plain is not None
    assert packed is not None
    assert np.array_equal(packed.values, plain.values)


WITHOUT_CODECS = """
import sys
for name in ("gdcm", "pylibjpeg", "openjpeg", "jpeg_ls", "PIL"):
    sys.modules[name] = None  # to import it is an ImportError, as where it is not installed
from collections.abc import Callable
from pathlib import Path
from acquisition.studies import read_study
study = read_study([Path(name) for name in sys.argv[1:]])
print(study.anatomy, study.series[0].reason)
"""


@pytest.mark.parametrize("syntax", [uid.JPEG2000Lossless, uid.JPEGLSLossless], ids=lambda syntax: syntax.name)
def test_a_missing_decoder_is_named(tmp_path: Path, syntax: uid.UID) -> None:
    """Where the extra is not installed the series is refused, with the syntax and what to do."""
    paths = write_ct(tmp_path, pixels=PIXELS)
    for path in paths:
        dataset = dcmread(path)
        dataset.compress(syntax, generate_instance_uid=False)
        dataset.save_as(path)
    command = [sys.executable, "-c", WITHOUT_CODECS, *map(str, paths)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603
    assert said.startswith(f"None the pixels are in {syntax.name} ({syntax}) and no decoder for it is installed")
    assert "radionav[codecs]" in said


def test_broken_compressed_pixels_are_refused(tmp_path: Path) -> None:
    """A code stream cut in the middle is a refusal that names the object, never an exception."""
    paths = write_ct(tmp_path, pixels=PIXELS)
    for path in paths:
        dataset = dcmread(path)
        dataset.compress(uid.JPEG2000Lossless, generate_instance_uid=False)
        dataset.PixelData = dataset.PixelData[: len(dataset.PixelData) // 4]
        dataset.save_as(path)
    study = read_study(paths)
    assert study.anatomy is None
    assert "Pixel Data (7fe0,0010)" in study.series[0].reason


def cut_short(written: bytes) -> bytes:
    """End in the midst of a fragment, as a copy that was broken off."""
    return written[:-200]


def without_end(written: bytes) -> bytes:
    """Let a fragment claim to be 2 GB long."""
    first = written.index(b"\xfe\xff\x00\xe0", written.index(b"\xe0\x7f\x10\x00"))
    second = first + 8 + int.from_bytes(written[first + 4 : first + 8], "little")
    return written[: second + 4] + b"\xf0\xff\xff\x7f" + written[second + 8 :]


@pytest.mark.parametrize(
    ("damage", "words"),
    [(cut_short, "is missing or cut short in nm.dcm"), (without_end, "cannot be read: StopIteration")],
)
def test_fragments_that_end_too_soon(tmp_path: Path, damage: Callable[[bytes], bytes], words: str) -> None:
    """Damaged on the way, not absent: the refusal says so, with the attribute."""
    (path,) = write_nm(tmp_path, pixels=PIXELS.astype(np.uint16))
    dataset = dcmread(path)
    dataset.compress(uid.JPEG2000Lossless, generate_instance_uid=False)
    dataset.save_as(path)
    path.write_bytes(damage(path.read_bytes()))
    reason = refused([path])
    assert reason.startswith("Pixel Data (7fe0,0010)")
    assert words in reason
