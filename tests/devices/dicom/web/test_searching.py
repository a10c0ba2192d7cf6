"""Queries find what they ask for, and are refused where they cannot be answered."""

import struct
from dataclasses import dataclass
from pathlib import Path

import pytest

from devices.dicom.index.attributes import read_entry
from devices.dicom.index.catalogue import Catalogue
from devices.dicom.index.matching import Unanswerable
from devices.dicom.index.queries import Level
from devices.dicom.storage.part10 import FileMeta
from devices.dicom.web.searching import Query, Search

EXPLICIT = "1.2.840.10008.1.2.1"


def _element(tag: int, vr: str, value: str) -> bytes:
    content = value.encode()
    content += (b"\0" if vr == "UI" else b" ") * (len(content) % 2)
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr.encode(), len(content)) + content


@dataclass(frozen=True, kw_only=True)
class _Case:
    study: str
    name: str
    patient_id: str
    date: str
    time: str
    modalities: tuple[str, ...]

    def write(self, folder: Path) -> list[Path]:
        (folder / self.study).mkdir(parents=True)
        paths = []
        for number, modality in enumerate(self.modalities, start=1):
            uid = f"{self.study}.{number}.9"
            content = b"".join(
                (
                    _element(0x00080016, "UI", "1.2.840.10008.5.1.4.1.1.7"),
                    _element(0x00080018, "UI", uid),
                    _element(0x00080020, "DA", self.date),
                    _element(0x00080030, "TM", self.time),
                    _element(0x00080050, "SH", f"A{self.study[-1]}"),
                    _element(0x00080060, "CS", modality),
                    _element(0x00100010, "PN", self.name),
                    _element(0x00100020, "LO", self.patient_id),
                    _element(0x0020000D, "UI", self.study),
                    _element(0x0020000E, "UI", f"{self.study}.{number}"),
                    _element(0x00200013, "IS", str(number)),
                )
            )
            meta = FileMeta(sop_class_uid="1.2", object_uid=uid, transfer_syntax=EXPLICIT, calling_ae="CT")
            path = folder / self.study / f"{uid}.dcm"
            path.write_bytes(meta.to_bytes() + content)
            paths.append(path)
        return paths


CASES = (
    _Case(study="1.1", name="Doe^Jane", patient_id="P_1", date="20260101", time="0930", modalities=("CT", "NM")),
    _Case(study="1.2", name="DOE^JOHN", patient_id="Px1", date="20260215", time="101500.25", modalities=("PT",)),
    _Case(study="1.3", name="Roe^[Ann]*%", patient_id="p_1", date="", time="", modalities=("CT",)),
)


@pytest.fixture
def search(tmp_path: Path, database: str | None) -> Search:
    """Give three studies, indexed."""
    catalogue = Catalogue.to_write(tmp_path, database)
    catalogue.add([read_entry(tmp_path, path) for case in CASES for path in case.write(tmp_path)])
    catalogue.close()
    return Search(tmp_path, database, url_of=lambda *uids: "/".join(uids))


def _found(search: Search, keys: dict[str, str], level: Level = Level.STUDIES) -> set[str]:
    query = Query.read(level, keys.items(), path={})
    tag = {Level.STUDIES: 0x0020000D, Level.SERIES: 0x0020000E, Level.INSTANCES: 0x00080018}[level]
    return {str(one[tag].value) for one in search.answer(query)}


