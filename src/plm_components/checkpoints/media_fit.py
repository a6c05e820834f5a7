"""Published media settings, cut to what the model has positions for.

Other programs let a request grow past a model's positions; here a spec must fit, so a checkpoint
whose largest image would not fit gets fewer tiles, and says so.
"""

from __future__ import annotations

from typing import Any

# the template, a question and the beginning of an answer
_WORDS = 256


def fit_media(spec: dict[str, Any]) -> tuple[str, ...]:
    """Cuts ``max_tiles`` and ``max_frames`` of a spec where they do not fit.

    Args:
        spec: With every slot filled; changed in place.

    Returns:
        What was cut, in words.
    """
    encoder, pool = spec["vision_encoder"], spec["projector"]["pool"]
    side = encoder["image_size"] // encoder["patch_size"] // pool
    allowed = (spec["decoder"]["max_positions"] - _WORDS) // max(1, side * side)
    if allowed < 2:
        return ()  # not even a thumbnail and a tile: check says what does not fit
    notes = []
    # the thumbnail comes on top of max_tiles
    for slot, option, most in (
        ("image_tiler", "max_tiles", allowed - 1),
        ("video_sampler", "max_frames", allowed),
    ):
        wanted = spec[slot].get(option, 0)
        if wanted > most:
            spec[slot][option] = most
            notes.append(
                f"{slot}.{option} is {most}, not {wanted}: more would not fit the decoder's "
                f"{spec['decoder']['max_positions']:,} positions"
            )
    return tuple(notes)
