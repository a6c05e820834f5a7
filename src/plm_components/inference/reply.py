"""An answer while it comes, and what it says of frames and boxes once it is whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from plm_components.contracts import MediaSpan
from plm_components.inference.spoken_boxes import SpokenBox, find_boxes
from plm_components.inference.spoken_frames import SpokenFrames, find_frames, with_seconds


class Reply(Iterator[str]):
    """Pieces of text as they come; everything else waits for the whole answer.

    Args:
        pieces: The answer.
        media: What the question was about.
        first_frame: Number of the first frame looked at in this model's answers.
    """

    def __init__(
        self, pieces: Iterator[str], media: Sequence[MediaSpan] = (), *, first_frame: int = 0
    ) -> None:
        self.media = tuple(media)
        self.first_frame = first_frame
        self._pieces = pieces
        self._said: list[str] = []

    def __next__(self) -> str:
        piece = next(self._pieces)
        self._said.append(piece)
        return piece

    @property
    def text(self) -> str:
        """The whole answer."""
        for _ in self:
            pass
        return "".join(self._said)

    @property
    def videos(self) -> tuple[MediaSpan, ...]:
        """The videos among the media."""
        return tuple(span for span in self.media if span.kind == "video")

    @property
    def frame_times(self) -> tuple[float, ...]:
        """When the frames that were looked at are shown, in seconds of the file.

        Empty unless there is exactly one video: of two, an answer does not say which it means.
        """
        return self.videos[0].timestamps if len(self.videos) == 1 else ()

    @property
    def frames(self) -> tuple[SpokenFrames, ...]:
        """Frames that the answer speaks of; none without a video."""
        if not self.videos:
            return ()
        return find_frames(self.text, self.frame_times, first_frame=self.first_frame)

    @property
    def boxes(self) -> tuple[SpokenBox, ...]:
        """Boxes that the answer speaks of."""
        return find_boxes(self.text)

    def with_seconds(self) -> Iterator[str]:
        """The rest of the answer as it comes, seconds beside its frames."""
        if not self.frame_times:
            return self
        return with_seconds(self, self.frame_times, first_frame=self.first_frame)