@pytest.mark.parametrize(
    ("keys", "studies"),
    [
        ({}, {"1.1", "1.2", "1.3"}),
        ({"PatientName": ""}, {"1.1", "1.2", "1.3"}),
        ({"PatientName": "*"}, {"1.1", "1.2", "1.3"}),
        ({"PatientName": "doe^jane"}, {"1.1"}),
        ({"PatientName": "doe^*"}, {"1.1", "1.2"}),
        ({"PatientName": "doe^j??n"}, {"1.2"}),
        ({"PatientName": "Doe"}, set()),
        ({"PatientName": "Roe^[Ann]*%"}, {"1.3"}),
        ({"PatientName": "Roe^%"}, set()),
        ({"00100010": "doe^jane"}, {"1.1"}),
        ({"PatientID": "P_1"}, {"1.1"}),
        ({"PatientID": "P?1"}, {"1.1", "1.2"}),
        ({"PatientID": "p_*"}, {"1.3"}),
        ({"PatientID": "[Pp]*"}, set()),
        ({"StudyInstanceUID": "1.1,1.3"}, {"1.1", "1.3"}),
        ({"StudyInstanceUID": "1.1\\1.2"}, {"1.1", "1.2"}),
        ({"StudyDate": "20260101"}, {"1.1"}),
        ({"StudyDate": "20260101-20260214"}, {"1.1"}),
        ({"StudyDate": "20260102-"}, {"1.2"}),
        ({"StudyDate": "-20260215"}, {"1.1", "1.2"}),
        ({"StudyTime": "0930-1015"}, {"1.1", "1.2"}),
        ({"StudyTime": "1000-"}, {"1.2"}),
        ({"AccessionNumber": "A2"}, {"1.2"}),
        ({"ModalitiesInStudy": "CT"}, {"1.1", "1.3"}),
        ({"ModalitiesInStudy": "CT", "PatientName": "d*"}, {"1.1"}),
        ({"PatientName": "d*", "includefield": "all"}, {"1.1", "1.2"}),
    ],
)
def test_a_key_matches_as_the_standard_says(search: Search, keys: dict[str, str], studies: set[str]) -> None:
    """Single values, lists of UIDs, wildcards and ranges match as in PS3.4 C.2.2.2, and nothing else does."""
    assert _found(search, keys) == studies


@pytest.mark.parametrize(
    "keys",
    [
        {"PatientNaem": "x"},
        {"PatientComments": "x"},
        {"Modality": "CT"},
        {"includefield": "NoSuchField"},
        {"StudyDate": "2026"},
        {"StudyDate": "-"},
        {"StudyDate": "20260101' OR 1=1 --"},
        {"StudyInstanceUID": "1.1*"},
        {"StudyInstanceUID": "../1.1"},
        {"PatientID": "x" * 2000},
        {"PatientID": "x\0"},
        {"limit": "-1"},
        {"limit": "ten"},
        {"offset": "1e3"},
    ],
)
def test_what_cannot_be_asked_is_refused(search: Search, keys: dict[str, str]) -> None:
    """A key that is not known, not searched by, or has a wrong value is refused, never left out of account."""
    with pytest.raises(Unanswerable):
        _found(search, keys)


@pytest.mark.parametrize(
    ("name", "again", "values"),
    [
        ("ModalitiesInStudy", "ModalitiesInStudy", ("CT", "NM")),
        ("ModalitiesInStudy", "00080061", ("NM", "")),
        ("PatientID", "00100020", ("P_1", "p_1")),
        ("StudyInstanceUID", "StudyInstanceUID", ("1.1", "1.3")),
        ("limit", "limit", ("1", "2")),
        ("offset", "offset", ("0", "1")),
        ("fuzzymatching", "fuzzymatching", ("true", "false")),
    ],
)
def test_two_values_for_one_key_are_refused(name: str, again: str, values: tuple[str, str]) -> None:
    """By its name, its number, or both: none of the two is passed over. The same value again is none more."""
    with pytest.raises(Unanswerable, match="is asked for twice"):
        Query.read(Level.STUDIES, zip((name, again), values, strict=True), path={})
    Query.read(Level.STUDIES, [(name, values[0])] * 2, path={})


def test_further_fields_may_be_asked_for_one_by_one(search: Search) -> None:
    """``includefield`` alone may stand there again (PS3.18 8.3.4.3)."""
    query = Query.read(
        Level.STUDIES, [("includefield", "PatientID"), ("includefield", "00100010"), ("PatientID", "P_1")], path={}
    )
    assert [str(one.StudyInstanceUID) for one in search.answer(query)] == ["1.1"]


def test_levels_hold_to_their_keys(search: Search) -> None:
    """Series and instances are found by the keys of the levels above, too."""
    assert _found(search, {"Modality": "CT"}, Level.SERIES) == {"1.1.1", "1.3.1"}
    assert _found(search, {"PatientName": "doe*", "Modality": "NM"}, Level.SERIES) == {"1.1.2"}
    assert _found(search, {"SeriesInstanceUID": "1.1.2"}, Level.INSTANCES) == {"1.1.2.9"}
    assert _found(search, {"InstanceNumber": "2"}, Level.INSTANCES) == {"1.1.2.9"}


