"""What each kind of component promises: protocols, masks, shapes, batches."""

from plm_components.contracts.batch import Batch, MediaSpan
from plm_components.contracts.choosing import (
    AttentionCall,
    Candidates,
    Choice,
    ChoosesAttention,
    Offer,
)
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
    shortfalls,
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
from plm_components.spec.slots import DefaultPart, EveryPart

__all__ = [
    "Attention",
    "AttentionCall",
    "AttentionSupport",
    "Batch",
    "Cache",
    "Candidates",
    "CarriesFiles",
    "Causal",
    "CausalCached",
    "CheckpointHeader",
    "Choice",
    "ChoosesAttention",
    "Compiles",
    "Decoder",
    "DecoderBlock",
    "DefaultPart",
    "Documents",
    "EncodedConversation",
    "EveryPart",
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
    "Offer",
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
    "shortfalls",
]
