"""What the auxiliary loss wants to hear, against a scene written by hand."""

import torch

from plm_components.data.motion import Event
from plm_components.data.nouns import COLORS, SHAPES, SIZES
from plm_components.data.scene import Background, Scene, Thing
from plm_components.training.grounding import GroundingHead, grounding_labels


def thing(shape, color, size, x, y, event):
    return Thing(shape, color, size, x, y, 0.1, 0.0, 0.5, (1.0, 0.0, 0.0), None, event)


def scene(*things):
    grey = (0.5, 0.5, 0.5)
    return Scene(0, "video", things, Background(grey, grey, 0.0, 0.0), 1.0, 1.0)


def test_labels_follow_a_thing_through_the_frames():
    moving = thing("star", "blue", "small", 0.1, 0.1, Event("right", 0.0, 1.0, dx=0.8))
    labels = grounding_labels([scene(moving)], (0.0, 0.5, 1.0), 4)
    assert labels.shape == (3, 16, 3)
    places = [torch.nonzero(frame[:, 0])[:, 0].tolist() for frame in labels]
    assert places == [[0], [2], [3]]
    assert labels[0, 0].tolist() == [
        1 + SHAPES.index("star"),
        COLORS.index("blue"),
        SIZES.index("small"),
    ]


def test_what_is_not_there_yet_has_no_label():
    late = thing("ring", "red", "large", 0.9, 0.9, Event("appear", 0.5))
    labels = grounding_labels([scene(late)], (0.0, 1.0), 4)
    assert labels[0, :, 0].sum() == 0
    assert labels[1, 15, 0] == 1 + SHAPES.index("ring")


def test_a_head_that_knows_has_no_loss():
    head = GroundingHead(17)
    labels = grounding_labels(
        [scene(thing("circle", "red", "small", 0.1, 0.1, Event()))], (0.0,), 4
    )
    with torch.no_grad():
        head.linear.weight.copy_(100 * torch.eye(18, 17))
        head.linear.bias.zero_()
    features = torch.zeros(1, 16, 17)
    features[0, :, 0] = 1.0
    features[0, 0] = torch.zeros(17).index_fill_(0, torch.tensor([1, 7, 15]), 1.0)
    assert head(features, labels) < 1e-4
