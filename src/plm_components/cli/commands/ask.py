"""``plm ask``: a question about images and videos, the answer streamed."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plm_components.cli.offered import offered_zoo
from plm_components.cli.output import print_json
from plm_components.errors import UsageError
from plm_components.spec import shipped_specs

if TYPE_CHECKING:
    from plm_components.variant import Variant
    from plm_components.zoo import Zoo


class _Medium(argparse.Action):
    """Collects images and videos in the order they were written."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        media = list(getattr(namespace, self.dest) or ())
        paths = [values] if isinstance(values, str) else list(values or ())
        kind = "video" if option_string == "--video" else "image"
        setattr(namespace, self.dest, [*media, *((kind, str(path)) for path in paths)])


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
    _media_arguments(parser)
    _answer_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON document at the end")


def _media_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("media")
    for option, count, text in (
        ("--image", None, "an image file (may be repeated)"),
        ("--images", "+", "several image files"),
        ("--video", None, "a video file"),
    ):
        group.add_argument(
            option,
            dest="media",
            action=_Medium,
            nargs=count,
            default=[],
            metavar="FILE",
            help=text,
        )
    group.add_argument("--start", type=float, metavar="SECONDS", help="look from here in the video")
    group.add_argument("--end", type=float, metavar="SECONDS", help="look up to here in the video")


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


def run(args: argparse.Namespace) -> int:
    """Streams the answer."""
    messages = conversation(args.question, args.media, start_s=args.start, end_s=args.end)
    variant = _variant(args)
    notes = [*_untrained(variant), *variant.differences]
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    began = time.perf_counter()
    pieces = variant.chat(
        messages,
        max_new_tokens=args.max_new_tokens,
        temperature=args.temperature,
        top_p=args.top_p,
        seed=args.seed,
        allow_untrained=args.allow_untrained,
        stream=True,
    )
    if args.json:
        answer = "".join(pieces)
        print_json(_to_dict(args, answer, time.perf_counter() - began, notes))
    else:
        _stream(pieces)
    return 0


def _untrained(variant: Variant) -> list[str]:
    fresh = variant.receipt.fresh_parts
    return [f"never trained: {', '.join(fresh)}"] if fresh else []


def _to_dict(
    args: argparse.Namespace, answer: str, seconds: float, notes: Sequence[str]
) -> dict[str, Any]:
    return {
        "question": args.question,
        "media": [{"kind": kind, "path": path} for kind, path in args.media],
        "answer": answer,
        "seconds": round(seconds, 3),
        "notes": list(notes),
    }


def conversation(
    question: str,
    media: Sequence[tuple[str, str]],
    *,
    start_s: float | None = None,
    end_s: float | None = None,
) -> list[dict[str, Any]]:
    """One user turn: the media in order, then the question.

    Args:
        question: In words.
        media: ``(image or video, path)``.
        start_s: Where the video begins to matter, in seconds.
        end_s: Where it ends.

    Raises:
        UsageError: no question, or times that make no sense.
    """
    if not question.strip():
        raise _nonsense("The question is empty.", "a question in words", "write what to ask")
    clip = {key: at for key, at in (("start_s", start_s), ("end_s", end_s)) if at is not None}
    if clip and not any(kind == "video" for kind, _ in media):
        raise _nonsense(
            "--start and --end need a video.",
            "--video FILE beside them",
            "add --video, or leave the times out",
        )
    if start_s is not None and end_s is not None and end_s <= start_s:
        raise _nonsense(
            f"The clip ends at {end_s:g} s and starts at {start_s:g} s.",
            "--start before --end",
            "exchange them, or leave one out",
        )
    parts: list[dict[str, Any]] = [
        {"type": kind, kind: path, **(clip if kind == "video" else {})} for kind, path in media
    ]
    return [{"role": "user", "content": [*parts, {"type": "text", "text": question}]}]


def _nonsense(what: str, expected: str, fix: str) -> UsageError:
    return UsageError(what, where="plm ask", expected=expected, fix=fix)


def _variant(args: argparse.Namespace) -> Variant:
    zoo = offered_zoo(args.plugin)
    if _is_saved(args.spec):
        return _loaded(args, zoo)
    return _assembled(args, zoo)


def _is_saved(spec: str) -> bool:
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
        f"plm ask ./{spec}",
    )


def _assembled(args: argparse.Namespace, zoo: Zoo) -> Variant:
    from plm_components.variant import assemble

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
    from plm_components.variant import load

    if args.overrides or args.init:
        raise _nonsense(
            "A saved variant takes neither overrides nor --init: its weights belong to its spec.",
            "these behind a spec's name or file only",
            "leave them out",
        )
    return load(args.spec, device=args.device, dtype=args.dtype, zoo=zoo)


def _stream(pieces: Iterable[str]) -> None:
    for piece in pieces:
        sys.stdout.write(piece)
        sys.stdout.flush()
    print()
