"""Pictures of what was asked and answered."""

from plm_components.drawing.picture_files import picture_target, write_picture
from plm_components.drawing.spoken_answer import boxes_on_picture, draw_answer

__all__ = ["boxes_on_picture", "draw_answer", "picture_target", "write_picture"]
