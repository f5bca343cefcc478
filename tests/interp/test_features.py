"""Sets of features and how they are named."""

import pytest

from interp.syntax.features import FEATURES, NEEDS, SETS, VERSIONS, UnknownFeatureError, feature_set
from interp.syntax.instructions import OPS


@pytest.mark.parametrize("name", SETS)
def test_a_set_is_known_by_its_name(name: str) -> None:
    assert feature_set(name) == SETS[name]


def test_versions_grow() -> None:
    assert VERSIONS["1.0"] < VERSIONS["2.0"] < VERSIONS["3.0"] == set(FEATURES)
    assert SETS["2.0-no-simd"] == VERSIONS["2.0"] - {"simd"}


@pytest.mark.parametrize("name", FEATURES)
def test_a_feature_comes_with_what_it_needs_and_goes_with_what_needs_it(name: str) -> None:
    added = feature_set(f"1.0,{name}")
    assert added == {name} | NEEDS.get(name, frozenset())
    left = feature_set(f"3.0,-{name}")
    assert name not in left
    assert all(NEEDS.get(other, frozenset()) <= left for other in left)
    assert feature_set(f"3.0,-{name},{name}") >= added


def test_features_alone_are_added_to_the_first_version_or_left_out_of_the_last() -> None:
    assert feature_set("gc") == feature_set("1.0,gc")
    assert feature_set("simd,tail-call") == {"simd", "tail-call"}
    assert feature_set("-simd") == feature_set("3.0,-simd")


def test_every_feature_needs_only_earlier_ones_and_all_that_those_need() -> None:
    for name, needed in NEEDS.items():
        assert all(FEATURES.index(other) < FEATURES.index(name) for other in needed)
        assert all(NEEDS.get(other, frozenset()) <= needed for other in needed)


def test_the_instruction_table_names_only_these() -> None:
    assert {op.since for op in OPS} <= {"1.0", *FEATURES}


@pytest.mark.parametrize("text", ["", "4.0", "2.0,", "2.0,2.0", "2.0, gc", "2.0,--gc", "2.0,+gc", "simd,2.0", "2.0;gc"])
def test_what_names_no_set(text: str) -> None:
    with pytest.raises(UnknownFeatureError):
        feature_set(text)
