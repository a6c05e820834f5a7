"""Everything that is registered: declarations, discovery, exact look-up. Imports no torch."""

from plm_components.zoo.component import OURS, Component, Provider
from plm_components.zoo.entry import Entry
from plm_components.zoo.hooks import hookimpl, hookspec
from plm_components.zoo.kinds import KINDS, Kind
from plm_components.zoo.licenses import NOT_STATED, code_license
from plm_components.zoo.plugin import Plugin
from plm_components.zoo.registry import Zoo, add_file, default_zoo, list_components
from plm_components.zoo.spec_file import SpecFile

__all__ = [
    "KINDS",
    "NOT_STATED",
    "OURS",
    "Component",
    "Entry",
    "Kind",
    "Plugin",
    "Provider",
    "SpecFile",
    "Zoo",
    "add_file",
    "code_license",
    "default_zoo",
    "hookimpl",
    "hookspec",
    "list_components",
]
