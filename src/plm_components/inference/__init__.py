"""Generation: features once, a cache as long as the request, one step at a time."""

from plm_components.inference.features import FeatureCache, encode_media
from plm_components.inference.generate import generate
from plm_components.inference.reply import Reply
from plm_components.inference.sampling import next_ids
from plm_components.inference.spoken_boxes import SpokenBox, find_boxes
from plm_components.inference.spoken_frames import SpokenFrames, find_frames, with_seconds
from plm_components.inference.text_stream import text_pieces

__all__ = [
    "FeatureCache",
    "Reply",
    "SpokenBox",
    "SpokenFrames",
    "encode_media",
    "find_boxes",
    "find_frames",
    "generate",
    "next_ids",
    "text_pieces",
    "with_seconds",
]
