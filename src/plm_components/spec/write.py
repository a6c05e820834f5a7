"""Plain data to YAML text that this package, and any other YAML reader, reads back equal."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from plm_components.spec.read import FLOAT

_BREAKS = frozenset("\r\n\x85\u2028\u2029\ufeff")


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]  # PyYAML ships no types
    """Quotes what either YAML 1.1 or this reader would take for something else than text."""

    yaml_implicit_resolvers = {  # noqa: RUF012 (PyYAML's own registry)
        first: list(rules) for first, rules in yaml.SafeDumper.yaml_implicit_resolvers.items()
    }

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: _Dumper, data: str) -> yaml.Node:
    # PyYAML writes some line breaks as they are, and reads them back as spaces
    breaks = not _BREAKS.isdisjoint(data)
    return dumper.represent_scalar("tag:yaml.org,2002:str", data, style='"' if breaks else None)


_Dumper.add_representer(str, _text)
_Dumper.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(f"(?:{FLOAT.pattern})$"), list("-+.0123456789")
)


def dump_yaml(data: Mapping[str, Any]) -> str:
    """YAML text that ``parse_yaml`` reads back equal."""
    return str(yaml.dump(dict(data), Dumper=_Dumper, sort_keys=False, allow_unicode=True))
