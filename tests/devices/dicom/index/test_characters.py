"""Text in every character set that a console may declare."""

from codecs import lookup

import pydicom
import pytest
from pydicom.charset import python_encoding
from pydicom.data import get_charset_files

from devices.dicom.index.characters import CODECS, decode_text

YAMADA = b"\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B"
"""Yamada Tarou's ideographic name (PS3.5 H.3.1)."""


@pytest.mark.parametrize(
    ("value", "character_sets", "text"),
    [
        (b"Yamada^Tarou=" + YAMADA, "\\ISO 2022 IR 87", "Yamada^Tarou=山田^太郎"),
        (b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7", "\\ISO 2022 IR 149", "Hong^Gildong=洪^吉洞"),
        (b"\xd4\xcf\xcf\xc4\xca^\xb3\xdb\xcc", "ISO_IR 13", "ﾔﾏﾏﾄﾊ^ｳﾛﾌ"),
        (b"Buc^J\xe9r\xf4me", "ISO_IR 100", "Buc^Jérôme"),
        (b"Wang^XiaoDong=\xe7\x8e\x8b^\xe5\xb0\x8f\xe6\x9d\xb1", "ISO_IR 192", "Wang^XiaoDong=王^小東"),
        (b"Buc^J\xe9r\xf4me", "", "Buc^Jérôme"),
        (b"Buc^J\xe9r\xf4me", "ISO_IR 999", "Buc^Jérôme"),
    ],
)
def test_a_name_is_read_in_its_character_set(value: bytes, character_sets: str, text: str) -> None:
    """Examples of PS3.5 annexes H to J; without a set, or with an unknown one, as Latin-1."""
    assert decode_text(value, character_sets) == text


@pytest.mark.parametrize(
    "path",
    [path for path in get_charset_files("*.dcm") if "SQEncoding" not in path],  # whose names stand in sequences
    ids=lambda path: path.rsplit("/", 1)[-1],
)
def test_a_patients_name_is_as_pydicom_reads_it(path: str) -> None:
    """Every file that pydicom brings along for character sets gives the same name."""
    read = pydicom.dcmread(path, stop_before_pixels=True)
    name = read.PatientName.original_string
    sets = read.get("SpecificCharacterSet", "")
    named = sets if isinstance(sets, str) else "\\".join(sets)
    assert decode_text(name, named) == str(read.PatientName)


@pytest.mark.parametrize("term", sorted(python_encoding.keys() & CODECS.keys()))
def test_every_set_is_the_one_that_pydicom_takes(term: str) -> None:
    """No defined term means another set than in an independent reader."""
    assert lookup(CODECS[term]).name == lookup(python_encoding[term]).name


def test_what_cannot_be_decoded_is_marked() -> None:
    """A name that is not what its set says is still a text, with U+FFFD in it."""
    assert decode_text(b"Caf\xe9", "ISO_IR 192") == "Caf\ufffd"
    assert "\ufffd" in decode_text(b"\x1b$Bx", "\\ISO 2022 IR 87")
