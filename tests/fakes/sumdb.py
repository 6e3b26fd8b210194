# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A checksum database with a key of its own and real Merkle trees, in-process or over HTTP on loopback."""

import base64
import copy
import hashlib
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Callable, Iterator, Optional

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


class FakeSumDB:
    """Add records, then ask: `get(url)` answers as a module proxy that carries the database would; None stands for 404.

    `tamper` changes answers on their way: path below /sumdb/NAME/ → function of the body. `requests` are the paths asked so far.
    """

    def __init__(self, name: str = "sum.example.test", seed: bytes = b"\7" * 32) -> None:
        self.name = name
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        public = b"\1" + self._private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self._id = hashlib.sha256(name.encode() + b"\n" + public).digest()[:4]
        self.key = f"{name}+{self._id.hex()}+{base64.b64encode(public).decode()}"
        self._levels: list[list[bytes]] = [[]]  # hashes of full subtrees, by height
        self._records: dict[int, bytes] = {}
        self._numbers: dict[str, int] = {}
        self.shown: Optional[int] = None  # the size of the tree in lookups' heads; None: all of it
        self.tamper: dict[str, Callable[[bytes], Optional[bytes]]] = {}
        self.requests: list[str] = []

    @property
    def size(self) -> int:
        return len(self._levels[0])

    def add(self, module: str, version: str, h1: str, text: Optional[str] = None) -> int:
        """Logs a module; returns its record number. `text` is another record's text that the lookup shall answer with."""
        record = (text or f"{module} {version} {h1}\n{module} {version}/go.mod {h1}\n").encode()
        number = self._append(record)
        self._numbers[f"{module}@{version}"] = number
        return number

    def pad(self, size: int) -> None:
        """Logs records nobody asks for, up to this size of the tree."""
        while self.size < size:
            self._append(b"pad v1.0.%d h1:x\n" % self.size)

    def _append(self, record: bytes) -> int:
        number = self.size
        self._records[number] = record
        self._levels[0].append(hashlib.sha256(b"\0" + record).digest())
        level = 0
        while len(self._levels[level]) % 2 == 0:
            pair = self._levels[level][-2:]
            level += 1
            if level == len(self._levels):
                self._levels.append([])
            self._levels[level].append(hashlib.sha256(b"\1" + pair[0] + pair[1]).digest())
        return number

    def fork(self) -> "FakeSumDB":
        """The same database up to now, to be continued differently."""
        other = copy.copy(self)
        other._levels = [list(level) for level in self._levels]
        other._records, other._numbers = dict(self._records), dict(self._numbers)
        other.tamper, other.requests = {}, []
        return other

    def root(self, size: int) -> bytes:
        """RFC 6962, section 2.1."""

        def of(start: int, end: int) -> bytes:
            count = end - start
            if count & (count - 1) == 0 and start % count == 0:
                level = count.bit_length() - 1
                return self._levels[level][start >> level]
            split = start + (1 << (count - 1).bit_length() - 1)
            return hashlib.sha256(b"\1" + of(start, split) + of(split, end)).digest()

        return of(0, size) if size else hashlib.sha256().digest()

    def head(self, size: Optional[int] = None) -> bytes:
        size = self.size if size is None else size
        return self.sign(f"go.sum database tree\n{size}\n{base64.b64encode(self.root(size)).decode()}\n")

    def sign(self, text: str) -> bytes:
        signature = base64.b64encode(self._id + self._private.sign(text.encode())).decode()
        return f"{text}\n— {self.name} {signature}\n".encode()

    def answer(self, path: str) -> Optional[bytes]:
        """The body for a path below the database's root; None: not found."""
        self.requests.append(path)
        body = self._answer(path)
        return self.tamper[path](body or b"") if path in self.tamper else body

    def _answer(self, path: str) -> Optional[bytes]:
        if path == "supported":
            return b""
        if path == "latest":
            return self.head(self.shown)
        if path.startswith("lookup/"):
            number = self._numbers.get(path[len("lookup/") :])
            return None if number is None else b"%d\n%s\n%s" % (number, self._records[number], self.head(self.shown))
        tile = re.fullmatch(r"tile/8/(\d+)/((?:x\d{3}/)*\d{3})(?:\.p/(\d+))?", path)
        if tile is None:
            return None
        level, number, width = int(tile.group(1)), int(re.sub(r"[x/]", "", tile.group(2))), int(tile.group(3) or 256)
        hashes = self._levels[8 * level] if 8 * level < len(self._levels) else []
        part = hashes[number * 256 : number * 256 + width]
        return b"".join(part) if len(part) == width else None

    def get(self, url: str) -> Optional[bytes]:
        root = f"https://{self.name}/"
        return self.answer(url[len(root) :] if url.startswith(root) else url.partition(f"/sumdb/{self.name}/")[2])

    @contextmanager
    def serve(self) -> Iterator[str]:
        """The URL of a module proxy on loopback that has this database and nothing else."""
        database = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                prefix = f"/sumdb/{database.name}/"
                body = database.answer(self.path[len(prefix) :]) if self.path.startswith(prefix) else None
                self.send_response(404 if body is None else 200)
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, format: str, *args: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
