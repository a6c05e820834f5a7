"""The table of contents of our own zoo: one line a component, by the same hook as a plugin.

A component's name is its file's: ``projector/linear`` lives in ``projectors/linear.py``.
"""

from __future__ import annotations

from collections.abc import Iterator

from plm_components.zoo import Component, hookimpl

# kind, package: name, class, summary
_TABLE = {
    ("vision_encoder", "vision_encoders"): (
        ("pe", "PEVisionEncoder", "native Perception Encoder; its attention is a part"),
        (
            "timm",
            "TimmVisionEncoder",
            "any timm backbone with spatial features; PE-Lang among them",
        ),
        (
            "hf",
            "HFVisionEncoder",
            "transformers vision towers: SigLIP, SigLIP 2, CLIP, DINOv2, DINOv3",
        ),
    ),
    ("projector", "projectors"): (
        ("avg_pool_mlp", "AvgPoolMLPProjector", "PLM's: two layers and a mean over windows"),
        ("linear", "LinearProjector", "one matrix, every token kept"),
        (
            "pixel_shuffle_mlp",
            "PixelShuffleMLPProjector",
            "windows folded into channels, then an MLP",
        ),
        (
            "perceiver_resampler",
            "PerceiverResamplerProjector",
            "learned queries attend to the tokens",
        ),
    ),
    ("decoder", "decoders"): (
        ("llama", "LlamaDecoder", "native: our blocks, GQA, llama3 rotary scaling"),
        ("hf", "HFDecoder", "any transformers causal language model, verified at build"),
    ),
    ("decoder_block", "decoder_blocks"): (
        ("prenorm_gqa_swiglu", "PrenormGQASwiGLUBlock", "RMSNorm, grouped attention, SwiGLU"),
        (
            "fused_prenorm_gqa_swiglu",
            "FusedPrenormGQASwiGLUBlock",
            "the same weights in fewer steps: joined products, Triton kernels on CUDA",
        ),
    ),
    ("attention", "kernels.attention"): (
        ("eager", "EagerAttention", "the oracle: scores and softmax in fp32"),
        ("auto", "AutoAttention", "the fastest that was measured here, else the ablest"),
        ("sdpa", "SDPAAttention", "torch's scaled_dot_product_attention"),
        ("flex", "FlexAttention", "torch's flex_attention; forward only on a CPU"),
        ("grouped", "GroupedAttention", "decoding on a CPU: grouped matrix products; fast"),
        ("blocked_causal", "BlockedCausalAttention", "prefill on a CPU: causal blocks; fast"),
        ("paired_heads", "PairedHeadsAttention", "vision on a CPU: two heads at a time; fast"),
        ("xformers", "XFormersAttention", "xFormers' memory_efficient_attention; forward only"),
        ("flash_attn", "FlashAttnAttention", "FlashAttention 2, its cache and varlen kernels"),
        ("flash_attn_4", "FlashAttn4Attention", "FlashAttention 4, flash_attn.cute"),
    ),
    ("pooling", "kernels.pooling"): (
        ("mean", "MeanPooling", "average over a channels-last view"),
        ("adaptive", "AdaptivePooling", "the oracle: adaptive_avg_pool2d, as published"),
        ("triton", "TritonPooling", "GELU and mean in one Triton kernel, forward and backward"),
    ),
    ("tokenizer", "tokenizers"): (
        ("hf", "HFTokenizer", "any fast tokenizer, local path or hub id"),
        ("words", "WordsTokenizer", "a closed list of words, bytes for the rest"),
        ("tiktoken", "TiktokenTokenizer", "the tokenizer.model of PLM's original directories"),
    ),
    ("image_tiler", "image_tilers"): (
        ("plm_tiles", "PLMTilesTiler", "PLM's thumbnail and canvas of tiles"),
        ("single", "SingleTiler", "the whole image, stretched to one tile"),
    ),
    ("frame_transform", "frame_transforms"): (
        ("plm_frames", "PLMFramesTransform", "antialiased bicubic stretch, rounded to uint8"),
    ),
    ("video_sampler", "video_samplers"): (
        (
            "plm_uniform",
            "PLMUniformSampler",
            "PLM's: one a second, thinned or filled to max_frames",
        ),
        ("fps", "FPSSampler", "a fixed rate, capped"),
        ("keyframes", "KeyframesSampler", "the frames that decode alone"),
    ),
    ("video_reader", "video_readers"): (
        ("pyav", "PyAVReader", "FFmpeg through PyAV"),
        ("torchcodec", "TorchCodecReader", "FFmpeg through torchcodec"),
    ),
}

_REQUIRES = {
    "attention/xformers": ("xformers>=0.0.34", "cuda"),
    "attention/flash_attn": ("flash-attn>=2.5", "cuda"),
    "attention/flash_attn_4": ("flash-attn-4", "cuda"),
    "pooling/triton": ("triton>=3.3", "cuda"),
    "video_reader/torchcodec": ("torchcodec",),
}


@hookimpl
def plm_register_components() -> Iterator[Component]:
    """Our own parts."""
    for (kind, package), rows in _TABLE.items():
        for name, class_name, summary in rows:
            target = f"plm_components.{package}.{name}:{class_name}"
            requires = _REQUIRES.get(f"{kind}/{name}", ())
            yield Component(kind, name, target, summary=summary, requires=requires)
