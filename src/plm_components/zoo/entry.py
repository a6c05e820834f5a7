"""A registered component with its provider: whether it can be used here, and its class."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import Any, Literal, NoReturn

from plm_components.errors import PluginError, UnavailableError
from plm_components.zoo.component import Component, Provider
from plm_components.zoo.kinds import KINDS
from plm_components.zoo.requirements import missing_device, missing_package, unresolved_devices

Status = Literal["available", "unavailable"]


@dataclass(frozen=True)
class Entry:
    """One line of the zoo.

    Args:
        component: What is registered.
        provider: Who registered it.
    """

    component: Component
    provider: Provider

    @property
    def kind(self) -> str:
        """The component's kind."""
        return self.component.kind

    @property
    def name(self) -> str:
        """The component's name within its kind."""
        return self.component.name

    @property
    def address(self) -> str:
        """``kind/name``."""
        return self.component.address

    @property
    def qualified(self) -> str:
        """``dist:name``, which is never ambiguous between providers."""
        return f"{self.provider.distribution}:{self.name}"

    @cached_property
    def _missing(self) -> str | None:
        spoken = KINDS[self.kind].contract
        if self.component.contract != spoken:
            return f"speaks contract {self.component.contract} of {self.kind}; this is {spoken}"
        return missing_package(self.component.requires)

    @property
    def status(self) -> Status:
        """Unavailable where the contract or a distribution does not fit; devices are not asked."""
        return "available" if self._missing is None else "unavailable"

    @property
    def reason(self) -> str | None:
        """Why it is unavailable, or the devices it will ask for (``needs cuda``)."""
        return self._missing or unresolved_devices(self.component.requires)

    def load(self) -> type[Any]:
        """Imports the target.

        Raises:
            UnavailableError: a requirement or a device is missing, or the contract differs.
            PluginError: the target cannot be imported or is no class.
        """
        reason = self._missing or missing_device(self.component.requires)
        if reason is not None:
            raise UnavailableError(
                f"{self.address} is unavailable: it {reason}.",
                where=f"{self.address}, from {self.provider}",
                expected=self._wanted(),
                fix=f"meet the requirement, or choose another {self.kind} (plm list {self.kind})",
            )
        return self._import()

    def _wanted(self) -> str:
        return ", ".join(self.component.requires) or f"contract {KINDS[self.kind].contract}"

    def _import(self) -> type[Any]:
        module_name, _, path = self.component.target.partition(":")
        try:
            found: Any = import_module(module_name)
            for attribute in path.split("."):
                found = getattr(found, attribute)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a plugin may even call sys.exit
            self._wrong_target(f"{type(error).__name__}: {error}", error)
        if not isinstance(found, type):
            self._wrong_target(f"it is {found!r}, no class", None)
        return found

    def _wrong_target(self, why: str, cause: BaseException | None) -> NoReturn:
        raise PluginError(
            f"The target of {self.address} cannot be used: {why}.",
            where=f"{self.component.target}, from {self.provider}",
            expected="a class that can be imported",
            fix=f"mend the target, or report it to {self.provider.distribution}",
        ) from cause
