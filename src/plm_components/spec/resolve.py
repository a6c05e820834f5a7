"""From plain data to a tree of parts: every type found, every option checked, all faults told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plm_components.errors import Fault, PlmError, SpecError
from plm_components.spec.compose import Source, load_spec, spec_name
from plm_components.spec.interpolate import interpolate
from plm_components.spec.layout import (
    PROCESSOR_OPTIONS,
    RESERVED,
    SPEC_SLOTS,
    SPEC_VERSION,
    TOP_KEYS,
)
from plm_components.spec.meant import default_as_meant, part_as_meant
from plm_components.spec.offers import candidates_of
from plm_components.spec.option_types import Mismatch, shaped, type_text, value_fault
from plm_components.spec.plain import join, plain
from plm_components.spec.signature import MISSING, PartSignature, Slot, signature_of
from plm_components.spec.tree import Part, SpecTree, default_processor
from plm_components.spec.value_faults import value_text, wrong_type
from plm_components.zoo import KINDS, Entry, Zoo, default_zoo
from plm_components.zoo.suggest import did_you_mean

MAX_NESTING = 8


def resolve(spec: Source, zoo: Zoo | None = None, *, name: str | None = None) -> SpecTree:
    """Finds every part of a spec and checks every option. Imports the components it names.

    Args:
        spec: What ``load_spec`` returned, or anything it takes.
        zoo: Where parts are looked up; the default zoo if None.
        name: What to call the spec; its own name if None.

    Raises:
        SpecError: with all faults, each with its path.
    """
    data = load_spec(spec, zoo=zoo)
    name = name or spec_name(spec)
    resolver = _Resolver(zoo or default_zoo())
    resolver.check_keys(data)
    parts: dict[str, Part | None] = {}
    canonical: dict[str, Any] = {"plm": SPEC_VERSION}
    for slot, place in SPEC_SLOTS.items():
        need = Slot(slot, place.kind, None, repeated=False, optional=not place.required)
        parts[slot], written = resolver.slot(need, data.get(slot), slot, 0)
        if written is not None:
            canonical[slot] = written
    processor = resolver.processor(data.get("processor", {}))
    weights = resolver.reserved(data, "weights", str | None, "")
    media_ids = resolver.reserved(data, "media_token_ids", list[int] | None, "")
    if resolver.faults:
        raise SpecError.of(resolver.faults, spec=name)
    if processor:
        canonical["processor"] = processor
    if media_ids:
        canonical["media_token_ids"] = list(media_ids)
    if weights is not None:
        canonical["weights"] = weights
    options = {**default_processor(), **processor}
    return SpecTree(parts, weights, canonical, name, options, tuple(media_ids or ()))


def resolve_part(
    kind: str,
    value: str | Mapping[str, Any],
    zoo: Zoo | None = None,
    *,
    path: str,
    by: str | None = None,
) -> Part:
    """One part by itself, as a slot of a spec would hold it.

    Args:
        kind: Kind of the slot.
        value: The slot's value: a name, or ``type`` and options.
        zoo: Where parts are looked up; the default zoo if None.
        path: What to call the slot.
        by: The distribution that wrote the value; None for a user's.

    Raises:
        SpecError: with all faults, each with its path.
    """
    need = Slot(path, kind, None, repeated=False, optional=False)
    zoo = zoo or default_zoo()
    resolver = _Resolver(zoo)
    given = interpolate(plain({"part": value}, path))["part"]
    given = given if by is None else part_as_meant(kind, given, by, zoo)
    part, _ = resolver.slot(need, given, path, 0)
    if part is None or resolver.faults:
        raise SpecError.of(resolver.faults)
    return part


class _Resolver:
    """Walks the slots; each method notes its faults and goes on with what is left."""

    def __init__(self, zoo: Zoo) -> None:
        self._zoo = zoo
        self.faults: list[Fault] = []

    def check_keys(self, data: Mapping[str, Any]) -> None:
        """Notes top-level keys that no spec has."""
        for key in data:
            if key not in TOP_KEYS:
                self._note(
                    f"A spec has no slot {key!r}.",
                    key,
                    f"one of: {', '.join(TOP_KEYS)}",
                    did_you_mean(key, TOP_KEYS) or f"delete {key}",
                )

    def processor(self, value: Any) -> dict[str, Any]:
        """The processor's options that the spec sets."""
        if not isinstance(value, dict):
            options = ", ".join(PROCESSOR_OPTIONS)
            self._note(
                f"processor is {value_text(value)}, not a mapping.",
                "processor",
                f"a mapping of: {options}",
                "write processor: {layout: ...}",
            )
            return {}
        for key in value:
            if key not in PROCESSOR_OPTIONS:
                self._note(
                    f"The processor has no option {key!r}.",
                    join("processor", key),
                    f"one of: {', '.join(PROCESSOR_OPTIONS)}",
                    did_you_mean(key, PROCESSOR_OPTIONS) or f"delete the key {key}",
                )
        given = {name: kind for name, (kind, _) in PROCESSOR_OPTIONS.items() if name in value}
        return {
            name: self.reserved(value, name, annotation, "processor")
            for name, annotation in given.items()
        }

    def slot(
        self, slot: Slot, value: Any, path: str, depth: int, by: str | None = None
    ) -> tuple[Part | None, Any]:
        """The part of one slot, and how a canonical spec writes it; ``by`` declared its default."""
        if isinstance(value, str):
            value = {"type": value}
        if value is None and slot.default is not None and not slot.optional:
            value = {}
        if value is None:
            if not slot.optional:
                self._note_empty(slot, path)
            return None, None
        if not isinstance(value, dict):
            self._note(
                f"{path} is {value_text(value)}, not a part.",
                path,
                "a name, or a mapping with type",
                f"write {path}: {{type: ...}}",
            )
            return None, None
        if slot.default:
            value = {"type": default_as_meant(slot, by, self._zoo), **value}
        entry = self._entry(slot, value, path)
        loaded = self._load(entry, path, depth) if entry is not None else None
        if entry is None or loaded is None:
            return None, None
        return self._part(slot, value, path, depth, entry, *loaded)

    def reserved(self, value: Mapping[str, Any], word: str, annotation: Any, path: str) -> Any:
        """A reserved word's value, checked."""
        found = value.get(word)
        mismatch = value_fault(found, annotation)
        if mismatch is not None:
            self.faults.append(wrong_type(mismatch, join(path, word)))
        return found

    def _entry(self, slot: Slot, value: Mapping[str, Any], path: str) -> Entry | None:
        where = f"{path}.type"
        if "type" not in value:
            names = dict.fromkeys(entry.name for entry in self._zoo.entries(slot.kind))
            self._note(
                f"{path} has no type.", path, f"type: one of {', '.join(names)}", f"add {where}"
            )
            return None
        if not isinstance(value["type"], str):
            self.faults.append(wrong_type(Mismatch("", value["type"], str), where))
            return None
        try:
            return self._zoo.get(slot.kind, value["type"])
        except PlmError as error:
            self._note(error.what, where, error.expected, error.fix)
            return None

    def _load(self, entry: Entry, path: str, depth: int) -> tuple[type[Any], PartSignature] | None:
        if depth > MAX_NESTING:
            self._note(
                f"{entry.address} nests itself without end.",
                path,
                f"parts nested at most {MAX_NESTING} deep",
                "name another part for this slot",
            )
            return None
        try:
            cls = entry.load()
            return cls, signature_of(cls, entry.kind)
        except PlmError as error:
            self._note(error.what, f"{path}.type ({error.where})", error.expected, error.fix)
            return None

    def _part(
        self,
        slot: Slot,
        value: Mapping[str, Any],
        path: str,
        depth: int,
        entry: Entry,
        cls: type[Any],
        signature: PartSignature,
    ) -> tuple[Part, dict[str, Any]]:
        self._note_unknown(value, signature, entry, path)
        weights = self.reserved(value, "weights", str | None, path)
        trainable = self.reserved(value, "trainable", bool | None, path)
        options, written = self._options(value, signature, entry, path)
        children: dict[str, Part] = {}
        for name, inner in signature.slots.items():
            silent: dict[str, Any] | None = {} if inner.default else None
            given = value.get(name, silent)
            author = entry.provider.distribution
            child, child_written = self.slot(inner, given, join(path, name), depth + 1, author)
            written[name] = child_written
            if child is not None:
                children[name] = child
            else:
                options[name] = None
        said = {"type": value["type"], **written}
        said |= {word: value[word] for word in RESERVED[1:] if value.get(word) is not None}
        part = Part(
            path,
            slot.kind,
            entry,
            cls,
            options,
            children,
            slot.repeated,
            weights,
            trainable,
            candidates_of(signature, self._zoo, but=entry),
        )
        return part, said

    def _options(
        self, value: Mapping[str, Any], signature: PartSignature, entry: Entry, path: str
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Every option's value, and those that the spec itself sets, as plain data."""
        given: dict[str, Any] = {}
        for name, option in signature.options.items():
            if name not in value:
                if option.default is MISSING:
                    self._note_missing(entry, name, type_text(option.annotation), path)
                continue
            mismatch = value_fault(value[name], option.annotation)
            if mismatch is None:
                given[name] = value[name]
            else:
                self.faults.append(wrong_type(mismatch, join(path, name)))
        annotations = {name: option.annotation for name, option in signature.options.items()}
        options = {name: option.default for name, option in signature.options.items()}
        return options | shaped(given, annotations), dict(given)

    def _note_unknown(
        self, value: Mapping[str, Any], signature: PartSignature, entry: Entry, path: str
    ) -> None:
        kind = KINDS[entry.kind]
        sources = dict(zip(kind.wired, kind.wired_from, strict=True))
        known = [*signature.options, *signature.slots]
        for key in value:
            if key in sources:
                self._note(
                    f"{key} is derived from {sources[key]}.",
                    join(path, key),
                    f"options of {entry.address}: {', '.join(known) or 'none'}",
                    f"delete the key {key}",
                )
            elif key in signature.candidates:
                self._note(
                    f"{key} holds every other {signature.candidates[key]} there is.",
                    join(path, key),
                    f"options of {entry.address}: {', '.join(known) or 'none'}",
                    f"delete the key {key}",
                )
            elif key not in known and key not in RESERVED:
                self._note(
                    f"{entry.address} has no option {key!r}.",
                    join(path, key),
                    f"one of: {', '.join([*known, *RESERVED])}",
                    did_you_mean(key, [*known, *RESERVED]) or f"delete the key {key}",
                )

    def _note_missing(self, entry: Entry, name: str, wanted: str, path: str) -> None:
        self._note(
            f"{entry.address} needs {name}.", path, f"{name}: {wanted}", f"add {join(path, name)}"
        )

    def _note_empty(self, slot: Slot, path: str) -> None:
        names = dict.fromkeys(entry.name for entry in self._zoo.entries(slot.kind))
        self._note(
            f"{path} is empty.",
            path,
            f"a {slot.kind}, one of: {', '.join(names)}",
            f"add {path}: {{type: ...}}",
        )

    def _note(self, what: str, where: str, expected: str, fix: str) -> None:
        self.faults.append(Fault(what, where, expected, fix))
