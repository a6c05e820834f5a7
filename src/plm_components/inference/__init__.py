"""Generation: features once, a cache as long as the request, one step at a time."""

from plm_components.inference.features import FeatureCache, encode_media
from plm_components.inference.generate import generate
from plm_components.inference.sampling import next_ids
from plm_components.inference.text_stream import text_pieces

__all__ = ["FeatureCache", "encode_media", "generate", "next_ids", "text_pieces"]
