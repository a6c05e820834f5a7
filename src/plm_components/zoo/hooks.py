"""The hooks, and how they are called: a manager for each plugin, so what fails, fails alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType

from pluggy import HookimplMarker, HookspecMarker, PluginManager

from plm_components.errors import PluginError
from plm_components.zoo.component import Component

PROJECT = "plm_components"
HOOK = "plm_register_components"

hookspec = HookspecMarker(PROJECT)
hookimpl = HookimplMarker(PROJECT)


class _Hooks:
    @hookspec
    def plm_register_components(self) -> Iterable[Component]:  # type: ignore[empty-body]
        """Yields the components of this plugin. Import no torch here: targets are strings."""

    @hookspec
    def plm_register_specs(self) -> Iterable[Path]:  # type: ignore[empty-body]
        """Yields the files of specs that this plugin ships; the stem of each is its name."""


def hooks() -> dict[str, Callable[..., object]]:
    """Every hook by name, as it is specified."""
    return {name: hook for name, hook in vars(_Hooks).items() if not name.startswith("_")}


def components_of(plugin: object, name: str) -> list[Component]:
    """Calls the hook of one plugin that every plugin has.

    Args:
        plugin: A module or an object with ``@hookimpl`` functions.
        name: What the plugin is called in errors.

    Raises:
        PluginError: it has no such hook, or the hook yields something else than components.
        pluggy.PluginValidationError: the hook has a wrong signature or an unknown name.
    """
    return _components(_manager(plugin, name), plugin, name)


def registered_by(plugin: object, name: str) -> tuple[list[Component], list[Path]]:
    """Calls both hooks of one plugin: its components, and the files of specs that it ships.

    Args:
        plugin: As for :func:`components_of`.
        name: What the plugin is called in errors.

    Raises:
        PluginError: as :func:`components_of`.
        pluggy.PluginValidationError: as :func:`components_of`.
    """
    manager = _manager(plugin, name)
    components = _components(manager, plugin, name)
    results = manager.hook.plm_register_specs()
    return components, [file for result in results for file in result]


def _components(manager: PluginManager, plugin: object, name: str) -> list[Component]:
    if not manager.hook.plm_register_components.get_hookimpls():
        raise PluginError(
            f"{name} has no hook {HOOK}.",
            where=_place(plugin),
            expected=f"a function {HOOK}() marked @hookimpl",
            fix="decorate it: from plm_components import hookimpl",
        )
    results = manager.hook.plm_register_components()
    if not results:
        raise PluginError(
            f"{name} registers None, which is no list of components.",
            where=_place(plugin),
            expected="Component(kind, name, target) objects",
            fix=f"yield or return them from {HOOK}",
        )
    found = [item for result in results for item in result]
    for item in found:
        if not isinstance(item, Component):
            raise PluginError(
                f"{name} registers {item!r}, which is no component.",
                where=_place(plugin),
                expected="Component(kind, name, target) objects",
                fix=f"yield only Component objects from {HOOK}",
            )
    return found


def _manager(plugin: object, name: str) -> PluginManager:
    manager = PluginManager(PROJECT)
    manager.add_hookspecs(_Hooks)
    manager.register(plugin, name)
    manager.check_pending()
    return manager


def _place(plugin: object) -> str:
    module = plugin if isinstance(plugin, ModuleType) else type(plugin)
    return str(getattr(module, "__file__", None) or module.__name__)
