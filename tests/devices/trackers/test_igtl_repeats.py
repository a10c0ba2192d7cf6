"""When the poses of an OpenIGTLink sender are repeats, and what is said of it."""

from structlog.testing import capture_logs

from devices.trackers.igtl_repeats import Repeats

POSE = tuple(float(number) for number in range(1, 13))


def frozen(repeats: Repeats) -> float:
    """Send one pose for 3 s at 100 Hz, each stamped anew; gives when the last one came, s."""
    for step in range(300):
        repeats.begin(1 + step)
        repeats.is_repeat("Probe", POSE, 0.01 * step)
    return 2.99


def test_a_tool_is_frozen_while_its_repeats_come() -> None:
    """Once no more of them come it is lost for another reason, and nobody is told to restart its sender."""
    repeats = Repeats("camera", frozen_after_s=1.0)
    last_s = frozen(repeats)
    assert "its sender has frozen" in repeats.said("Probe", since_s=last_s - 0.25)
    assert repeats.said("Probe", since_s=last_s) == ""


def test_a_tool_that_its_sender_does_not_see_begins_anew() -> None:
    """Hidden honestly it is not frozen; nor is the same pose, stamped later, until it has stayed as long again."""
    repeats = Repeats("camera", frozen_after_s=1.0)
    last_s = frozen(repeats)
    repeats.hide("Probe")
    assert repeats.said("Probe") == ""
    repeats.begin(1000)
    assert not repeats.is_repeat("Probe", POSE, last_s + 0.1)
    repeats.begin(1001)
    assert not repeats.is_repeat("Probe", POSE, last_s + 1.05)
    repeats.begin(1002)
    assert repeats.is_repeat("Probe", POSE, last_s + 1.15)


def test_a_measurement_of_before_it_was_hidden_is_no_news_after() -> None:
    """However long the tool was hidden meanwhile: of the same time, it is the same measurement."""
    repeats = Repeats("camera", frozen_after_s=1.0)
    repeats.begin(7)
    assert not repeats.is_repeat("Probe", POSE, 0.0)
    repeats.hide("Probe")
    repeats.begin(7)
    assert repeats.is_repeat("Probe", POSE, 5.0)


def test_the_same_numbers_without_a_stamp_are_a_repeat_only_once_they_have_stayed() -> None:
    """A stamp of 0 is none, so that two of them say nothing of whether it was measured again."""
    repeats = Repeats("camera", frozen_after_s=1.0)
    repeats.begin(0)
    assert [repeats.is_repeat("Probe", POSE, at_s) for at_s in (0.0, 0.01, 0.99, 1.01)] == [
        False,
        False,
        False,
        True,
    ]


def test_a_stream_that_goes_on_is_frozen_no_more_and_each_time_it_freezes_is_logged_once() -> None:
    """Another pose takes the words away at once; when that one stays too, the log says so again."""
    repeats = Repeats("camera", frozen_after_s=1.0)
    with capture_logs() as logs:
        last_s = frozen(repeats)
        assert repeats.said("Probe")
        repeats.begin(400)
        assert not repeats.is_repeat("Probe", POSE[::-1], last_s + 0.01)
        assert repeats.said("Probe") == ""
        for step in range(200):
            repeats.begin(401 + step)
            repeats.is_repeat("Probe", POSE[::-1], last_s + 0.02 + 0.01 * step)
    assert [line["event"] for line in logs] == ["pose_repeated"] * 2
