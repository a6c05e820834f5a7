"""Whether what a question passes through was ever trained: the receipt says so."""

from __future__ import annotations

from plm_components.checkpoints import Receipt
from plm_components.errors import UsageError


def require_trained(receipt: Receipt, *, media: bool) -> None:
    """Refuses a question whose answer would be noise.

    Args:
        receipt: Of the variant.
        media: Whether an image or a video is asked about; words alone need the decoder only.

    Raises:
        UsageError: a part on the way holds tensors nobody trained.
    """
    needed = ("vision_encoder", "projector", "decoder") if media else ("decoder",)
    lines = [line for line in receipt.lines if line.fresh and line.part in needed]
    if not lines:
        return
    parts = list(dict.fromkeys(line.part for line in lines))
    listed = " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else parts[0]
    verb = "were" if len(parts) > 1 else "was"
    raise UsageError(
        f"The {listed} {verb} never trained: the answer would be noise.",
        where="; ".join(dict.fromkeys(f"{line.part} ({line.origin})" for line in lines)),
        expected=f"trained weights in every part that {'media pass' if media else 'words pass'}",
        fix="train it and save it with trained_by=..., which says so, or name its weights in the "
        "spec; to ask all the same, say allow_untrained=True (plm ask --allow-untrained)",
    )
