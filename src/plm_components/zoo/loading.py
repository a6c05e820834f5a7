"""Loads one plugin. Whatever happens in it stays with it."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import replace
from importlib.metadata import EntryPoint
from traceback import format_exception

from plm_components.errors import PluginError
from plm_components.zoo.choice import STRICT, strict
from plm_components.zoo.entry import Entry
from plm_components.zoo.hooks import registered_by
from plm_components.zoo.plugin import Plugin
from plm_components.zoo.spec_file import SpecFile

# what no plugin needs before a spec asks for one of its parts
HEAVY = ("torch", "torchvision", "timm", "transformers", "triton", "jax", "tensorflow", "numpy")
SLOW_S = 0.2


def loaded(plugin: Plugin, point: EntryPoint) -> Plugin:
    """The plugin with its parts, or in quarantine. What it prints goes to stderr.

    Raises:
        PluginError: it fails, and the environment says that this raises.
    """
    before, began = _heavy(), time.thread_time()
    try:
        with redirect_stdout(sys.stderr):
            components, files = registered_by(point.load(), point.name)
        specs = tuple(SpecFile(file, plugin.provider) for file in files)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit at import is a plugin's failure too
        return quarantined(plugin, error)
    said = f"{point.name} = {point.value}"
    entries = tuple(Entry(component, plugin.provider, said) for component in components)
    new = [name for name in _heavy() if name not in before]
    notes = tuple(_notes(entries, new, time.thread_time() - began))
    return replace(plugin, entries=entries, notes=notes, specs=specs)


def quarantined(plugin: Plugin, error: BaseException) -> Plugin:
    """The plugin with what went wrong in it.

    Raises:
        PluginError: the environment says that this raises.
    """
    why = _one_line(error)
    if strict():
        raise _refusal(plugin, f"fails: {why}") from error
    return replace(plugin, aside="quarantined", why=why, traceback="".join(format_exception(error)))


def shadowed(plugin: Plugin, why: str) -> Plugin:
    """The plugin behind another that Python sees in its place.

    Raises:
        PluginError: the environment says that this raises.
    """
    if strict():
        raise _refusal(plugin, f"is shadowed: {why}")
    return replace(plugin, aside="shadowed", why=why)


def _heavy() -> list[str]:
    return [name for name in HEAVY if name in sys.modules]


def _notes(entries: tuple[Entry, ...], heavy: list[str], seconds: float) -> Iterator[str]:
    if not entries:
        yield "registers nothing"
    if heavy:
        yield f"imports {' and '.join(heavy)} to be listed"
    elif seconds > SLOW_S:
        yield f"takes {seconds:.1f} s to be listed"


def _one_line(error: BaseException) -> str:
    try:
        said = str(error).strip().splitlines()
    except Exception:  # even this is a plugin's code
        said = ["(its text cannot be had)"]
    name = type(error).__name__
    return f"{name}: {said[0]}" if said else name


def _refusal(plugin: Plugin, what: str) -> PluginError:
    return PluginError(
        f"The plugin {plugin.name} of {plugin.provider} {what.rstrip('.')}.",
        where=plugin.place,
        expected=f"a plugin that can be used: {STRICT} is set",
        fix=f"mend it, or unset {STRICT} to have it put aside",
    )
