"""Plugins that misbehave, one way each, and what becomes of each of them."""

from __future__ import annotations

from typing import NamedTuple

from plugin_dists import HEAD, Site, registering


class Case(NamedTuple):
    """One plugin, in a distribution of its own.

    Args:
        source: Its module.
        state: What becomes of it.
        said: In its reason, or in its notes where it loads.
        parts: What it registers all the same.
    """

    source: str
    state: str
    said: str = ""
    parts: tuple[str, ...] = ()

    def install(self, site: Site, name: str) -> None:
        """Writes it as the distribution ``plm-m-NAME``."""
        site.plugin(f"plm_m_{name}", self.source)


def _hook(signature: str, *lines: str) -> str:
    body = "".join(f"    {line}\n" for line in lines)
    return f"{HEAD}@hookimpl\ndef {signature}:\n{body}"


HOOK = "plm_register_components"
FINE = "'projector', 'fine', 'fractions:Fraction'"

QUARANTINED = {
    "import_error": Case("import no_such_module_at_all", "quarantined", "ModuleNotFoundError: No"),
    "syntax_error": Case("def broken(:", "quarantined", "SyntaxError: invalid syntax"),
    "exits": Case("raise SystemExit(1)", "quarantined", "SystemExit: 1"),
    "exits_in_its_hook": Case(_hook(f"{HOOK}()", "raise SystemExit"), "quarantined", "SystemExit"),
    "wrong_signature": Case(
        _hook(f"{HOOK}(zoo)", "return []"), "quarantined", "PluginValidationError: "
    ),
    "unknown_hook": Case(
        _hook("plm_register_component()", "return []"), "quarantined", "PluginValidationError: "
    ),
    "hook_named_differently": Case(
        f"{HEAD}def register_components():\n    return [Component({FINE})]\n",
        "quarantined",
        f"plm-m-hook-named-differently has no hook {HOOK}.",
    ),
    "undecorated": Case(f"def {HOOK}():\n    return []\n", "quarantined", "has no hook"),
    "nothing_in_it": Case("x = 1", "quarantined", "has no hook"),
    "nonsense": Case(
        _hook(f"{HOOK}()", "return [42]"), "quarantined", "registers 42, which is no component."
    ),
    "number": Case(_hook(f"{HOOK}()", "return 42"), "quarantined", "TypeError: 'int' object"),
    "none": Case(_hook(f"{HOOK}()", f"[Component({FINE})]"), "quarantined", "registers None"),
    "fails_half_way": Case(
        _hook(
            f"{HOOK}()",
            "yield Component('projector', 'half', 'fractions:Fraction')",
            "raise RuntimeError('half way')",
        ),
        "quarantined",
        "RuntimeError: half way",
    ),
    "bad_kind": Case(
        registering("'projectr', 'x', 'fractions:Fraction'"),
        "quarantined",
        "ContractError: There is no kind 'projectr'.",
    ),
    "error_without_text": Case(
        "class Odd(Exception):\n    def __str__(self):\n        raise ValueError\nraise Odd\n",
        "quarantined",
        "Odd: (its text cannot be had)",
    ),
    "error_with_notes": Case(
        "error = OSError('first')\nerror.add_note('last')\nraise error\n",
        "quarantined",
        "OSError: first",
    ),
}

OTHERS = {
    "name_of_ours": Case(
        registering("'projector', 'linear', 'fractions:Fraction'"),
        "loaded",
        parts=("projector/linear",),
    ),
    "twin": Case(
        registering("'projector', 'twin', 'fractions:Fraction'"),
        "loaded",
        parts=("projector/twin",),
    ),
    "other_twin": Case(
        registering("'projector', 'twin', 'decimal:Decimal'"),
        "loaded",
        parts=("projector/twin",),
    ),
    "target_missing": Case(
        registering("'projector', 'nowhere', 'no_such_module_at_all:Pool'"),
        "loaded",
        parts=("projector/nowhere",),
    ),
    "newer": Case(
        registering("'projector', 'newer', 'fractions:Fraction', contract=2"),
        "incompatible",
        "speaks contract 2 of projector, newer than the 1 spoken here",
        ("projector/newer",),
    ),
    "needy": Case(
        registering("'projector', 'needy', 'fractions:Fraction', requires=('plm-absent>=3',)"),
        "unavailable",
        "needs plm-absent>=3, which is not installed",
        ("projector/needy",),
    ),
    "prints": Case(
        "import os, sys\n"
        "print('printed at import')\n"
        "sys.stdout.write('written at import')\n"
        "os.system('echo echoed at import')\n"
        + _hook(
            f"{HOOK}()",
            "print('printed in the hook')",
            "yield Component('projector', 'printing', 'fractions:Fraction')",
        ),
        "loaded",
        parts=("projector/printing",),
    ),
    "silent": Case(_hook(f"{HOOK}()", "return []"), "loaded", "registers nothing"),
}

CASES = QUARANTINED | OTHERS

# loads well, and takes everyone's time: tried where torch is a stand-in
HEAVY = "import torch\n" + registering("'projector', 'heavy', 'fractions:Fraction'")


def install_all(site: Site) -> None:
    """Every case at once, between two that behave."""
    site.plugin("plm_a_good", registering("'projector', 'a_good', 'fractions:Fraction'"))
    for name, case in CASES.items():
        case.install(site, name)
    site.plugin("plm_z_good", registering("'projector', 'z_good', 'fractions:Fraction'"))