def test_pages_meet(search: Search) -> None:
    """Limit and offset give every study once, the newest first; offset past the end gives none."""
    pages = [
        search.answer(Query.read(Level.STUDIES, [("limit", "1"), ("offset", str(offset))], path={}))
        for offset in range(4)
    ]
    assert [[str(one.StudyInstanceUID) for one in page] for page in pages] == [["1.2"], ["1.1"], ["1.3"], []]


def test_what_is_left_out_is_said(search: Search) -> None:
    """Where the limit cuts, a warning says how many more there are; where it does not, none does."""
    query = Query.read(Level.STUDIES, [("limit", "2"), ("fuzzymatching", "true")], path={})
    search.answer(query)
    assert [warning.split()[:3] for warning in query.warnings] == [
        ["The", "fuzzymatching", "parameter"],
        ["There", "are", "1"],
    ]
    query = Query.read(Level.STUDIES, [("limit", "3")], path={})
    search.answer(query)
    assert query.warnings == []


def test_a_study_says_what_it_holds(search: Search) -> None:
    """A study's answer has its modalities, its numbers of series and instances, and where it is retrieved."""
    (found,) = search.answer(Query.read(Level.STUDIES, [("PatientID", "P_1")], path={}))
    assert list(found.ModalitiesInStudy) == ["CT", "NM"]
    assert (found.NumberOfStudyRelatedSeries, found.NumberOfStudyRelatedInstances) == (2, 2)
    assert (found.RetrieveURL, found.InstanceAvailability) == ("1.1", "ONLINE")


OF_A_STUDY = {
    *(0x00080020, 0x00080030, 0x00080050, 0x00080056, 0x00080090, 0x00081190),
    *(0x00100010, 0x00100020, 0x00100030, 0x00100040, 0x0020000D, 0x00200010),
}
OF_A_SERIES = OF_A_STUDY | {0x00080060, 0x0008103E, 0x0020000E, 0x00200011, 0x00400244, 0x00400245}
OF_AN_INSTANCE = OF_A_SERIES | {
    *(0x00080016, 0x00080018, 0x00200013),
    *(0x00280008, 0x00280010, 0x00280011, 0x00280100),
}


@pytest.mark.parametrize(
    ("level", "tags", "url"),
    [
        (Level.STUDIES, OF_A_STUDY | {0x00080061, 0x00201206, 0x00201208}, "1.1"),
        (Level.SERIES, OF_A_SERIES | {0x00201209}, "1.1/1.1.2"),
        (Level.INSTANCES, OF_AN_INSTANCE, "1.1/1.1.2/1.1.2.9"),
    ],
)
def test_each_level_gives_what_the_standard_lists(search: Search, level: Level, tags: set[int], url: str) -> None:
    """PS3.18 tables 10.6.3-3 to 10.6.3-5, with the levels above, as no path names them; empty where not known."""
    found = search.answer(Query.read(level, [("StudyInstanceUID", "1.1")], path={}))[-1]
    assert tags <= {int(one.tag) for one in found}
    assert found.RetrieveURL == url
    assert found.get("NumberOfSeriesRelatedInstances", 1) == 1


def test_a_conflict_is_one_instance(search: Search, tmp_path: Path, database: str | None) -> None:
    """Two files under one UID are found once: the one that is retrieved."""
    there = tmp_path / "1.2" / "1.2.1.9.dcm"
    beside = there.with_name("1.2.1.9.0123456789abcdef.dcm")
    beside.write_bytes(there.read_bytes())
    catalogue = Catalogue.to_write(tmp_path, database)
    catalogue.add([read_entry(tmp_path, beside)])
    catalogue.close()
    (found,) = search.answer(Query.read(Level.INSTANCES, [("StudyInstanceUID", "1.2")], path={}))
    assert found.RetrieveURL == "1.2/1.2.1/1.2.1.9"
