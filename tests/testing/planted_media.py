"""Parts for text and media, one bug each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import torch
from PIL import Image
from torch import Tensor

from plm_components.contracts import EncodedConversation, Sample, TilePlan, Turn, VideoFacts
from plm_components.frame_transforms.plm_frames import PLMFramesTransform
from plm_components.image_tilers.plm_tiles import PLMTilesTiler
from plm_components.image_tilers.single import SingleTiler
from plm_components.tokenizers.words import WordsTokenizer
from plm_components.video_readers.pyav import PyAVReader
from plm_components.video_samplers.plm_uniform import PLMUniformSampler


class Strips(WordsTokenizer):
    """Text loses its outer spaces."""

    def encode(self, text: str) -> list[int]:
        return super().encode(text.strip(" "))


class Injectable(WordsTokenizer):
    """A user's text can say the image token."""

    def encode(self, text: str) -> list[int]:
        ids: list[int] = []
        for n, piece in enumerate(text.split("<|image|>")):
            ids += [self.image_token_id] * (n > 0) + super().encode(piece)
        return ids


class TwoImageIds(WordsTokenizer):
    """Says two different things of the image token."""

    def __init__(self, *, words: list[str]) -> None:
        super().__init__(words=words)
        self.image_token_id = self.pad_id


class ShowsSpecials(WordsTokenizer):
    """Padding is spelt out in answers."""

    def decode(self, ids: Sequence[int]) -> str:
        text = super().decode(ids)
        return text + " (end)" if self.pad_id in ids else text


class NeverEnds(WordsTokenizer):
    """The end of an answer is not trained."""

    def encode_conversation(
        self, turns: Sequence[Turn], *, generation_prompt: bool
    ) -> EncodedConversation:
        whole = super().encode_conversation(turns, generation_prompt=generation_prompt)
        marks = zip(whole.input_ids, whole.is_response, strict=True)
        said = tuple(mark and token not in self.stop_ids for token, mark in marks)
        return replace(whole, is_response=said)


class OtherPrompt(WordsTokenizer):
    """The prompt ends before the header's last token."""

    def encode_conversation(
        self, turns: Sequence[Turn], *, generation_prompt: bool
    ) -> EncodedConversation:
        whole = super().encode_conversation(turns, generation_prompt=generation_prompt)
        cut = len(whole.input_ids) - generation_prompt
        return replace(whole, input_ids=whole.input_ids[:cut], is_response=whole.is_response[:cut])


class MisplacedMedia(WordsTokenizer):
    """Media start one token late."""

    def encode_conversation(
        self, turns: Sequence[Turn], *, generation_prompt: bool
    ) -> EncodedConversation:
        whole = super().encode_conversation(turns, generation_prompt=generation_prompt)
        return replace(whole, media_starts=tuple(start + 1 for start in whole.media_starts))


class NeedsDownload(WordsTokenizer):
    """Always says that a download is needed."""

    @classmethod
    def files_at_hand(cls, **options: object) -> bool:
        return False


class FloatTiles(SingleTiler):
    """PIL RGB -> float (1, 3, S, S)."""

    def __call__(self, image: Image.Image) -> Tensor:
        return super().__call__(image).float()


class BlueFirst(SingleTiler):
    """PIL RGB -> uint8 (1, 3, S, S), channels as OpenCV has them."""

    def __call__(self, image: Image.Image) -> Tensor:
        return super().__call__(image).flip(1)


class ColumnTiles(PLMTilesTiler):
    """PIL RGB -> uint8 (T, 3, S, S), column after column."""

    def __call__(self, image: Image.Image) -> Tensor:
        tiles, plan = super().__call__(image), self.plan(*image.size)
        grid = tiles[1:].unflatten(0, (plan.rows, plan.columns)).transpose(0, 1)
        return torch.cat([tiles[:1], grid.flatten(0, 1)])


class BadPlan(PLMTilesTiler):
    """PIL RGB -> uint8 (T, 3, S, S), a plan that forgets the thumbnail of panoramas."""

    def plan(self, width: int, height: int) -> TilePlan:
        plan = super().plan(width, height)
        return replace(plan, thumbnail=False) if width > 2 * height else plan


