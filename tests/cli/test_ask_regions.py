"""plm ask: boxes on frames, seconds beside frames, answers drawn."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from plm_components.cli.media_arguments import read_boxes
from plm_components.errors import MediaError, UsageError

SMALL = (
    "weights=null", "decoder.num_layers=1", "--init", "random", "--allow-untrained",
    "--max-new-tokens", "4",
)  # fmt: skip
NOISE = "note: never trained: vision_encoder, projector, decoder\n"
Say = Callable[..., None]


@pytest.fixture
def say(monkeypatch) -> Say:
    """Makes every variant answer these pieces; everything around the answer is real."""

    def answer(*pieces: str) -> None:
        monkeypatch.setattr("plm_components.variant.text_pieces", lambda ids, decode: iter(pieces))

    return answer


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.new("RGB", (200, 100), (90, 90, 90)).save(path)
    return path


class TestBoxes:
    def test_on_the_line_and_in_a_file(self, tmp_path: Path) -> None:
        file = tmp_path / "boxes.json"
        file.write_text('{"0": [1, 2, 3, 4], "7": null}')

        assert read_boxes(str(file), ["12:5,6,7.5,8"]) == {
            0: (1.0, 2.0, 3.0, 4.0),
            12: (5.0, 6.0, 7.5, 8.0),
        }
        assert read_boxes(None, []) == {}

    def test_they_reach_the_frames(self, plm, say, write_video) -> None:
        say("it ", "moves")
        clip = str(write_video(count=24))
        told = plm(
            "ask", "plm-tiny", "who?", "--video", clip, "--box", "0:4,4,40,40", "--json", *SMALL
        )
        assert told.code == 0
        assert told.err == NOISE
        assert json.loads(told.out)["answer"] == "it moves"

    def test_those_that_are_not_seen_are_told(self, plm, say, write_video) -> None:
        say("it moves")
        clip = str(write_video(count=24))
        words = ("--video", clip, "--box", "0:4,4,40,40", "--box", "1:4,4,40,40")
        told = plm("ask", "plm-tiny", "who?", *words, *SMALL)

        assert (told.code, told.out) == (0, "it moves\n")
        assert told.err == NOISE + ("note: not looked at, so their boxes are not seen: frames 1\n")

    def test_where_none_is_seen_the_question_is_refused(self, plm, write_video) -> None:
        clip = str(write_video(count=24))
        told = plm("ask", "plm-tiny", "who?", "--video", clip, "--box", "1:4,4,40,40", *SMALL)

        assert (told.code, told.out) == (1, "")
        assert told.err == NOISE + (
            "No box is seen: frame 1 is not looked at.\n"
            "  where:    plm ask, --box and --boxes\n"
            "  expected: a box on one of the frames that are: 0, 3, 7, 10, 13, 16, 20, 23\n"
            "  fix:      move a box to one of them, or choose --start and --end, or more frames "
            "(video_sampler.max_frames), so that they are looked at\n"
        )

    @pytest.mark.parametrize("media", [(), ("--image", "a.png"), ("--video", "a", "--video", "b")])
    def test_they_belong_to_one_video(self, plm, media) -> None:
        told = plm("ask", "plm-tiny", "who?", *media, "--box", "1:4,4,40,40")

        count = media.count("--video")
        assert told == (
            2,
            "",
            f"--box and --boxes belong to one video, and there are {count}.\n"
            "  where:    plm ask\n"
            "  expected: --video FILE once\n"
            "  fix:      ask about one video, or leave the boxes out\n",
        )

    @pytest.mark.parametrize("words", ["4,4,40,40", "a:1,2,3,4", "1:1,2,3", "1:1,2,3,4,5", "1:,,,"])
    def test_words_that_are_no_box(self, words: str) -> None:
        with pytest.raises(UsageError) as caught:
            read_boxes(None, [words])
        assert str(caught.value) == (
            f"{words!r} is no box.\n"
            "  where:    plm ask\n"
            "  expected: --box FRAME:X1,Y1,X2,Y2, a frame's number in the file and pixels\n"
            "  fix:      e.g. --box 12:40,30,200,180"
        )

    @pytest.mark.parametrize(
        ("text", "what"),
        [
            ("", "The boxes cannot be read: Expecting value: line 1 column 1 (char 0)."),
            ("[[0, 1, 2, 3]]", "The file holds no boxes."),
            ("[" * 100_000, "The boxes cannot be read: it is nested too deep."),
        ],
    )
    def test_a_file_that_holds_none(self, tmp_path: Path, text: str, what: str) -> None:
        file = tmp_path / "boxes.json"
        file.write_text(text)
        with pytest.raises(MediaError) as caught:
            read_boxes(str(file), [])
        assert str(caught.value) == (
            f"{what}\n"
            f"  where:    {file}\n"
            '  expected: JSON such as {"12": [x1, y1, x2, y2], "13": null}\n'
            "  fix:      mend the file, or write --box 12:x1,y1,x2,y2"
        )

    @pytest.mark.parametrize(
        ("text", "listed"),
        [
            ('{"3": [1, 2, 3, 4], "3": [1, 2, 3, 4]}', []),
            ('{"3": null}', ["3:1,2,3,4"]),
            ("{}", ["3:1,2,3,4", "03:1,2,3,4"]),
        ],
    )
    def test_a_frame_has_one_box(self, tmp_path: Path, text: str, listed: list[str]) -> None:
        file = tmp_path / "boxes.json"
        file.write_text(text)
        with pytest.raises(UsageError) as caught:
            read_boxes(str(file), listed)
        assert caught.value.what == "Frame 3 has two boxes."

    def test_a_file_names_itself(self, plm, tmp_path: Path) -> None:
        file = tmp_path / "boxes.json"
        file.write_text('{"3": [9, 2, 3, 4]}')
        told = plm("ask", "plm-tiny", "who?", "--video", "a.mp4", "--boxes", str(file))

        assert told == (
            1,
            "",
            "The corners of [9, 2, 3, 4] are reversed.\n"
            f"  where:    {file}[3]\n"
            "  expected: x1 up to x2 and y1 up to y2\n"
            "  fix:      write [3, 2, 9, 4]\n",
        )

    def test_a_file_that_is_not_there(self, plm, tmp_path: Path) -> None:
        told = plm("ask", "plm-tiny", "who?", "--video", "a", "--boxes", str(tmp_path / "no.json"))
        assert told.code == 1
        assert told.err.startswith(
            f"No such file or directory.\n  where:    {tmp_path / 'no.json'}\n"
        )


class TestSeconds:
    def test_beside_frames(self, plm, say, write_video) -> None:
        say("It app", "ears in fra", "me 3, and go", "es [4, 5].")
        clip = str(write_video(count=24))
        told = plm("ask", "plm-tiny", "when?", "--video", clip, "processor.first_frame=0", *SMALL)

        # of 24 frames at 24 a second, 0, 3, 7, 10, 13, 16, 20 and 23 are looked at
        assert told == (
            0,
            "It appears in frame 3 (0.42 s), and goes [4, 5] (0.54–0.67 s).\n",
            NOISE,
        )

    def test_for_a_program(self, plm, say, write_video) -> None:
        say("frame 3 and frame 9")
        clip = str(write_video(count=24))
        told = plm("ask", "plm-tiny", "when?", "--video", clip, "--json", *SMALL)
        data = json.loads(told.out)

        assert data["answer"] == "frame 3 and frame 9"
        # plm-tiny counts from 1
        assert data["frames"] == [
            {"text": "frame 3", "start": 0, "end": 7, "frames": [3, 3],
             "seconds": [0.291667, 0.291667]},
            {"text": "frame 9", "start": 12, "end": 19, "frames": [9, 9], "seconds": None},
        ]  # fmt: skip
        assert data["boxes"] == []
        assert data["drawn"] is None
        assert data["media"] == [
            {
                "kind": "video",
                "path": clip,
                "frame_indices": [0, 3, 7, 10, 13, 16, 20, 23],
                "seconds": [0.0, 0.125, 0.291667, 0.416667, 0.541667, 0.666667, 0.833333, 0.958333],
            }
        ]

    def test_each_medium_keeps_its_frames_where_a_layout_moves_it(
        self, plm, say, write_video, photo: Path
    ) -> None:
        say("frame 1")
        words = ("--video", str(write_video(count=24)), "--image", str(photo), "--json")
        told = plm("ask", "plm-tiny", "when?", *words, "processor.layout=hf", *SMALL)
        video, image = json.loads(told.out)["media"]

        assert (video["kind"], len(video["frame_indices"])) == ("video", 8)
        assert image == {"kind": "image", "path": str(photo)}

    def test_a_clip_has_the_seconds_of_its_file(self, plm, say, write_video) -> None:
        say("frame 1")
        words = ("--video", str(write_video()), "--start", "1", "--end", "1.5")
        told = plm("ask", "plm-tiny", "when?", *words, *SMALL)
        assert told.out == "frame 1 (1.00 s)\n"

    def test_of_two_videos_no_second_is_guessed(self, plm, say, write_video) -> None:
        say("frame 3")
        words = ("--video", str(write_video("a.mp4")), "--video", str(write_video("b.mp4")))
        told = plm("ask", "plm-tiny", "when?", *words, *SMALL)

        assert told.out == "frame 3\n"
        assert told.err == NOISE + (
            "note: the answer speaks of frames, and not of which of 2 videos\n"
        )

    def test_without_a_video_nothing_is_told(self, plm, say, photo: Path) -> None:
        say("frame 3")
        told = plm("ask", "plm-tiny", "when?", "--image", str(photo), *SMALL)
        assert told == (0, "frame 3\n", NOISE)


class TestDraw:
    def test_boxes_on_the_picture(self, plm, say, photo: Path, tmp_path: Path) -> None:
        say("at [100, ", "200, 500, 800]")
        out = tmp_path / "out.png"
        told = plm(
            "ask", "plm-tiny", "where?", "--image", str(photo), "--draw", str(out), "--json", *SMALL
        )
        data = json.loads(told.out)

        assert told.code == 0
        assert data["drawn"] == str(out)
        assert data["boxes"] == [
            {"text": "[100, 200, 500, 800]", "start": 3, "end": 23,
             "box": [0.1, 0.2, 0.5, 0.8], "reversed": False},
        ]  # fmt: skip
        with Image.open(out) as drawn:
            changed_HW = (np.asarray(drawn) != 90).any(-1)
        assert changed_HW.any(0).nonzero()[0][[0, -1]].tolist() == [20, 100]
        assert changed_HW.any(1).nonzero()[0][[0, -1]].tolist() == [20, 80]

    def test_frames_of_the_video(self, plm, say, write_video, tmp_path: Path) -> None:
        say("frame 3")
        out = tmp_path / "out.jpg"
        clip = str(write_video(count=24))
        told = plm("ask", "plm-tiny", "when?", "--video", clip, "--draw", str(out), *SMALL)

        assert told == (0, "frame 3 (0.29 s)\n", NOISE)
        with Image.open(out) as drawn:
            assert drawn.width == 1600

    def test_an_answer_without_a_box_leaves_no_file(
        self, plm, say, photo: Path, tmp_path: Path
    ) -> None:
        say("in the middle, [500, 500, 100, 100]")
        out = tmp_path / "out.png"
        told = plm("ask", "plm-tiny", "where?", "--image", str(photo), "--draw", str(out), *SMALL)

        assert told.code == 1
        assert told.out == "in the middle, [500, 500, 100, 100]\n"
        assert told.err == NOISE + (
            "note: no box, as its corners are reversed: [500, 500, 100, 100]\n"
            "note: nothing to draw, and no file written: the answer names no box\n"
        )
        assert os.listdir(tmp_path) == ["photo.png"]

    def test_an_answer_without_a_frame_leaves_no_file(
        self, plm, say, write_video, tmp_path: Path
    ) -> None:
        say("at the end")
        clip = str(write_video(count=24))
        out = str(tmp_path / "out.png")
        told = plm("ask", "plm-tiny", "when?", "--video", clip, "--draw", out, "--json", *SMALL)

        assert told.code == 1
        assert json.loads(told.out)["drawn"] is None
        assert json.loads(told.out)["notes"][-1] == (
            "nothing to draw, and no file written: the answer names no frame that was looked at"
        )
        assert os.listdir(tmp_path) == ["clip.mp4"]

    def test_a_path_that_cannot_be_written_is_refused_before_anything_is_built(
        self, plm, photo: Path
    ) -> None:
        # this spec does not exist, and nobody gets as far as to notice
        told = plm("ask", "no-spec", "where?", "--image", str(photo), "--draw", str(photo))

        assert told == (
            2,
            "",
            "The picture would replace the file that is asked about.\n"
            f"  where:    {photo}\n"
            "  expected: another file\n"
            "  fix:      choose another name\n",
        )

    def test_it_needs_one_medium(self, plm, photo: Path) -> None:
        media = ("--images", str(photo), str(photo))
        told = plm("ask", "plm-tiny", "where?", *media, "--draw", "out.png")

        assert told == (
            2,
            "",
            "--draw needs one image or one video, and there are 2 media.\n"
            "  where:    plm ask\n"
            "  expected: --image FILE or --video FILE once\n"
            "  fix:      ask about one of them, or leave --draw out\n",
        )

    def test_overwriting_nothing_makes_no_sense(self, plm) -> None:
        assert plm("ask", "plm-tiny", "where?", "--overwrite") == (
            2,
            "",
            "--overwrite stands without --draw.\n"
            "  where:    plm ask\n"
            "  expected: --draw FILE beside it\n"
            "  fix:      leave it out\n",
        )
