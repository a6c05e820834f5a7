"""Small models that tests of several floors build."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn

from plm_components.contracts import Attention, Batch, Grid, MediaSpan
from plm_components.decoder_blocks.prenorm_gqa_swiglu import PrenormGQASwiGLUBlock
from plm_components.decoders.llama import LlamaDecoder
from plm_components.kernels.attention.sdpa import SDPAAttention
from plm_components.model.perception_lm import PerceptionLM

IMAGE_ID, VIDEO_ID = 128002, 128003


def small_decoder(
    attention: type[Attention] = SDPAAttention,
    *,
    seed: int = 0,
    num_heads: int = 4,
    num_kv_heads: int = 2,
    vocab_size: int = 60,
    max_positions: int = 96,
    tie_embeddings: bool = True,
    rope_scale_factor: float = 1.0,
    rope_original_positions: int = 8192,
) -> LlamaDecoder:
    """Two layers, 32 channels, random weights."""

    def block(index: int) -> PrenormGQASwiGLUBlock:
        return PrenormGQASwiGLUBlock(
            32,
            index,
            num_heads=num_heads,
            num_kv_heads=num_kv_heads,
            ffn_dim=48,
            attention=attention(num_heads, num_kv_heads, 32 // num_heads),
        )

    decoder = LlamaDecoder(
        dim=32,
        num_layers=2,
        vocab_size=vocab_size,
        max_positions=max_positions,
        block=block,
        tie_embeddings=tie_embeddings,
        rope_scale_factor=rope_scale_factor,
        rope_original_positions=rope_original_positions,
    )
    decoder.init_weights(Generator().manual_seed(seed))
    return decoder.eval()


class PatchEncoder(nn.Module):
    """4x4 patches through one matrix; counts the tiles it saw."""

    width, patch_size, image_size = 12, 4, 8
    mean = std = (0.5, 0.5, 0.5)
    unused_parameters = ()

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 12, 4, 4)
        self.tiles_seen = 0

    def grid(self, height: int, width: int) -> Grid:
        return Grid(height // 4, width // 4)

    def forward(self, pixels_B3HW: Tensor) -> Tensor:
        self.tiles_seen += len(pixels_B3HW)
        return self.patches(pixels_B3HW).flatten(2).transpose(1, 2)

    def init_buffers(self) -> None:
        pass

    def init_weights(self, generator: Generator | None = None) -> None:
        nn.init.trunc_normal_(self.patches.weight, std=0.2, generator=generator)
        nn.init.zeros_(self.patches.bias)


class MatrixProjector(nn.Module):
    """One matrix, every token kept."""

    def __init__(self) -> None:
        super().__init__()
        self.matrix = nn.Linear(12, 32)

    def num_tokens(self, grid: Grid) -> int:
        return grid.num_tokens

    def out_grid(self, grid: Grid) -> Grid:
        return grid

    def forward(self, tokens_BNC: Tensor, grid: Grid) -> Tensor:
        return self.matrix(tokens_BNC)

    def init_buffers(self) -> None:
        pass

    def init_weights(self, generator: Generator | None = None) -> None:
        nn.init.trunc_normal_(self.matrix.weight, std=0.2, generator=generator)
        nn.init.zeros_(self.matrix.bias)


def small_model(decoder: nn.Module | None = None, seed: int = 0) -> PerceptionLM:
    """Four media tokens a tile of 8x8 pixels."""
    model = PerceptionLM(
        PatchEncoder(),
        MatrixProjector(),
        small_decoder(seed=seed) if decoder is None else decoder,  # type: ignore[arg-type]
        media_token_ids=(IMAGE_ID, VIDEO_ID),
    )
    generator = Generator().manual_seed(seed)
    model.vision_encoder.init_weights(generator)
    model.projector.init_weights(generator)
    return model.eval()


# what stands in a row: a number of words, or the kind of a medium with its number of tiles
Row = Sequence[int | tuple[str, int]]


def make_batch(rows: Sequence[Row], *, seed: int = 0, vocab_size: int = 60) -> Batch:
    """A right-padded batch with random words and tiles."""
    generator = Generator().manual_seed(seed)
    sequences: list[Tensor] = []
    spans: list[MediaSpan] = []
    for index, row in enumerate(rows):
        parts: list[Tensor] = []
        for item in row:
            if isinstance(item, int):
                parts.append(torch.randint(1, vocab_size, (item,), generator=generator))
            else:
                spans.append(_span(index, sum(map(len, parts)), item, spans))
                media_id = IMAGE_ID if item[0] == "image" else VIDEO_ID
                parts.append(torch.full((4 * item[1],), media_id))
        sequences.append(torch.cat(parts))
    num_tiles = sum(span.num_tiles for span in spans)
    pixels = torch.randn(num_tiles, 3, 8, 8, generator=generator) if num_tiles else None
    ids = nn.utils.rnn.pad_sequence(sequences, batch_first=True)
    mask = nn.utils.rnn.pad_sequence([torch.ones_like(row) for row in sequences], batch_first=True)
    return Batch(ids, mask, pixels, tuple(spans))


def _span(row: int, start: int, item: tuple[str, int], earlier: Sequence[MediaSpan]) -> MediaSpan:
    kind, tiles = item
    first = sum(span.num_tiles for span in earlier)
    return MediaSpan(row, start, 4 * tiles, first, tiles, kind, (), f"hash {first}")  # type: ignore[arg-type]


def one_row(batch: Batch, row: int) -> Batch:
    """That row alone, without its pads."""
    length = int(batch.attention_mask_BL[row].sum())
    spans = [span for span in batch.media if span.row == row]
    first = spans[0].first_tile if spans else 0
    tiles = sum(span.num_tiles for span in spans)
    pixels = batch.pixel_values[first : first + tiles] if batch.pixel_values is not None else None
    ids = batch.input_ids_BL[row : row + 1, :length]
    moved = tuple(
        MediaSpan(
            0, s.start, s.num_tokens, s.first_tile - first, s.num_tiles, s.kind, (), s.content_hash
        )
        for s in spans
    )
    return Batch(ids, torch.ones_like(ids), pixels if tiles else None, moved)