class Scribbles(SingleTiler):
    """PIL RGB -> uint8 (1, 3, S, S), and a dot in the caller's image."""

    def __call__(self, image: Image.Image) -> Tensor:
        tiles = super().__call__(image)
        image.putpixel((0, 0), (1, 2, 3))
        return tiles


class Transposed(PLMFramesTransform):
    """uint8 (F, 3, H, W) -> uint8 (F, 3, S, S), rows and columns swapped."""

    def __call__(self, frames_F3HW: Tensor) -> Tensor:
        return super().__call__(frames_F3HW).transpose(2, 3)


class Smooths(PLMFramesTransform):
    """uint8 (F, 3, H, W) -> uint8 (F, 3, S, S), averaged over time."""

    def __call__(self, frames_F3HW: Tensor) -> Tensor:
        tiles = super().__call__(frames_F3HW).float()
        return ((tiles + tiles.mean(0)) / 2).round().to(torch.uint8)


class WrapsAround(PLMFramesTransform):
    """uint8 (F, 3, H, W) -> uint8 (F, 3, S, S), where white turns black."""

    def __call__(self, frames_F3HW: Tensor) -> Tensor:
        return super().__call__(frames_F3HW) + (frames_F3HW.amin() == 255).to(torch.uint8)


class Normalised(PLMFramesTransform):
    """uint8 (F, 3, H, W) -> float (F, 3, S, S)."""

    def __call__(self, frames_F3HW: Tensor) -> Tensor:
        return super().__call__(frames_F3HW).to(torch.int16)


class OnePastTheEnd(PLMUniformSampler):
    """The last frame is one that does not exist."""

    def sample(self, facts: VideoFacts, **rest: Any) -> Sample:
        sample = super().sample(facts, **rest)
        return Sample((*sample.indices[:-1], facts.num_frames), sample.timestamps)


class TooMany(PLMUniformSampler):
    """Says one frame less than it takes."""

    def max_frames_per_video(self) -> int:
        return self.max_frames - 1


class SteadyClock(PLMUniformSampler):
    """Times from the frame rate, not from the file."""

    def sample(self, facts: VideoFacts, **rest: Any) -> Sample:
        indices = super().sample(facts, **rest).indices
        return Sample(indices, tuple(index / facts.fps for index in indices))


class Whimsical(PLMUniformSampler):
    """Each time other frames."""

    def sample(self, facts: VideoFacts, **rest: Any) -> Sample:
        index = int(torch.randint(0, facts.num_frames, ()))
        return Sample((index,), (facts.pts_s[index],))


class MustLook(PLMUniformSampler):
    """Fails where it cannot look, instead of saying so."""

    def sample(self, facts: VideoFacts, *, peek: Any = None) -> Sample:
        peek([0], 8)
        return super().sample(facts)


class SortsIndices(PyAVReader):
    """Frames in the order of the file."""

    def read(self, path: Path, indices: Sequence[int]) -> Tensor:
        return super().read(path, sorted(indices))


class NearestSecond(PyAVReader):
    """In steps of two frames, when there are many."""

    def read(self, path: Path, indices: Sequence[int]) -> Tensor:
        if len(indices) < 5:
            return super().read(path, indices)
        return super().read(path, [index // 2 * 2 for index in indices])


class LateStart(PyAVReader):
    """Times as the container has them, from wherever it begins."""

    def facts(self, path: Path) -> VideoFacts:
        facts = super().facts(path)
        return replace(facts, pts_s=tuple(time + 0.5 for time in facts.pts_s))


class RawErrors(PyAVReader):
    """FFmpeg's own errors."""

    def facts(self, path: Path) -> VideoFacts:
        with av.open(str(path)):
            return super().facts(path)


class FromTheEnd(PyAVReader):
    """Negative numbers count from the end, as lists do."""

    def read(self, path: Path, indices: Sequence[int]) -> Tensor:
        count = self.facts(path).num_frames
        return super().read(path, [index % count if index < 0 else index for index in indices])
