"""What each kind of component promises: protocols, masks, shapes, batches."""

from plm_components.contracts.batch import Batch, MediaSpan
from plm_components.contracts.compiling import Compiles
from plm_components.contracts.decoder import Cache, Decoder, DecoderBlock, LayerCache
from plm_components.contracts.files import CarriesFiles
from plm_components.contracts.foreign import (
    CheckpointHeader,
    Reading,
    ReadsCheckpoints,
    refusal,
    refuse_differing,
)
from plm_components.contracts.kernels import (
    Attention,
    AttentionSupport,
    Pooling,
    refuse_unsupported,
)
from plm_components.contracts.llama_keys import llama_keys
from plm_components.contracts.masks import Causal, CausalCached, Documents, Full, Mask
from plm_components.contracts.media import (
    FrameTransform,
    ImageTiler,
    Peek,
    Sample,
    TilePlan,
    VideoFacts,
    VideoReader,
    VideoSampler,
)
from plm_components.contracts.shapes import Grid
from plm_components.contracts.text import (
    EncodedConversation,
    FirstFrame,
    HasVocabulary,
    MediaKind,
    MediaLayout,
    MediaSlot,
    OwnVideoToken,
    PublishedVocabulary,
    Role,
    Tokenizer,
    Turn,
    ids_of_media,
)
from plm_components.contracts.vision import Projector, VisionEncoder
from plm_components.spec.slots import DefaultPart

__all__ = [
    "Attention",
    "AttentionSupport",
    "Batch",
    "Cache",
    "CarriesFiles",
    "Causal",
    "CausalCached",
    "CheckpointHeader",
    "Compiles",
    "Decoder",
    "DecoderBlock",
    "DefaultPart",
    "Documents",
    "EncodedConversation",
    "FirstFrame",
    "FrameTransform",
    "Full",
    "Grid",
    "HasVocabulary",
    "ImageTiler",
    "LayerCache",
    "Mask",
    "MediaKind",
    "MediaLayout",
    "MediaSlot",
    "MediaSpan",
    "OwnVideoToken",
    "Peek",
    "Pooling",
    "Projector",
    "PublishedVocabulary",
    "Reading",
    "ReadsCheckpoints",
    "Role",
    "Sample",
    "TilePlan",
    "Tokenizer",
    "Turn",
    "VideoFacts",
    "VideoReader",
    "VideoSampler",
    "VisionEncoder",
    "ids_of_media",
    "llama_keys",
    "refusal",
    "refuse_differing",
    "refuse_unsupported",
]
