"""The live image as a display shows it: where its voxels are, what it rests on, and how old that is."""

from dataclasses import dataclass

from acquisition.image.imaging import STALE_AFTER_S, LiveImage
from display.messages.volume import LiveImageState, VolumeState


@dataclass(frozen=True, slots=True, kw_only=True)
class ShelvedImage:
    """An image whose voxels can be fetched; no volume where nothing in it is known."""

    image: LiveImage
    volume: VolumeState | None


def show_live_image(shelved: ShelvedImage | None, *, now_s: float) -> LiveImageState | None:
    """Show an image; None where there is none."""
    if shelved is None:
        return None
    image = shelved.image
    return LiveImageState(
        number=image.number,
        volume=shelved.volume,
        coverage=image.coverage,
        known_ml=image.known_ml,
        readings=image.readings,
        without=image.without,
        age_s=max(0.0, now_s - image.counted_until_s),
        stale_after_s=STALE_AFTER_S,
    )
