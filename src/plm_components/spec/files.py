"""Where specs lie: ours and those that plugins ship by name, others by path."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from plm_components.errors import DuplicateComponentError, SpecError
from plm_components.spec.read import MAX_BYTES, parse_yaml
from plm_components.zoo import OURS, Provider, SpecFile, Zoo, default_zoo
from plm_components.zoo.suggest import did_you_mean

_SHIPPED = Path(__file__).parent.parent / "specs"


@dataclass(frozen=True)
class Origin:
    """A place a spec was read from.

    Args:
        label: How errors call it.
        file: Its file, resolved; None for a mapping.
        by: The distribution that ships it; None for a user's.
    """

    label: str = field(compare=False)
    file: Path | None
    by: str | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return self.label


def shipped_specs() -> list[str]:
    """Names of the specs that come with the package."""
    return sorted(file.stem for file in _SHIPPED.glob("*.yaml"))


def origin_of(source: str | Path, zoo: Zoo | None = None) -> Origin:
    """The place a user means: a name, or a path (with a separator or ``.yaml``).

    Args:
        source: ``plm-tiny``, ``plm-foo:tiny-foo`` of a plugin, or a path.
        zoo: Whose plugins may ship it; the default zoo if None.

    Raises:
        SpecError: a name that no one ships.
        DuplicateComponentError: several ship it.
    """
    if isinstance(source, Path) or _looks_like_path(source):
        return _file_origin(Path(source), str(source))
    return _named_origin(source, zoo, "the spec", f"a path: ./{source}.yaml")


def base_origin(base: Any, child: Origin, zoo: Zoo | None = None) -> Origin:
    """The place ``base:`` means: a name, or a path from the file that says it.

    In a spec that a distribution ships, a name that several ship is its own, or else ours.

    Raises:
        SpecError: it is no text, an unknown name, or a path that does not begin as one.
        DuplicateComponentError: several ship it.
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
        return replace(_file_origin(folder / base, base), by=child.by)
    otherwise = f"a path that begins with ./ ../ or /, such as ./{base}"
    return _named_origin(base, zoo, where, otherwise, by=child.by)


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


def _named_origin(
    name: str, zoo: Zoo | None, where: str, otherwise: str, *, by: str | None = None
) -> Origin:
    specs = [*_ours(), *(zoo or default_zoo()).specs]
    distribution, _, short = name.rpartition(":")
    found = [spec for spec in specs if spec.name == short]
    if distribution:
        found = _of(distribution, found)
    if len(found) > 1 and by is not None:
        found = _of(by, found) or _of(OURS, found) or found
    if len(found) > 1:
        raise _several(name, found, where)
    if not found:
        names = [_spelling(spec) for spec in specs]
        raise SpecError(
            f"No spec is named {name!r}.",
            where=where,
            expected=f"one of: {', '.join(names)}; or {otherwise}",
            fix=did_you_mean(name, names) or "choose one of these, or write the path of a file",
        )
    return Origin(name, found[0].file, found[0].provider.distribution)


def _of(distribution: str, specs: list[SpecFile]) -> list[SpecFile]:
    return [spec for spec in specs if spec.provider.answers_to(distribution)]


def _ours() -> list[SpecFile]:
    from plm_components import __version__

    provider = Provider(OURS, __version__)
    return [SpecFile(_SHIPPED / f"{name}.yaml", provider) for name in shipped_specs()]


def _spelling(spec: SpecFile) -> str:
    return spec.name if spec.provider.distribution == OURS else spec.qualified


def _several(name: str, found: list[SpecFile], where: str) -> DuplicateComponentError:
    choices = list(dict.fromkeys(spec.qualified for spec in found))
    fix = f"choose one by its distribution: {' or '.join(choices)}"
    if len(choices) == 1:
        fix = f"{choices[0]} is both {' and '.join(str(spec.file) for spec in found)}: rename one"
    return DuplicateComponentError(
        f"The spec {name} is shipped more than once: by "
        f"{' and '.join(dict.fromkeys(str(spec.provider) for spec in found))}.",
        where=where,
        expected="one provider of a name",
        fix=fix,
    )


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
