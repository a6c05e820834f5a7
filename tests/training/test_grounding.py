"""What the auxiliary loss wants to hear, against a scene written by hand."""

import torch

from plm_components.data.motion import Event
from plm_components.data.scene import Background, Scene, Thing
from plm_components.tokenizers.words import WordsTokenizer
from plm_components.training.grounding import GROUPS, UNKNOWN, Grounding, grounding_labels


def thing(shape, color, size, x, y, event):
    return Thing(shape, color, size, x, y, 0.1, 0.0, 0.5, (1.0, 0.0, 0.0), None, event)


def scene(*things):
    grey = (0.5, 0.5, 0.5)
    return Scene(0, "video", things, Background(grey, grey, 0.0, 0.0), 1.0, 1.0)


def said(label):
    """The words of one place."""
    return [
        None if n == UNKNOWN else group[n] for n, group in zip(label.tolist(), GROUPS, strict=True)
    ]


def test_labels_follow_a_thing_through_the_frames():
    moving = thing("star", "blue", "small", 0.1, 0.1, Event("right", 0.0, 1.0, dx=0.8))
    labels = grounding_labels([scene(moving)], (0.0, 0.5, 1.0), 4)
    assert labels.shape == (3, 16, 5)
    places = [torch.nonzero(frame[:, 0])[:, 0].tolist() for frame in labels]
    assert places == [[0], [2], [3]]
    assert said(labels[0, 0]) == ["star", "blue", "small", "top", "left"]
    assert said(labels[1, 2]) == ["star", "blue", "small", "top", "center"]
    assert said(labels[2, 3]) == ["star", "blue", "small", "top", "right"]


def test_what_is_not_there_yet_is_nothing():
    late = thing("ring", "red", "large", 0.9, 0.9, Event("appear", 0.5))
    labels = grounding_labels([scene(late)], (0.0, 1.0), 4)
    assert said(labels[0, 15]) == ["nothing", None, None, None, None]
    assert said(labels[1, 15]) == ["ring", "red", "large", "bottom", "right"]


def test_what_grows_has_no_size_to_name():
    growing = thing("ring", "red", "small", 0.5, 0.5, Event("grow", 0.0, 1.0, growth=2.0))
    labels = grounding_labels([scene(growing)], (0.0,), 3)
    assert said(labels[0, 4]) == ["ring", "red", None, "center", "center"]


class _Echo:
    """A head whose table is the identity: a feature says the words of its channels."""

    def logits(self, hidden):
        return 100 * hidden


def test_features_that_say_the_right_words_have_no_loss():
    tokenizer = WordsTokenizer(words="package:plm-tiny/words.txt", system_prompt="")
    labels = grounding_labels(
        [scene(thing("circle", "red", "small", 0.1, 0.1, Event()))], (0.0,), 4
    )
    right = torch.zeros(1, 16, tokenizer.vocab_size)
    right[:, :, tokenizer.encode("nothing")] = 1.0
    right[0, 0] = 0.0
    for word in ("circle", "red", "small", "top", "left"):
        right[0, 0, tokenizer.encode(word)] = 1.0
    wrong = right.roll(1, dims=1)
    grounding = Grounding(tokenizer)
    assert grounding.loss(_Echo(), right, labels) < 1e-4
    assert grounding.loss(_Echo(), wrong, labels) > 10
