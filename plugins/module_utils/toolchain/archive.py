# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Go's two archives: the official .tar.gz and the module zip. One pass hashes and unpacks; nothing of them is trusted."""

import base64
import hashlib
import os
import posixpath
import re
import struct
import tarfile
import zipfile
import zlib
from typing import BinaryIO, Callable, Iterator, List, NamedTuple, Set, Tuple

from ..errors import GoHostError
from ..host import Host
from .manifest import link_digest
from .model import Member

_BLOCK = 1 << 18
_MOST_BYTES = 4 << 30  # no release unpacks to a tenth of this; more is a decompression bomb
_MOST_MEMBERS = 200_000
# What the standard library raises on broken archives; ValueError: on numbers and names that are none.
_TAR_ERRORS = (tarfile.TarError, EOFError, ValueError, OverflowError)
_ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, OverflowError, NotImplementedError, struct.error)
# golang/go:src/cmd/go/internal/toolchain/select.go: what gets its executable bit back, for module zips carry none.
_EXECUTABLE = re.compile(r"^(bin/[^/]+|pkg/tool/.+|lib/(.+/)?go_[^/]+_[^/]+_exec)\Z")


class Unpacked(NamedTuple):
    """digest: "sha256:<hex>" of a tar.gz, "h1:<base64>" of a zip's content."""

    digest: str
    members: Tuple[Member, ...]


def unpacked_size(source: BinaryIO, form: str) -> int:
    """Bytes that the archive's files take, by its own word; the position is back at the start."""
    try:
        if form == "zip":
            with zipfile.ZipFile(source) as archive:
                return sum(entry.file_size for entry in archive.infolist())
        source.seek(-4, 2)
        return int(struct.unpack("<I", source.read(4))[0])  # RFC 1952: ISIZE ends a gzip member
    except (*_ZIP_ERRORS, OSError):
        raise GoHostError(f"not a complete {form} archive", hint="Fetch it again, or name another source.") from None
    finally:
        source.seek(0)


class _Writer:
    """Puts members under a directory and refuses what would not stay there."""

    def __init__(self, host: Host, directory: str) -> None:
        self._host = host
        self._directory = directory
        self._made: Set[str] = {""}
        self._names: Set[str] = set()
        self._bytes = 0
        self.members: List[Member] = []

    def admit(self, name: str, size: int) -> None:
        """Check a member's path and size; make the directories above it."""
        parts = self._parts(name)
        self._bytes += size
        if name in self._names or name in self._made:
            raise GoHostError("archive member refused: it comes twice", repr(name))
        self._names.add(name)
        self._limit()
        self._make(parts[:-1])

    def directory(self, name: str) -> None:
        self._make(self._parts(name))
        self._limit()

    def _limit(self) -> None:
        members = len(self._names) + len(self._made)
        if self._bytes > _MOST_BYTES or members > _MOST_MEMBERS:
            raise GoHostError("archive refused: it unpacks to more than any Go release", f"{self._bytes} bytes, {members} members")

    def _parts(self, name: str) -> List[str]:
        parts = name.split("/")
        if any(part in ("", ".", "..") for part in parts) or "\\" in name or not name.isprintable():
            raise GoHostError("archive member refused: its path could leave the destination", repr(name))
        return parts

    def _make(self, parts: List[str]) -> None:
        for depth in range(1, len(parts) + 1):
            path = "/".join(parts[:depth])
            if path in self._names:
                raise GoHostError("archive member refused: something lies under it", repr(path))
            if path not in self._made:
                self._host.mkdir(f"{self._directory}/{_native(path)}", 0o755)
                self._made.add(path)

    def file(self, name: str, mode: int, size: int, chunks: Iterator[bytes]) -> None:
        content = hashlib.sha256()
        left = size

        def hashed() -> Iterator[bytes]:
            nonlocal left
            for chunk in chunks:
                content.update(chunk)
                left -= len(chunk)
                yield chunk

        self._host.create(f"{self._directory}/{_native(name)}", mode, hashed())
        if left:
            raise GoHostError("archive member refused: it is not as long as the archive says", repr(name))
        self.members.append(Member(_native(name), mode, size, content.hexdigest()))

    def link(self, name: str, target: str) -> None:
        landing = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
        if target.startswith("/") or landing == ".." or landing.startswith("../") or not target or not target.isprintable():
            raise GoHostError("archive member refused: a link out of the tree", repr(f"{name} -> {target}"))
        self._host.symlink(_native(target), f"{self._directory}/{_native(name)}")
        self.members.append(Member(_native(name), 0o777, len(target.encode()), link_digest(_native(target))))


