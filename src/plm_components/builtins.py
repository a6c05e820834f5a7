"""The table of contents of our own zoo: one line a component, by the same hook as a plugin."""

from __future__ import annotations

from collections.abc import Iterator

from plm_components.zoo import Component, hookimpl

_TABLE = (
    ("vision_encoder", "timm", "vision_encoders.timm:TimmVisionEncoder", "any timm backbone with spatial features; PE-Lang among them"),
    ("vision_encoder", "hf", "vision_encoders.hf:HFVisionEncoder", "transformers vision towers: SigLIP, SigLIP 2, CLIP, DINOv2, DINOv3"),
    ("projector", "avg_pool_mlp", "projectors.avg_pool_mlp:AvgPoolMLPProjector", "PLM's: two layers and a mean over windows, pooled first or last"),
    ("projector", "linear", "projectors.linear:LinearProjector", "one matrix, every token kept"),
    ("projector", "pixel_shuffle_mlp", "projectors.pixel_shuffle_mlp:PixelShuffleMLPProjector", "windows folded into channels, then an MLP"),
    ("projector", "perceiver_resampler", "projectors.perceiver_resampler:PerceiverResamplerProjector", "learned queries attend to the tokens"),
    ("decoder", "llama", "decoders.llama:LlamaDecoder", "native: our blocks, GQA, llama3 rotary scaling"),
    ("decoder", "hf", "decoders.hf:HFDecoder", "any transformers causal language model, verified at build"),
    ("decoder_block", "prenorm_gqa_swiglu", "decoder_blocks.prenorm_gqa_swiglu:PrenormGQASwiGLUBlock", "RMSNorm, grouped attention, SwiGLU"),
    ("attention", "eager", "kernels.attention.eager:EagerAttention", "the oracle: scores and softmax in fp32"),
    ("attention", "sdpa", "kernels.attention.sdpa:SDPAAttention", "torch's scaled_dot_product_attention"),
    ("attention", "flex", "kernels.attention.flex:FlexAttention", "torch's flex_attention; forward only on a CPU"),
    ("pooling", "mean", "kernels.pooling.mean:MeanPooling", "average over a channels-last view"),
    ("pooling", "adaptive", "kernels.pooling.adaptive:AdaptivePooling", "the oracle: adaptive_avg_pool2d, as published"),
    ("tokenizer", "hf", "tokenizers.hf:HFTokenizer", "any fast tokenizer, local path or hub id"),
    ("tokenizer", "words", "tokenizers.words:WordsTokenizer", "a closed list of words, bytes for the rest"),
    ("image_tiler", "plm_tiles", "image_tilers.plm_tiles:PLMTilesTiler", "PLM's thumbnail and canvas of tiles"),
    ("image_tiler", "single", "image_tilers.single:SingleTiler", "the whole image, stretched to one tile"),
    ("frame_transform", "plm_frames", "frame_transforms.plm_frames:PLMFramesTransform", "antialiased bicubic stretch, rounded to uint8"),
    ("video_sampler", "plm_uniform", "video_samplers.plm_uniform:PLMUniformSampler", "PLM's: one a second, thinned or filled to max_frames"),
    ("video_sampler", "fps", "video_samplers.fps:FPSSampler", "a fixed rate, capped"),
    ("video_sampler", "keyframes", "video_samplers.keyframes:KeyframesSampler", "the frames that decode alone"),
    ("video_reader", "pyav", "video_readers.pyav:PyAVReader", "FFmpeg through PyAV"),
)  # fmt: skip


@hookimpl
def plm_register_components() -> Iterator[Component]:
    """Our own parts."""
    for kind, name, target, summary in _TABLE:
        yield Component(kind, name, f"plm_components.{target}", summary=summary)
    yield Component(
        "video_reader",
        "torchcodec",
        "plm_components.video_readers.torchcodec:TorchCodecReader",
        summary="FFmpeg through torchcodec",
        requires=("torchcodec",),
    )
