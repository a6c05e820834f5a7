"""What things must say while a clip plays, against scenes written by hand."""

import torch

from plm_components.data.motion import Event
from plm_components.data.scene import Background, Scene, Thing
from plm_components.tokenizers.words import WordsTokenizer
from plm_components.training.grounding import UNKNOWN
from plm_components.training.narration import DOINGS, Narration, narration_labels

TIMES = (0.0, 0.25, 0.5, 0.75, 1.0)
GREY = (0.5, 0.5, 0.5)


def labels_of(event, x=0.1, y=0.1):
    """What is said of one thing: (frame, place, word, number) of every labelled place."""
    thing = Thing("star", "red", "small", x, y, 0.1, 0.0, 0.5, (1.0, 0.0, 0.0), None, event)
    scene = Scene(0, "video", (thing,), Background(GREY, GREY, 0.0, 0.0), 1.0, 1.0)
    labels = narration_labels([scene], TIMES, 4)[0].view(len(TIMES), 16, 2)
    return [
        (frame, place, None if doing == UNKNOWN else DOINGS[doing], number + 1)
        for frame, places in enumerate(labels.tolist())
        for place, (doing, number) in enumerate(places)
        if number != UNKNOWN
    ]


def test_a_thing_that_moves_says_where_to_and_then_rests():
    assert labels_of(Event("right", 0.25, 0.5, dx=0.6)) == [
        (0, 0, None, 1),
        (1, 0, "still", 2),
        (2, 1, "right", 3),
        (3, 2, "right", 4),
        (4, 2, "still", 5),
    ]


def test_a_thing_appears_once():
    assert labels_of(Event("appear", 0.4)) == [
        (2, 0, "appear", 3),
        (3, 0, "still", 4),
        (4, 0, "still", 5),
    ]


def test_a_thing_that_is_gone_says_so_where_it_was():
    assert labels_of(Event("disappear", 0.6)) == [
        (0, 0, None, 1),
        (1, 0, "still", 2),
        (2, 0, "still", 3),
        (3, 0, "disappear", 4),
    ]


def test_growing_and_spinning_are_told_in_place():
    assert [said for _, _, said, _ in labels_of(Event("grow", 0.0, 1.0, growth=2.0))] == [
        None, "grow", "grow", "grow", "grow",
    ]  # fmt: skip
    assert [said for _, _, said, _ in labels_of(Event("spin", 0.0, 0.5, turn=-1.0))] == [
        None, "spin", "spin", "still", "still",
    ]  # fmt: skip


class _Echo:
    def logits(self, hidden):
        return 100 * hidden


def test_hidden_states_that_say_the_right_words_have_no_loss():
    tokenizer = WordsTokenizer(words="package:plm-tiny/words.txt", system_prompt="")
    labels = torch.full((1, 3, 2), UNKNOWN)
    labels[0, 1] = torch.tensor([DOINGS.index("left"), 2])
    right = torch.zeros(1, 3, tokenizer.vocab_size)
    for word in ("left", "3"):
        right[0, 1, tokenizer.encode(word)] = 1.0
    narration = Narration(tokenizer)
    assert narration.loss(_Echo(), right, labels) < 1e-4
    assert narration.loss(_Echo(), right.roll(1, dims=2), labels) > 1
