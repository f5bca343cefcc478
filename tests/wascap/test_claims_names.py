"""What people see of claims: display names, call aliases, identifiers."""

import pytest

from wascap import (
    AccountMetadata,
    ActorMetadata,
    CapabilityProviderMetadata,
    Claims,
    ClusterMetadata,
    InvocationMetadata,
    OperatorMetadata,
    new_nuid,
    normalize_call_alias,
)


@pytest.mark.parametrize(
    ("metadata", "name"),
    [
        (ActorMetadata(), "Anonymous"),
        (AccountMetadata(), "Anonymous"),
        (OperatorMetadata(), "Anonymous"),
        (ClusterMetadata(), "Anonymous Cluster"),
        (CapabilityProviderMetadata(capability_id="c", vendor="v", target_hashes={}), "Unnamed Provider"),
        (InvocationMetadata(target_url="wasmbus://a", origin_url="o", hash="h"), "wasmbus://a"),
        (None, "Anonymous"),
        (ActorMetadata(name="Echo"), "Echo"),
        (AccountMetadata(name=""), ""),
    ],
)
def test_display_names(metadata, name: str) -> None:
    assert Claims(issuer="A", subject="S", metadata=metadata).display_name == name


@pytest.mark.parametrize(
    ("text", "alias"),
    [("My Actor", "my_actor"), ("  a-b.c d  ", "a_b_c_d"), ("Grüße-😀.X", "gre__x"), ("", ""), ("a_b", "a_b")],
)
def test_call_aliases(text: str, alias: str) -> None:
    assert normalize_call_alias(text) == alias


def test_nuids() -> None:
    nuids = {new_nuid() for _ in range(1000)}
    assert len(nuids) == 1000
    assert all(len(nuid) == 22 and nuid.isascii() and nuid.isalnum() for nuid in nuids)
