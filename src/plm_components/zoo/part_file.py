"""A part that is not published: one Python file, named by whoever runs it, never by a spec."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from dataclasses import replace
from hashlib import sha256
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from plm_components.errors import PluginError
from plm_components.zoo.component import UNPUBLISHED, Component, Provider
from plm_components.zoo.hooks import HOOK, components_of, hookimpl


def read_part_file(path: str | Path) -> tuple[Provider, list[Component]]:
    """Runs a part file and asks its hook. What it prints goes to stderr.

    Args:
        path: A ``.py`` file with ``plm_register_components()``; ``@hookimpl`` may be left out.

    Raises:
        PluginError: the file is missing, fails, or registers nothing.
    """
    file = Path(path)
    try:
        digest = sha256(file.read_bytes()).hexdigest()
    except (OSError, ValueError) as error:
        raise _refusal(file, f"cannot be read: {error}", "a Python file") from error
    with redirect_stdout(sys.stderr):
        module = _module(file.resolve(), digest)
        hook = getattr(module, HOOK, None)
        if callable(hook):
            hookimpl(hook)
        found = _ask(module, file)
    components = [_at_home(one, file.stem, module.__name__) for one in found]
    return Provider(_display(file), UNPUBLISHED, digest), components


def _module(file: Path, digest: str) -> ModuleType:
    # named by content and place: the same file twice is one module, two files never collide
    name = f"plm_part_file_{sha256(f'{file}:{digest}'.encode()).hexdigest()[:16]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise _refusal(file, "is no Python file", "a file whose name ends in .py")
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, KeyboardInterrupt):
            raise
        raise _failed(file, error) from error
    return module


def _ask(module: ModuleType, file: Path) -> list[Component]:
    try:
        return components_of(module, str(file))
    except (PluginError, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise _failed(file, error) from error


def _at_home(component: Component, stem: str, module: str) -> Component:
    """A target that names the file itself (``my_part:Pool``) means the module just loaded."""
    home, _, path = component.target.partition(":")
    return replace(component, target=f"{module}:{path}") if home == stem else component


def _display(file: Path) -> str:
    text = file.as_posix()
    return text if text.startswith(("/", "./", "../")) else f"./{text}"


def _failed(file: Path, error: BaseException) -> PluginError:
    return _refusal(file, f"failed: {type(error).__name__}: {error}", "a part file that runs")


def _refusal(file: Path, what: str, expected: str) -> PluginError:
    return PluginError(
        f"The part file {_display(file)} {what}.",
        where=str(file),
        expected=expected,
        fix="mend the file, or leave it out",
    )
