"""``radionav reindex`` and ``radionav retention`` as they are installed."""

from pathlib import Path

import pytest

import config
from tests.acquisition.test_upkeep import keep
from tests.system.running import finish

pytestmark = pytest.mark.timeout(180)

RULE = """
[[dicom.retention]]
older_than_days = 30
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Give the shipped site file with a rule, and a study of last year in its folder."""
    written = (Path(config.__file__).parent / "site.toml").read_text(encoding="utf-8")
    assert 'folder = "studies"' in written
    path = tmp_path / "site.toml"
    path.write_text(written + RULE, encoding="utf-8")
    keep(tmp_path / "studies", "1.2.1", days_ago=400)
    return path


def test_the_index_is_made_and_a_study_deleted_by_command(site: Path, tmp_path: Path) -> None:
    """Made anew, listed and left, then deleted on demand: each says what it did and ends with success."""
    code, output, complaints = finish("reindex", "--config", site, folder=tmp_path)
    assert (code, complaints) == (0, "")
    assert output.startswith("indexed 1 objects of 1 studies")
    code, output, _ = finish("retention", "--config", site, folder=tmp_path)
    assert code == 0
    assert "[older than 30 days]  would go" in output
    assert (tmp_path / "studies" / "1.2.1").exists()
    code, output, _ = finish("retention", "--config", site, "--delete", folder=tmp_path)
    assert code == 0
    assert "1 studies, 0.0 MB deleted" in output
    assert not (tmp_path / "studies" / "1.2.1").exists()


def test_what_cannot_be_done_is_one_sentence(site: Path, tmp_path: Path) -> None:
    """Without an index, without a site file, and with a rule that says nothing: exit status 2 and what to do."""
    code, _, complaints = finish("retention", "--config", site, folder=tmp_path)
    assert (code, complaints.count("\n")) == (2, 1)
    assert "there is no index yet" in complaints
    code, _, complaints = finish("reindex", folder=tmp_path)
    assert (code, complaints) == (2, "reindex needs --config SITE.toml\n")
    site.write_text(site.read_text().replace("older_than_days = 30", ""))
    code, _, complaints = finish("retention", "--config", site, folder=tmp_path)
    assert code == 2
    assert "an empty rule names every study" in complaints
