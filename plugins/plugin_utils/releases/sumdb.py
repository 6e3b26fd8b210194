# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client of the checksum database that believes what the go command's client believes (golang/mod:sumdb/client.go).

An answer counts when its record is proved to be in a tree with a signed head, and when that tree and the newest one ever seen here are
of one log. Whose server hands out the bytes does not matter.
"""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from ...module_utils.errors import GoHostError
from .cache import SharedFailure, private_dir, turn, write_atomically
from .goproxy import escape
from .tlog import HASH, BadAnswer, Head, Key, Tree, record_hash, tile_path

SUM_GOLANG_ORG = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"
MODULE = "golang.org/toolchain"


class Unreachable(GoHostError):
    """The database did not answer: what it would have said is open."""


class NotRecorded(GoHostError):
    """The database answered that it has no such module or version."""


class SumDB:
    """A client of one checksum database.

    `get` fetches a URL (http, https) and raises GoHostError, with `not_found` true after 404 and 410. `proxies` are base URLs of module
    proxies, asked first whether they carry the database; without one that does it is asked itself. What proved right is kept under
    `cache_dir` and proved again at every use, so that many processes cause few requests. Safe among processes and threads.
    Once unreachable it stays so for this object.
    """

    def __init__(self, get: Callable[[str], bytes], cache_dir: Path, key: str = SUM_GOLANG_ORG, proxies: Sequence[str] = ()) -> None:
        self._get, self._proxies = get, proxies
        self._key = Key(key)
        self._dir = cache_dir / "sumdb" / self._key.name
        self._base: str | None = None
        self._down: Unreachable | None = None
        self._from_disk = False
        self._trust_disk = True

    def lookup(self, module: str, version: str) -> str:
        """The "h1:…" of the module's zip. Unreachable, NotRecorded or BadAnswer."""
        path = f"lookup/{escape(module)}@{escape(version)}"
        try:
            with turn(private_dir(self._dir) / "lock", share=Unreachable):
                return self._lookup(path, module, version)
        except SharedFailure as failure:
            raise Unreachable(str(failure)) from failure
        except OSError as error:
            raise GoHostError("cannot use the checksum database's cache", self._dir, error.strerror) from error

    def _lookup(self, path: str, module: str, version: str) -> str:
        self._trust_disk, self._from_disk = True, False
        try:
            return self._checked(path, module, version)
        except BadAnswer:
            if not self._from_disk:
                raise
        self._trust_disk = False  # perhaps only our copies are damaged
        return self._checked(path, module, version)

    def _checked(self, path: str, module: str, version: str) -> str:
        answer = self._read(path)
        found = re.match(rb"(0|[1-9][0-9]{0,17})\n((?:[^\x00-\x1f]+\n)+)\n", answer)
        if found is None:
            raise BadAnswer("the checksum database's answer is malformed", f"{module}@{version}")
        number, record = int(found.group(1)), found.group(2)
        tree = self._newest(self._key.open(answer[found.end() :]))
        if number >= tree.size or tree.node(0, number) != record_hash(record):
            raise BadAnswer("the checksum database's answer is not in its signed log", f"{module}@{version}")
        lines = re.findall(rb"^(\S+) (\S+) (h1:[A-Za-z0-9+/]{43}=)$", record, re.MULTILINE)
        digests = {digest for name, of, digest in lines if name == module.encode() and of == version.encode()}
        if len(digests) != 1:
            raise BadAnswer("the checksum database's answer is about something else", f"asked for {module}@{version}")
        self._write(path, answer)
        return str(digests.pop(), "ascii")

    def _newest(self, head: Head) -> Tree:
        """The tree of the newer of this head and the newest seen so far, after proof that both are of one log."""
        latest = self._dir / "latest"
        kept = latest.read_bytes() if latest.exists() else b""
        try:
            seen = self._key.open(kept) if kept else head
        except BadAnswer as error:
            raise BadAnswer("the stored tree head of the checksum database is damaged", latest, "Remove it if you know why.") from error
        older, newer = sorted((seen, head), key=lambda one: one.size)
        rewritten = f"tree of {head.size} records, after one of {seen.size} was seen", f"Trust neither until you know why; what was seen is in {latest}."
        try:
            tree = Tree(newer, lambda *tile: self._read(tile_path(*tile)), self._keep_tile)
            same = tree.root(older.size) == older.root
        except BadAnswer as error:
            if newer is head:
                raise
            raise BadAnswer("the checksum database does not show the history it showed before", rewritten[0], str(error)) from error
        if not same:
            raise BadAnswer("the checksum database's history was rewritten", *rewritten)
        if newer.note != kept:
            write_atomically(latest, newer.note)
        return tree

    def _keep_tile(self, level: int, number: int, tile: bytes) -> None:
        self._write(tile_path(level, number, len(tile) // HASH), tile)

    def _read(self, path: str) -> bytes:
        if self._trust_disk:
            try:
                data = (self._dir / path).read_bytes()
                self._from_disk = True
                return data
            except FileNotFoundError:
                pass
        if not path.startswith("tile/") or ".p/" not in path:
            return self._fetch(path)
        try:
            return self._fetch(path)
        except NotRecorded:
            # A partial tile may be gone once the full one is there; it begins with the same hashes.
            full, width = path.split(".p/")
            return self._fetch(full)[: int(width) * HASH]

    def _fetch(self, path: str) -> bytes:
        if self._down is not None:
            raise self._down
        if self._base is None:
            self._base = self._carrier()
        try:
            data = self._get(f"{self._base}/{path}")
        except GoHostError as error:
            if not getattr(error, "not_found", False):
                self._down = Unreachable("the checksum database cannot be reached", str(error))
                raise self._down from error
            if path.startswith("tile/") and ".p/" not in path:
                raise BadAnswer("the checksum database lacks a part of the tree it signed", path) from error
            raise NotRecorded("the checksum database does not know this module", path.rpartition("/")[2]) from error
        if data.lstrip()[:1] == b"<" and path.startswith("lookup/"):
            raise Unreachable("a web page came instead of the checksum database's answer", None, "Is a proxy or a login page in between?")
        return data

    def _carrier(self) -> str:
        for proxy in self._proxies:
            base = f"{proxy.rstrip('/')}/sumdb/{self._key.name}"
            try:
                self._get(f"{base}/supported")
                return base
            except GoHostError:
                continue
        return f"https://{self._key.name}"

    def _write(self, path: str, data: bytes) -> None:
        target = self._dir / path
        if not self._trust_disk or not target.exists():
            private_dir(target.parent)
            write_atomically(target, data)
