# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A transparency log: signed tree heads, and tiles of hashes proved by them. Pure.

Written after the design of the checksum database (go.dev/design/25530-sumdb) and golang/mod:sumdb/{note,tlog}: records are hashed into
a Merkle tree (RFC 6962) whose head is signed; the tree's hashes are handed out in tiles, eight levels high.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from ...module_utils.errors import GoHostError

HASH = 32  # bytes
WIDTH = 256  # hashes in a full tile


class BadAnswer(GoHostError):
    """What came is not what the database's key and history allow: to be refused, whatever else would do."""


class Head(NamedTuple):
    """A signed tree head."""

    size: int
    root: bytes
    note: bytes


class Key:
    """A verifier key: "name+hash+base64"."""

    def __init__(self, text: str) -> None:
        # ansible-core brings cryptography, but ansible-test imports every plugin without it.
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        self.name, digest, encoded = text.split("+", 2)
        public = base64.b64decode(encoded, validate=True)
        self._id = hashlib.sha256(self.name.encode() + b"\n" + public).digest()[:4]
        if public[0] != 1 or self._id.hex() != digest:
            raise GoHostError("not an Ed25519 key of a checksum database", text)
        self._key = Ed25519PublicKey.from_public_bytes(public[1:])

    def open(self, note: bytes) -> Head:
        """The tree head in a signed note. BadAnswer unless this key has signed it."""
        from cryptography.exceptions import InvalidSignature

        text, blank, signatures = note.rpartition(b"\n\n")
        text += b"\n"
        signed = False
        for line in signatures.splitlines():
            found = re.fullmatch(rb"\xe2\x80\x94 (\S+) (\S+)", line)
            if not blank or found is None or not signatures.endswith(b"\n"):
                raise BadAnswer("the checksum database's tree head is malformed", self.name)
            if found.group(1) != self.name.encode():
                continue
            try:
                signature = base64.b64decode(found.group(2), validate=True)
                if signature[:4] == self._id:
                    self._key.verify(signature[4:], text)
                    signed = True
            except (binascii.Error, InvalidSignature) as error:
                raise BadAnswer("the signature under the checksum database's tree head is wrong", self.name) from error
        if not signed:
            raise BadAnswer("the checksum database's tree head is not signed with its key", self.name)
        head = re.match(rb"go\.sum database tree\n(0|[1-9][0-9]{0,17})\n([A-Za-z0-9+/]{43}=)\n", text)
        if head is None:
            raise BadAnswer("the checksum database's tree head is malformed", self.name)
        return Head(int(head.group(1)), base64.b64decode(head.group(2)), note)


class Tree:
    """The hashes of one signed tree; each is proved by its root before anybody sees it.

    `read` gives the tile at (level, number) with its width; `keep` is told which of them proved right.
    """

    def __init__(self, head: Head, read: Callable[[int, int, int], bytes], keep: Callable[[int, int, bytes], None]) -> None:
        self.size = head.size
        self._read, self._keep = read, keep
        # The tiles on the right edge: all their hashes together make the root, so that it vouches for each.
        widths = [(head.size >> 8 * level) % WIDTH for level in range(8)]
        self._tiles = {(level, head.size >> 8 * level + 8): self._tile(level, head.size >> 8 * level + 8, width) for level, width in enumerate(widths) if width}
        if self.root(head.size) != head.root:
            raise BadAnswer("the checksum database's tiles do not make the root it signed", f"tree of {head.size} records")
        for (level, number), tile in self._tiles.items():
            keep(level, number, tile)

    def node(self, level: int, number: int) -> bytes:
        """The hash of the 2**level records from number * 2**level on."""
        span = 1 << level % 8
        tile, first = divmod(number * span, WIDTH)
        hashes = self._proved(level // 8, tile)
        return _fold_pairs([hashes[i * HASH : (i + 1) * HASH] for i in range(first, first + span)])

    def root(self, size: int) -> bytes:
        """The root this log had when it was `size` records long."""
        hashes = [self.node(level, number) for level, number in _perfect(size)]
        root = hashes.pop() if hashes else hashlib.sha256().digest()
        while hashes:
            root = _node(hashes.pop(), root)
        return root

    def _proved(self, level: int, number: int) -> bytes:
        if (level, number) not in self._tiles:
            parent, place = divmod(number, WIDTH)
            expected = self._proved(level + 1, parent)[place * HASH : (place + 1) * HASH]
            tile = self._tile(level, number, WIDTH)
            if _fold_pairs([tile[i : i + HASH] for i in range(0, len(tile), HASH)]) != expected:
                raise BadAnswer("a tile of the checksum database is not part of the tree it signed", tile_path(level, number, WIDTH))
            self._tiles[level, number] = tile
            self._keep(level, number, tile)
        return self._tiles[level, number]

    def _tile(self, level: int, number: int, width: int) -> bytes:
        tile = self._read(level, number, width)
        if len(tile) != width * HASH:
            raise BadAnswer("a tile of the checksum database has the wrong size", tile_path(level, number, width))
        return tile


def record_hash(record: bytes) -> bytes:
    """What the log has as leaf for a record."""
    return hashlib.sha256(b"\0" + record).digest()


def tile_path(level: int, number: int, width: int) -> str:
    digits = f"{number % 1000:03}"
    while number >= 1000:
        number //= 1000
        digits = f"x{number % 1000:03}/{digits}"
    return f"tile/8/{level}/{digits}" + (f".p/{width}" if width < WIDTH else "")


def _perfect(size: int) -> Iterator[tuple[int, int]]:
    """The largest full subtrees a tree of this size is made of, left to right, as (level, number)."""
    start = 0
    for level in reversed(range(size.bit_length())):
        if size >> level & 1:
            yield level, start >> level
            start += 1 << level


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def _fold_pairs(hashes: list[bytes]) -> bytes:
    while len(hashes) > 1:
        hashes = [_node(hashes[i], hashes[i + 1]) for i in range(0, len(hashes), 2)]
    return hashes[0]
