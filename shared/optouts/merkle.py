"""The Merkle tree of RFC 9162 over a list that only grows.

Its root is a promise about every entry of the ledger in 32 bytes. To append, the roots of the
complete subtrees along the right edge are enough: one for each set bit of the size. That frontier
is what the ledger's head stores, so that a change costs no reading of older entries.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Final

HASH_BYTES: Final = 32
_LEAF: Final = b"\x00"
_NODE: Final = b"\x01"


def leaf_hash(data: bytes) -> bytes:
    """The hash of one entry (RFC 9162, 2.1.1); 32 bytes."""
    return sha256(_LEAF + data).digest()


def _node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(_NODE + left + right).digest()


@dataclass(frozen=True, slots=True)
class Frontier:
    """The right edge of a tree.

    Attributes:
        size: how many leaves the tree has.
        nodes: the root of one complete subtree for each set bit of `size`, the largest first.
    """

    size: int
    nodes: tuple[bytes, ...]

    def __post_init__(self) -> None:
        """Refuse what is no frontier: a root computed from it would be a false promise.

        Raises:
            ValueError: the nodes do not belong to the size, or are no hashes.
        """
        if self.size < 0 or len(self.nodes) != self.size.bit_count():
            raise ValueError(f"{len(self.nodes)} nodes are no frontier of {self.size} leaves")
        if any(len(node) != HASH_BYTES for node in self.nodes):
            raise ValueError(f"a node must have {HASH_BYTES} bytes")

    def append(self, leaf: bytes) -> Frontier:
        """The frontier of the tree with one more leaf; `leaf` is a leaf hash."""
        nodes, node, complete = list(self.nodes), leaf, self.size
        while complete & 1:
            node = _node_hash(nodes.pop(), node)
            complete >>= 1
        return Frontier(self.size + 1, (*nodes, node))

    def root(self) -> bytes:
        """The Merkle tree hash (RFC 9162, 2.1.1); that of no leaves is SHA-256 of nothing."""
        if not self.nodes:
            return sha256(b"").digest()
        *larger, root = self.nodes
        for node in reversed(larger):
            root = _node_hash(node, root)
        return root

    def pack(self) -> bytes:
        """The nodes in one piece, for storing beside the size."""
        return b"".join(self.nodes)

    @classmethod
    def unpack(cls, size: int, data: bytes) -> Frontier:
        """What `pack` has written.

        Raises:
            ValueError: the data does not belong to this size.
        """
        starts = range(0, len(data), HASH_BYTES)
        return cls(size, tuple(data[start : start + HASH_BYTES] for start in starts))


EMPTY: Final = Frontier(0, ())
