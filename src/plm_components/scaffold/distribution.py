"""Templates to a folder: names put in by plain substitution, written whole or not at all."""

from __future__ import annotations

import re
import shutil
import tempfile
from importlib import resources
from pathlib import Path

from plm_components import __version__
from plm_components.errors import UsageError
from plm_components.scaffold.names import Names
from plm_components.zoo import Zoo, default_zoo

# template -> file of the distribution; every name in it is a placeholder of _placeholders
_COMMON = {
    "pyproject.toml": "pyproject.toml",
    "README.md": "README.md",
    "LICENSE": "LICENSE",
    "ci.yml": ".github/workflows/test.yml",
    "register.py": "src/plm_my_part/__init__.py",
    "test_conformance.py": "tests/test_conformance.py",
}
_OF_A_KIND = {
    "part.py": "src/plm_my_part/my_part.py",
    "conformance.yaml": "src/plm_my_part/conformance.yaml",
    "test_part.py": "tests/test_my_part.py",
    "test_speed.py": "benchmarks/test_my_part_speed.py",
}
# how a README puts the part into plm-tiny; elsewhere the slot is named like the kind
_OVERRIDES = {
    # another type of decoder keeps nothing of the old one, its block included
    "decoder": "decoder={type: my_part, block: {num_heads: 6, num_kv_heads: 3, ffn_dim: 512}}",
    "decoder_block": "decoder.block={type: my_part}",
    "attention": "decoder.block.attention={type: my_part}",
    "pooling": "projector.pooling={type: my_part}",
}
_MODE = 0o755
# over 100 columns, which a long name makes of it, a formatter breaks it like this
_LONG_IMPORT = re.compile(r"^(?=.{101})(from \S+ import) (.+)$", re.M)


def new_distribution(
    name: str, kind: str, *, into: str | Path = ".", zoo: Zoo | None = None
) -> list[Path]:
    """Writes a distribution with one part that works, its tests and its benchmark.

    It builds a wheel, keeps its promises and is listed where it is installed, as it is.

    Args:
        name: Of the distribution, ``plm-gated-pool``; the part is ``gated_pool``.
        kind: Of the part.
        into: The folder that gets a new folder of that name.
        zoo: Where the part's name must be free; the default zoo.

    Returns:
        Every file written, the folder's first.

    Raises:
        UsageError: a name that is taken or malformed, or a folder that exists; nothing is written.
    """
    names = Names(name, kind)
    names.refuse_unusable(default_zoo() if zoo is None else zoo)
    folder = Path(into) / name
    if folder.exists() or folder.is_symlink():
        raise UsageError(
            f"{folder} exists already.",
            where="plm plugins new",
            expected="a place where nothing is yet",
            fix="choose another name or --into FOLDER, or take it away",
        )
    files = _files(names)
    folder.parent.mkdir(parents=True, exist_ok=True)
    # beside its place: a move within one file system is whole or not at all
    unfinished = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=folder.parent))
    try:
        for place, text in files.items():
            path = unfinished / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        unfinished.chmod(_MODE)
        unfinished.rename(folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    return [folder / place for place in files]


def _files(names: Names) -> dict[str, str]:
    """Place in the distribution -> text, the empty ``py.typed`` among them."""
    templates = resources.files("plm_components.scaffold") / "templates"
    part = (templates / names.kind / "part.py").read_text(encoding="utf-8")
    words = _placeholders(names, summary=part.splitlines()[0].strip('".'))
    sources = {templates / "common" / source: place for source, place in _COMMON.items()}
    sources |= {templates / names.kind / source: place for source, place in _OF_A_KIND.items()}
    sources_of = {place: source.read_text(encoding="utf-8") for source, place in sources.items()}
    sources_of["src/plm_my_part/py.typed"] = ""
    return {_filled(place, words): _filled(text, words) for place, text in sources_of.items()}


def _placeholders(names: Names, *, summary: str) -> dict[str, str]:
    override = _OVERRIDES.get(names.kind, f"{names.kind}={{type: my_part}}")
    return {
        "plm-my-part": names.distribution,
        "plm_my_part": names.package,
        "my_part": names.part,
        "MyPart": names.class_name,
        "a_kind": names.kind,
        "AN_OVERRIDE": override.replace("my_part", names.part),
        "A_SUMMARY": summary,
        "A_VERSION": __version__,
    }


def _filled(text: str, words: dict[str, str]) -> str:
    # in one pass: a name that is put in is never looked at again
    filled = re.sub("|".join(map(re.escape, words)), lambda found: words[found[0]], text)
    return _LONG_IMPORT.sub(r"\1 (\n    \2,\n)", filled)