def _native(name: str) -> str:
    """A name as this process spells it in calls: Python 3.6 in the C locale speaks ASCII, with other bytes escaped."""
    return os.fsdecode(name.encode())


class _Inflated:
    """A gzip file, inflated and hashed by a child process while this one parses, hashes and writes the members.

    A thread would do as well but for the interpreter's lock, which 12,000 small files make the bottleneck.
    For tarfile it is a file that can be sought forward: its own way to read streams takes longer than the rest of an install's Python.
    """

    def __init__(self, source: BinaryIO) -> None:
        reading, writing = os.pipe()
        verdict, tell = os.pipe()
        self._child = os.fork()
        if self._child == 0:
            try:
                os.close(reading)
                os.close(verdict)
                os.write(tell, _inflate(source, writing))
            finally:
                os._exit(0)
        os.close(writing)
        os.close(tell)
        self._data = os.fdopen(reading, "rb", buffering=_BLOCK)
        self._verdict = os.fdopen(verdict, "rb")
        self._position = 0

    def read(self, size: int) -> bytes:
        data = self._data.read(size)
        self._position += len(data)
        return data

    def tell(self) -> int:
        return self._position

    def seek(self, position: int) -> None:
        for _skipped in self.part(position - self._position):
            continue

    def part(self, size: int) -> Iterator[bytes]:
        """The next size bytes."""
        while size > 0:
            data = self.read(min(size, _BLOCK))
            if not data:
                raise tarfile.ReadError("unexpected end of data")
            size -= len(data)
            yield data

    def digest(self) -> str:
        """Of the whole compressed file, as hexadecimal; what was not asked for is read to the end."""
        while self._data.read(_BLOCK):
            continue
        found, _colon, error = self._verdict.read().decode().partition(":")
        if not found:
            raise GoHostError("archive cannot be unpacked", error or "the inflating process died", "Fetch it again, or name another source.")
        return found

    def close(self) -> None:
        self._data.close()
        self._verdict.close()
        os.waitpid(self._child, 0)


