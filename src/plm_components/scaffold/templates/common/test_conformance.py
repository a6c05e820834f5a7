"""Every promise of the contract, as plm_components checks it."""

from plm_components.testing import conformance_test

test_conformance = conformance_test("plm-my-part")
