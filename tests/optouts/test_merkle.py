"""The Merkle tree: appending by the frontier gives the root of RFC 9162."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.optouts.merkle import EMPTY, Frontier, leaf_hash

entries = st.lists(st.binary(max_size=8), max_size=40)


def _root_by_definition(data: list[bytes]) -> bytes:
    """RFC 9162, 2.1.1, as it stands there."""
    if not data:
        return sha256().digest()
    if len(data) == 1:
        return sha256(b"\x00" + data[0]).digest()
    k = 1
    while k * 2 < len(data):
        k *= 2
    left, right = _root_by_definition(data[:k]), _root_by_definition(data[k:])
    return sha256(b"\x01" + left + right).digest()


def _grown(data: list[bytes]) -> Frontier:
    frontier = EMPTY
    for entry in data:
        frontier = frontier.append(leaf_hash(entry))
    return frontier


def test_every_size_to_two_hundred() -> None:
    """At each size on the way, the frontier's root is the tree's by definition."""
    data = [number.to_bytes(2) for number in range(200)]
    frontier = EMPTY
    assert frontier.root() == _root_by_definition([])
    for size, entry in enumerate(data, start=1):
        frontier = frontier.append(leaf_hash(entry))
        assert frontier.size == size
        assert len(frontier.nodes) == size.bit_count()
        assert frontier.root() == _root_by_definition(data[:size])


@pytest.mark.parametrize(
    ("size", "root"),
    [
        (0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
        (8, "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"),
    ],
)
def test_certificate_transparency_s_own_values(size: int, root: str) -> None:
    """The roots agree with those that other implementations are checked against."""
    data = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657"]
    data.append("606162636465666768696a6b6c6d6e6f")
    assert _grown([bytes.fromhex(entry) for entry in data[:size]]).root().hex() == root


@given(entries)
def test_any_entries(data: list[bytes]) -> None:
    """What the entries are makes no difference to the construction."""
    assert _grown(data).root() == _root_by_definition(data)


@given(entries)
def test_packing_loses_nothing(data: list[bytes]) -> None:
    """A stored frontier comes back as it was, and goes on growing to the same root."""
    frontier = _grown(data)
    restored = Frontier.unpack(frontier.size, frontier.pack())
    assert restored == frontier
    assert restored.append(leaf_hash(b"next")).root() == _root_by_definition([*data, b"next"])


@given(entries, entries)
def test_another_list_has_another_root(one: list[bytes], other: list[bytes]) -> None:
    """Two lists have one root only if they are one list."""
    assert (_grown(one).root() == _grown(other).root()) == (one == other)


def test_appending_leaves_the_old_frontier_alone() -> None:
    """A writer that loses a race still holds what it had."""
    before = _grown([b"a"])
    before.append(leaf_hash(b"b"))
    assert before == _grown([b"a"])


@pytest.mark.parametrize(
    ("size", "data"),
    [(-1, b""), (0, bytes(32)), (1, b""), (1, bytes(31)), (1, bytes(33)), (3, bytes(32))],
)
def test_a_damaged_frontier_is_refused(size: int, data: bytes) -> None:
    """Nodes that do not belong to the size are an error at once, not a false root later."""
    with pytest.raises(ValueError, match="node"):
        Frontier.unpack(size, data)


def test_a_leaf_is_a_hash() -> None:
    """Data that was not hashed cannot slip into the tree."""
    with pytest.raises(ValueError, match="32 bytes"):
        EMPTY.append(b"not hashed")