def _inflate(source: BinaryIO, target: int) -> bytes:
    """Write the inflated file to a pipe; returns b"digest:" or b":error"."""
    digest = hashlib.sha256()
    inflater = zlib.decompressobj(31)
    try:
        while True:
            packed = source.read(_BLOCK // 4)
            if not packed:
                break
            digest.update(packed)  # what follows the end of the stream counts too
            while packed and not inflater.eof:
                inflated = memoryview(inflater.decompress(packed, _BLOCK))
                packed = inflater.unconsumed_tail
                while inflated:
                    inflated = inflated[os.write(target, inflated) :]
        return f"{digest.hexdigest()}:".encode() if inflater.eof else b":it is truncated"
    except zlib.error:
        return b":it is no gzip file"
    except OSError as error:
        return f":{error.strerror}".encode()
    finally:
        os.close(target)


def _chunks(read: Callable[[int], bytes]) -> Iterator[bytes]:
    return iter(lambda: read(_BLOCK), b"")


def unpack_tar(host: Host, source: BinaryIO, directory: str) -> Unpacked:
    """Unpack an official archive, without its top directory go/, into an empty directory."""
    writer = _Writer(host, directory)
    inflated = _Inflated(source)
    try:
        try:
            with tarfile.open(fileobj=inflated, mode="r:", encoding="utf-8") as archive:  # type: ignore[call-overload]
                _unpack_members(archive, inflated, writer)
        except _TAR_ERRORS as error:
            inflated.digest()  # a gzip error explains more
            raise GoHostError("not a tar archive", error, "Fetch it again, or name another source.") from None
        return Unpacked("sha256:" + inflated.digest(), tuple(writer.members))
    finally:
        inflated.close()


def _unpack_members(archive: tarfile.TarFile, inflated: _Inflated, writer: _Writer) -> None:
    for member in iter(archive.next, None):
        archive.members = []  # type: ignore[attr-defined]  # tarfile would keep them all
        name = member.name.rstrip("/")
        if name == "go" and member.isdir():
            continue
        if not name.startswith("go/"):
            raise GoHostError("archive member refused: every path of a Go release starts with go/", repr(member.name))
        name = name[len("go/") :]
        if member.isdir():
            writer.directory(name)
        elif member.issym():
            writer.admit(name, 0)
            writer.link(name, member.linkname)
        elif member.isreg() and not member.issparse():
            writer.admit(name, member.size)
            writer.file(name, 0o755 if member.mode & 0o111 else 0o644, member.size, inflated.part(member.size))
        else:
            raise GoHostError("archive member refused: neither plain file, directory nor symbolic link", repr(member.name))


def unpack_zip(host: Host, source: BinaryIO, directory: str, prefix: str) -> Unpacked:
    """Unpack a golang.org/toolchain module zip, whose paths all start with prefix, into an empty directory.

    _go.mod is go.mod renamed so that a module may hold modules; the official archive has go.mod, and so gets the tree.
    """
    writer = _Writer(host, directory)
    try:
        with zipfile.ZipFile(source) as archive:
            entries = _entries(archive, prefix)
            for entry in entries:
                writer.admit(_member_name(entry.filename[len(prefix) :]), entry.file_size)
            listed = []
            for entry in entries:
                name = _member_name(entry.filename[len(prefix) :])
                with archive.open(entry) as content:
                    writer.file(name, 0o755 if _EXECUTABLE.match(name) else 0o644, entry.file_size, _chunks(content.read))
                listed.append((entry.filename, writer.members[-1].sha256))
    except _ZIP_ERRORS as error:
        raise GoHostError("not a complete zip archive", error, "Fetch it again, or name another source.") from None
    return Unpacked(h1(listed), tuple(writer.members))


def digest(source: BinaryIO, form: str, prefix: str) -> str:
    """The digest of an archive that is not to be unpacked; prefix as for unpack_zip."""
    if form == "tar.gz":
        return "sha256:" + _sha256(_chunks(source.read))
    try:
        with zipfile.ZipFile(source) as archive:
            listed = []
            for entry in _entries(archive, prefix):
                with archive.open(entry) as content:
                    listed.append((entry.filename, _sha256(_chunks(content.read))))
    except _ZIP_ERRORS as error:
        raise GoHostError("not a complete zip archive", error, "Fetch it again, or name another source.") from None
    return h1(listed)


def _entries(archive: zipfile.ZipFile, prefix: str) -> List[zipfile.ZipInfo]:
    entries = archive.infolist()
    for entry in entries:
        if not entry.filename.startswith(prefix) or entry.filename.endswith("/") or entry.flag_bits & 1:
            raise GoHostError(f"archive member refused: every path of this module starts with {prefix} and is a file", repr(entry.filename))
    return entries


def _sha256(chunks: Iterator[bytes]) -> str:
    found = hashlib.sha256()
    for chunk in chunks:
        found.update(chunk)
    return found.hexdigest()


def _member_name(name: str) -> str:
    directory, slash, base = name.rpartition("/")
    return directory + slash + "go.mod" if base == "_go.mod" else name


def h1(files: List[Tuple[str, str]]) -> str:
    """The go.sum hash of (name, sha256) pairs in byte order (golang/mod:sumdb/dirhash)."""
    text = "".join(f"{digest}  {name}\n" for name, digest in sorted(files, key=lambda pair: pair[0].encode()))
    return "h1:" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
