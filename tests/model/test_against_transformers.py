"""A whole small PLM against transformers' own, the same weights under our names."""

from __future__ import annotations

import torch
from torch import Generator, Tensor
from transformers import PerceptionLMConfig, PerceptionLMForConditionalGeneration

from plm_components.kernels.pooling.mean import MeanPooling
from plm_components.model import PerceptionLM
from plm_components.projectors.avg_pool_mlp import AvgPoolMLPProjector
from plm_components.vision_encoders.timm import TimmVisionEncoder
from small_models import small_decoder

ARGS = {
    "embed_dim": 32,
    "depth": 2,
    "num_heads": 4,
    "use_post_transformer_norm": False,
    "init_values": 0.1,
    "ref_feat_shape": [4, 4],
}
IMAGE_ID = 58
NAMES = {
    "model.vision_tower.timm_model.": "vision_encoder.backbone.",
    "model.multi_modal_projector.": "projector.",
    "model.language_model.": "decoder.",
    "self_attn.": "",
    "post_attention_layernorm": "ffn_norm",
    "input_layernorm": "attention_norm",
}


def theirs() -> PerceptionLMForConditionalGeneration:
    config = PerceptionLMConfig(
        vision_config={
            "model_type": "timm_wrapper",
            "architecture": "vit_pe_core_large_patch14_336",
            "do_pooling": True,
            "global_pool": "",
            "model_args": {**ARGS, "img_size": [56, 56], "global_pool": ""},
        },
        text_config={
            "model_type": "llama",
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "vocab_size": 60,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "intermediate_size": 48,
            "rms_norm_eps": 1e-5,
            "rope_parameters": {"rope_type": "default", "rope_theta": 500000.0},
            "tie_word_embeddings": True,
            "bos_token_id": None,
            "eos_token_id": None,
        },
        projector_pooling_ratio=2,
        image_token_id=IMAGE_ID,
        video_token_id=59,
        vision_use_cls_token=True,
    )
    torch.manual_seed(0)
    return PerceptionLMForConditionalGeneration(config).eval()


def ours_from(model: PerceptionLMForConditionalGeneration) -> PerceptionLM:
    ours = PerceptionLM(
        TimmVisionEncoder(
            model="vit_pe_lang_large_patch14_448", image_size=56, model_args={**ARGS}
        ),
        AvgPoolMLPProjector(32, 32, pool=2, pooling=MeanPooling()),
        small_decoder(),
        media_token_ids=(IMAGE_ID,),
    )
    state: dict[str, Tensor] = {}
    for name, tensor in model.state_dict().items():
        for old, new in NAMES.items():
            name = name.replace(old, new)
        state[name.replace("mlp.", "") if name.startswith("decoder.") else name] = tensor
    state.pop("lm_head.weight")
    ours.load_state_dict(state, strict=True)
    return ours.eval()


@torch.no_grad()
def test_logits_of_a_left_padded_batch_with_media_equal_transformers() -> None:
    model = theirs()
    ours = ours_from(model)
    generator = Generator().manual_seed(0)
    # 56 pixels, patches of 14, windows of 2: four embeddings a tile; two tiles, then one
    pixels = torch.randn(3, 3, 56, 56, generator=generator)
    ids = torch.randint(0, 58, (2, 16), generator=generator)
    ids[0, 2:10], ids[1, 6:10] = IMAGE_ID, IMAGE_ID
    mask = torch.ones_like(ids)
    mask[1, :5] = 0
    expected = model(input_ids=ids, pixel_values=pixels[:, None], attention_mask=mask).logits
    found = ours(ids, pixels, mask)
    scale = float(expected.abs().max())
    torch.testing.assert_close(found[0], expected[0], rtol=0, atol=2e-5 * scale)
    torch.testing.assert_close(found[1, 5:], expected[1, 5:], rtol=0, atol=2e-5 * scale)
