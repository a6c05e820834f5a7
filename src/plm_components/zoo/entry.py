"""A registered component with its provider: whether it can be used here, and its class."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from typing import Any, Literal, NoReturn

from plm_components.errors import PluginError, UnavailableError
from plm_components.zoo.component import Component, Provider
from plm_components.zoo.kinds import KINDS
from plm_components.zoo.requirements import (
    found_versions,
    is_device,
    missing_device,
    missing_package,
    unresolved_devices,
)

Status = Literal["available", "unavailable", "incompatible"]


@dataclass(frozen=True)
class Entry:
    """One line of the zoo.

    Args:
        component: What is registered.
        provider: Who registered it.
        entry_point: Of its plugin, as its metadata say it (``qwen3 = plm_qwen3_block``); None for
            ours and for part files.
    """

    component: Component
    provider: Provider
    # by two entry points of one distribution it is still one part
    entry_point: str | None = field(default=None, compare=False)

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

    @property
    def edition(self) -> str:
        """What a measurement is of: ``0.1.0``, or ``0.1.0 with flash-attn 2.8.3`` if it needs that.

        Of a part file it is the beginning of its hash.
        """
        made = self.provider
        own = made.version if made.sha256 is None else f"sha256 {made.sha256[:12]}"
        needed = ", ".join(found_versions(self.component.requires))
        return f"{own} with {needed}" if needed else own

    @cached_property
    def _obstacle(self) -> tuple[Status, str | None]:
        spoken, here = self.component.contract, KINDS[self.kind].contract
        if spoken != here:
            age = "newer" if spoken > here else "older"
            return (
                "incompatible",
                f"speaks contract {spoken} of {self.kind}, {age} than the {here} spoken here",
            )
        missing = missing_package(self.component.requires)
        return ("available", None) if missing is None else ("unavailable", missing)

    @property
    def status(self) -> Status:
        """Whether its contract and the distributions it needs fit; devices are not asked."""
        return self._obstacle[0]

    @property
    def reason(self) -> str | None:
        """Why it is not available, or the devices it will ask for (``needs cuda``)."""
        return self._obstacle[1] or unresolved_devices(self.component.requires)

    @property
    def remedy(self) -> str:
        """What to type or do where it is not available."""
        if self.status == "incompatible":
            newer = self.component.contract > KINDS[self.kind].contract
            return f"update {'plm-components' if newer else self.provider.distribution}"
        wanted = " ".join(f"'{name}'" for name in self.component.requires if not is_device(name))
        return f"pip install {wanted}"

    def load(self) -> type[Any]:
        """Imports the target.

        Raises:
            UnavailableError: a requirement or a device is missing, or the contract differs.
            PluginError: the target cannot be imported or is no class.
        """
        reason = self._obstacle[1] or missing_device(self.component.requires)
        if reason is None:
            return self._import()
        differs = self.status == "incompatible"
        wanted = f"contract {KINDS[self.kind].contract}"
        raise UnavailableError(
            f"{self.address} is {'incompatible' if differs else 'unavailable'}: it {reason}.",
            where=f"{self.address}, from {self.provider}",
            expected=wanted if differs else ", ".join(self.component.requires),
            fix=f"{self.remedy if differs else 'meet the requirement'}, "
            f"or choose another {self.kind} (plm list {self.kind})",
        )

    def _import(self) -> type[Any]:
        module_name, _, path = self.component.target.partition(":")
        try:
            with redirect_stdout(sys.stderr):  # what it prints is no answer of ours
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
