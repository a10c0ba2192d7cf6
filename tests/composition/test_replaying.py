"""The room that a recording is played into."""

from pathlib import Path

from composition.replaying import _as_recorded
from composition.simulated import simulated_site


def test_a_recording_writes_no_file_but_those_of_the_room(tmp_path: Path) -> None:
    """Whatever files it says that the room worked by, in the replay's folder stand those that a room has."""
    folder = tmp_path / "replay"
    folder.mkdir()
    texts = {"response": "{}", "../outside": "{}", str(tmp_path / "elsewhere"): "{}", "procedures": "{}"}
    site = _as_recorded(simulated_site(), texts, folder, is_simulated=True)
    assert [path.relative_to(tmp_path) for path in tmp_path.rglob("*.json")] == [Path("replay/response.json")]
    assert next(iter(site.probes.values())).response == folder / "response.json"
