"""The licence of code, as metadata of every age state it."""

import pytest

from plm_components.zoo import NOT_STATED, Provider, code_license

OSI = "Classifier: License :: OSI Approved"


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ("License-Expression: MIT OR Apache-2.0\n", "MIT OR Apache-2.0"),
        (f"License: GPL\nLicense-Expression: MIT\n{OSI} :: BSD License\n", "MIT"),
        (f"License: GPL v3\n{OSI} :: BSD License\n", "GPL v3"),
        (f"License: UNKNOWN\n{OSI} :: BSD License\n", "BSD License"),
        ("License: MIT License\n        \n        Permission is hereby granted\n", "MIT License"),
        (f"{OSI} :: MIT License\n{OSI} :: BSD License\n", "MIT License, BSD License"),
        ("Classifier: License :: Free for non-commercial use\n", "Free for non-commercial use"),
        (f"{OSI}\nClassifier: Topic :: License :: Office\n", NOT_STATED),
        ("License-Expression: \x1b[2Jfree\n", "\\x1b[2Jfree"),
        ("", NOT_STATED),
    ],
)
def test_what_is_stated_first_is_taken(site, stated, expected):
    site.distribution("plm-stating", None, stated=stated)
    assert code_license(Provider("plm-stating", "1.0")) == expected


def test_a_whole_text_in_place_of_a_name_is_cut(site):
    site.distribution("plm-stating", None, stated=f"License: {'free ' * 100}\n")
    assert code_license(Provider("plm-stating", "1.0")).endswith("… (499 characters)")


def test_what_no_distribution_provides_states_nothing(site):
    # a distribution may be called as an unpublished provider is
    site.distribution("python", None, stated="License: MIT\n")
    assert code_license(Provider("python", "unpublished")) == NOT_STATED
    assert code_license(Provider("./my_part.py", "unpublished", "ab" * 32)) == NOT_STATED
    assert code_license(Provider("plm-that-is-gone", "1.0")) == NOT_STATED


def test_ours_is_that_of_this_project():
    assert code_license(Provider("plm-components", "0.1.0")) == "Apache-2.0"
