"""A counted track parted into what tracker and probe delivered of it."""

from acquisition.tracking.following import Pose
from devices.readings import CountReading
from navigation.calibration.counted_track import CountedTrack
from navigation.frames import Frame
from navigation.transforms import RigidTransform


def parted(track: CountedTrack) -> tuple[list[Pose], list[CountReading]]:
    """Poses of the tip before the tracker, and counts."""
    poses = [
        Pose(
            at_s=at_s,
            transform=RigidTransform(to=Frame.TRACKER, from_=Frame.TIP, rotation=turn, translation_mm=tip_mm),
        )
        for at_s, turn, tip_mm in zip(track.at_s.tolist(), track.turn, track.tip_mm, strict=True)
    ]
    counts = [
        CountReading(device="gamma", taken_at_s=start_s, real_time_s=0.1, live_time_s=0.1, counts=round(counted))
        for start_s, counted in zip(track.start_s.tolist(), track.counts.tolist(), strict=True)
    ]
    return poses, counts
