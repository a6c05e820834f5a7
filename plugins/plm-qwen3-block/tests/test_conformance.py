"""Every promise of a decoder block's contract, as plm_components checks it."""

from plm_components.testing import conformance_test

test_conformance = conformance_test("plm-qwen3-block")
