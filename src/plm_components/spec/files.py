"""Where specs lie: the shipped ones by name, others by path."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from plm_components.errors import SpecError
from plm_components.spec.read import MAX_BYTES, parse_yaml
from plm_components.zoo.suggest import did_you_mean

_SHIPPED = Path(__file__).parent.parent / "specs"


@dataclass(frozen=True)
class Origin:
    """A place a spec was read from.

    Args:
        label: How errors call it.
        file: Its file, resolved; None for a mapping.
    """

    label: str = field(compare=False)
    file: Path | None

    def __str__(self) -> str:
        return self.label


def shipped_specs() -> list[str]:
    """Names of the specs that come with the package."""
    return sorted(file.stem for file in _SHIPPED.glob("*.yaml"))


def origin_of(source: str | Path) -> Origin:
    """The place a user means: a shipped name, or a path (with a separator or ``.yaml``).

    Raises:
        SpecError: a bare name that is not shipped.
    """
    if isinstance(source, Path) or _looks_like_path(source):
        return _file_origin(Path(source), str(source))
    return _shipped_origin(source, "the spec", f"a path: ./{source}.yaml")


def base_origin(base: Any, child: Origin) -> Origin:
    """The place ``base:`` means: a shipped name, or a path from the file that says it.

    Raises:
        SpecError: it is no text, an unknown name, or a path that does not begin as one.
    """
    where = f"{child}: base"
    if not isinstance(base, str):
        raise SpecError(
            f"base is {base!r}.",
            where=where,
            expected="text: a shipped name, or a path that begins with ./ ../ or /",
            fix="name one spec",
        )
    if base.startswith(("./", "../", "/")):
        folder = child.file.parent if child.file is not None else Path()
        return _file_origin(folder / base, base)
    return _shipped_origin(base, where, f"a path that begins with ./ ../ or /, such as ./{base}")


def read_origin(origin: Origin) -> Any:
    """The YAML of a place, as plain data.

    Raises:
        SpecError: no such file, a directory, too large, not UTF-8, not YAML.
    """
    assert origin.file is not None  # mappings are never read again
    return parse_yaml(_text(origin.file, origin.label), origin.label)


def _looks_like_path(source: str) -> bool:
    return "/" in source or "\\" in source or source.endswith((".yaml", ".yml"))


def _file_origin(path: Path, label: str) -> Origin:
    try:
        return Origin(label, path.resolve())
    except (OSError, ValueError, RuntimeError) as error:  # a NUL in the name, a loop of links
        raise _unreadable(label, str(error), "name a YAML file") from None


def _shipped_origin(name: str, where: str, otherwise: str) -> Origin:
    names = shipped_specs()
    if name not in names:
        raise SpecError(
            f"No spec is named {name!r}.",
            where=where,
            expected=f"one of: {', '.join(names)}; or {otherwise}",
            fix=did_you_mean(name, names) or "choose one of these, or write the path of a file",
        )
    return Origin(name, _SHIPPED / f"{name}.yaml")


def _text(file: Path, label: str) -> str:
    try:
        if file.is_dir():
            inside = "; did you mean the plm.yaml in it?" if (file / "plm.yaml").is_file() else ""
            raise _unreadable(label, "it is a directory", f"name a YAML file{inside}")
        if file.exists() and not file.is_file():
            # a pipe would be waited for without end
            raise _unreadable(label, "it is no regular file", "name a YAML file")
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise _unreadable(label, f"it is over {MAX_BYTES} bytes", "name a spec's YAML file")
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        why = f"it is not UTF-8 text (byte {error.start})"
        raise _unreadable(label, why, "save it as UTF-8, or name another file") from None
    except (OSError, ValueError) as error:
        if isinstance(error, SpecError):
            raise
        why = getattr(error, "strerror", None) or str(error)
        raise _unreadable(label, why.lower(), "check the path") from None


def _unreadable(label: str, why: str, fix: str) -> SpecError:
    return SpecError(
        f"The spec cannot be read: {why}.",
        where=label,
        expected=f"a YAML file of at most {MAX_BYTES} bytes",
        fix=fix,
    )
