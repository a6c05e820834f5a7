"""The conformance kit: what every kind promises, as checks that any part can be run through.

Independent of pytest: ``conformance(entry)`` returns results. ``plm_components.testing.plugin`` is
a thin pytest plugin over it. Importing this package loads neither torch nor pytest.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from plm_components.testing.outcome import Broken, CheckResult, NotApplicable

if TYPE_CHECKING:
    from plm_components.testing.cases import Case, cases_of
    from plm_components.testing.pytest_cases import conformance_test
    from plm_components.testing.roster import Check, checks_for
    from plm_components.testing.trial import Trial, conformance, trials
    from plm_components.testing.validation import Validation, validate

_HOMES = {
    "Case": "cases",
    "Check": "roster",
    "Trial": "trial",
    "Validation": "validation",
    "cases_of": "cases",
    "checks_for": "roster",
    "conformance": "trial",
    "conformance_test": "pytest_cases",
    "trials": "trial",
    "validate": "validation",
}

__all__ = [
    "Broken",
    "Case",
    "Check",
    "CheckResult",
    "NotApplicable",
    "Trial",
    "Validation",
    "cases_of",
    "checks_for",
    "conformance",
    "conformance_test",
    "trials",
    "validate",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
