"""``plm ask``: a question about images and videos, the answer streamed."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plm_components.cli.answers import answer_notes, answer_to_dict, stream_answer
from plm_components.cli.media_arguments import add_media_arguments, conversation, read_boxes
from plm_components.cli.offered import offered_zoo
from plm_components.cli.output import print_json
from plm_components.errors import UsageError
from plm_components.spec import shipped_specs

if TYPE_CHECKING:
    from plm_components.inference import Reply
    from plm_components.model.boxes import Box
    from plm_components.variant import Variant
    from plm_components.zoo import Zoo


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument(
        "spec", help="a shipped spec, a YAML file, or the path of a saved variant, ./mine"
    )
    parser.add_argument("question", help="in words; media stand before it, in the order given")
    parser.add_argument(
        "overrides",
        nargs="*",
        default=[],
        metavar="KEY=VALUE",
        help="changes, e.g. video_sampler.max_frames=4",
    )
    add_media_arguments(parser)
    _answer_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON document at the end")


def _answer_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the answer")
    group.add_argument("--max-new-tokens", type=int, default=64, metavar="N", help="default: 64")
    group.add_argument(
        "--temperature", type=float, default=0.0, help="0, the default, takes the likeliest word"
    )
    group.add_argument(
        "--top-p", type=float, metavar="P", help="sample among the likeliest, P in all"
    )
    group.add_argument("--seed", type=int, default=0, help="of sampling and of --init (default: 0)")
    group.add_argument("--device", default="cpu", help="cpu (default), cuda, cuda:1, mps")
    group.add_argument("--dtype", help="float32 or bfloat16 (default: float32, or as it was saved)")
    group.add_argument("--init", choices=("random",), help="fill parts without weights at random")
    group.add_argument(
        "--allow-untrained",
        action="store_true",
        help="ask though a part on the way was never trained: the answer is noise",
    )
    group.add_argument(
        "--draw",
        metavar="FILE",
        help="draw the boxes, or mark the frames, that the answer names: out.png",
    )
    group.add_argument("--overwrite", action="store_true", help="let --draw replace a file")


def run(args: argparse.Namespace) -> int:
    """Streams the answer; 1 where there was nothing in it to draw."""
    boxes = read_boxes(args.boxes, args.box)
    messages = conversation(
        args.question, args.media, start_s=args.start, end_s=args.end, boxes=boxes
    )
    target = _target(args)
    variant = opened_variant(args)
    notes = tell([*_untrained(variant), *variant.differences, *variant.notes])
    began = time.perf_counter()
    reply = variant.chat(
        messages,
        max_new_tokens=args.max_new_tokens,
        temperature=args.temperature,
        top_p=args.top_p,
        seed=args.seed,
        allow_untrained=args.allow_untrained,
        stream=True,
    )
    notes += tell(_undrawn(boxes, reply))
    if not args.json:
        stream_answer(reply)
    told = answer_to_dict(reply, args.media)
    seconds = round(time.perf_counter() - began, 3)
    notes += tell(answer_notes(reply))
    drawn = target is not None and _draw(variant, messages, reply, target, args.overwrite)
    if target is not None and not drawn:
        notes += tell([_nothing_to_draw(args.media[0][0])])
    if args.json:
        drawing = {"drawn": str(target) if drawn else None}
        print_json(
            {"question": args.question, **told, **drawing, "seconds": seconds, "notes": notes}
        )
    return 0 if target is None or drawn else 1


def _untrained(variant: Variant) -> list[str]:
    fresh = variant.receipt.fresh_parts
    return [f"never trained: {', '.join(fresh)}"] if fresh else []


def tell(notes: list[str]) -> list[str]:
    """Prints notes where they disturb no document, and returns them."""
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    return notes


def _undrawn(boxes: Mapping[int, Box], reply: Reply) -> list[str]:
    from plm_components.model.question import require_drawn

    left = require_drawn(boxes, reply.media, "plm ask, --box and --boxes")
    if not left:
        return []
    return [f"not looked at, so their boxes are not seen: frames {', '.join(map(str, left))}"]


def _target(args: argparse.Namespace) -> Path | None:
    if args.draw is None:
        if args.overwrite:
            raise _nonsense(
                "--overwrite stands without --draw.", "--draw FILE beside it", "leave it out"
            )
        return None
    if len(args.media) != 1:
        raise _nonsense(
            f"--draw needs one image or one video, and there are {len(args.media)} media.",
            "--image FILE or --video FILE once",
            "ask about one of them, or leave --draw out",
        )
    from plm_components.drawing import picture_target

    sources = [Path(path).expanduser() for _, path in args.media]
    return picture_target(args.draw, overwrite=args.overwrite, sources=sources)


def _draw(
    variant: Variant,
    messages: Sequence[Mapping[str, Any]],
    reply: Reply,
    target: Path,
    overwrite: bool,
) -> bool:
    from plm_components.drawing import draw_answer, write_picture
    from plm_components.model.messages import parse_conversation

    medium = parse_conversation(messages)[0].parts[0]
    assert not isinstance(medium, str)  # the question's only medium stands first
    picture = draw_answer(reply, medium, variant.processor.planner.video_reader)
    if picture is not None:
        write_picture(picture, target, overwrite=overwrite)
    return picture is not None


def _nothing_to_draw(kind: str) -> str:
    what = "box" if kind == "image" else "frame that was looked at"
    return f"nothing to draw, and no file written: the answer names no {what}"


def _nonsense(what: str, expected: str, fix: str, where: str = "plm ask") -> UsageError:
    return UsageError(what, where=where, expected=expected, fix=fix)


def opened_variant(args: argparse.Namespace) -> Variant:
    """The variant that a command's ``spec`` names: a directory or a hub id is loaded, a spec built.

    Args:
        args: With ``spec``, ``overrides``, ``device``, ``dtype``, ``init`` and ``seed``.
    """
    zoo = offered_zoo(args.plugin)
    if _is_saved(args.spec, f"plm {args.command}") or _is_repository(args.spec):
        return _loaded(args, zoo)
    return _assembled(args, zoo)


def _is_saved(spec: str, command: str) -> bool:
    """Whether a directory is meant: by the rule of specs, a bare name is one that ships."""
    if not Path(spec).is_dir():
        return False
    if "/" in spec or "\\" in spec or spec in (".", ".."):
        return True
    if spec in shipped_specs():
        return False
    raise _nonsense(
        f"'{spec}' is a directory, and a bare name means a spec that ships.",
        f"one of: {', '.join(shipped_specs())}; or a path",
        f"{command} ./{spec}",
        command,
    )


def _is_repository(spec: str) -> bool:
    """Whether a repository of the hub is meant, ``owner/name``, and no file of a spec."""
    from plm_components.checkpoints import is_hub_id

    return is_hub_id(spec) and not spec.endswith((".yaml", ".yml"))


def _assembled(args: argparse.Namespace, zoo: Zoo) -> Variant:
    from plm_components.opening import assemble

    return assemble(
        args.spec,
        overrides=args.overrides,
        device=args.device,
        dtype=args.dtype or "float32",
        init=args.init,
        seed=args.seed,
        zoo=zoo,
    )


def _loaded(args: argparse.Namespace, zoo: Zoo) -> Variant:
    from plm_components.opening import load

    if args.init:
        raise _nonsense(
            "--init has nothing to fill: a saved variant brings its weights.",
            "--init behind a spec's name or file only",
            "leave it out",
            f"plm {args.command}",
        )
    return load(args.spec, overrides=args.overrides, device=args.device, dtype=args.dtype, zoo=zoo)
