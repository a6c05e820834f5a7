"""Every registered part keeps the promises of its kind: a new one is tested once registered."""

from __future__ import annotations

from plm_components.testing import conformance_test
from plm_components.zoo.kinds import KINDS

test_conformance = conformance_test(*KINDS)
