# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small archives with the shape of Go's: the official .tar.gz and the module zip. Their `go` is a shell script.

    python -m tests.fakes.archives --files 200 --version 1.27.3 --arch amd64 DIR

makes both in DIR and prints "digest  path" of each. It knows the formats by itself, so that it can judge the code that reads them.
"""

import argparse
import base64
import gzip
import hashlib
import io
import os
import tarfile
import zipfile
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

Files = Dict[str, Tuple[bytes, int]]  # path in the tree → content, permission bits
EPOCH = 1_790_000_000


class Made(NamedTuple):
    path: str
    format: str
    digest: str


def tree(version: str, arch: str, count: int = 20) -> Files:
    """The files of a release, count of them at least, as the official archive has them."""
    goarch = "arm" if arch == "armv6l" else arch
    script = '#!/bin/sh\n# {0}\necho "go version go{1} linux/{2}"\n'
    files: Files = {
        "VERSION": (f"go{version}\ntime 2026-10-19T20:11:06Z\n".encode(), 0o644),
        "go.env": (b"# defaults\n\nGOPROXY=https://proxy.example.com,direct\nGOSUMDB=sum.golang.org\n\nGOTOOLCHAIN=auto\n", 0o644),
        "bin/go": (script.format("go", version, goarch).encode(), 0o755),
        "bin/gofmt": (script.format("gofmt", version, goarch).encode(), 0o755),
        f"pkg/tool/linux_{goarch}/compile": (b"#!/bin/sh\nexit 0\n", 0o755),
        "lib/wasm/go_js_wasm_exec": (b"#!/bin/sh\nexit 0\n", 0o755),
        "lib/wasm/wasm_exec.js": (b"// nothing\n", 0o644),
        "src/go.mod": (b"module std\n\ngo 1.27\n", 0o644),
        "src/cmd/go.mod": (b"module cmd\n\ngo 1.27\n", 0o644),
        "src/empty/empty.go": (b"", 0o644),
        "test/fixedbugs/\u00c4foo.go": ("package \u00c4foo\n".encode(), 0o644),
    }
    for number in range(max(0, count - len(files))):
        files[f"src/p{number % 8}/f{number}.go"] = (f"package p{number % 8}\n\n// go{version}\nconst F{number} = {number}\n".encode() * (1 + number % 5), 0o644)
    return files


def tar_member(name: str, data: bytes = b"", mode: int = 0o644, kind: bytes = tarfile.REGTYPE, target: str = "") -> Tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.linkname, info.mtime = kind, mode, target, EPOCH
    info.size = len(data) if kind == tarfile.REGTYPE else 0
    return info, data


def tar_gz(members: Sequence[Tuple[tarfile.TarInfo, bytes]]) -> bytes:
    """A .tar.gz of exactly these members."""
    plain, packed = io.BytesIO(), io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT, encoding="utf-8") as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data))
    with gzip.GzipFile("", "wb", 6, packed, EPOCH) as compressed:
        compressed.write(plain.getvalue())
    return packed.getvalue()


def official(files: Files) -> bytes:
    """A release as on go.dev/dl."""
    return tar_gz([tar_member(f"go/{path}", data, mode) for path, (data, mode) in sorted(files.items())])


def zipped(entries: Sequence[Tuple[str, bytes]]) -> bytes:
    """A zip of exactly these entries, without modes."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries:
            info = zipfile.ZipInfo(name)
            info.compress_type, info.external_attr, info.create_system = zipfile.ZIP_DEFLATED, 0, 0
            archive.writestr(info, data)
    return packed.getvalue()


def prefix(version: str, arch: str) -> str:
    goarch = "arm" if arch == "armv6l" else arch
    return f"golang.org/toolchain@v0.0.1-go{version}.linux-{goarch}/"


def module_entries(files: Files, version: str, arch: str) -> List[Tuple[str, bytes]]:
    """A release's files as the module golang.org/toolchain has them: under its prefix, go.mod as _go.mod."""
    entries = []
    for path, (data, _mode) in sorted(files.items()):
        directory, slash, base = path.rpartition("/")
        entries.append((prefix(version, arch) + directory + slash + ("_go.mod" if base == "go.mod" else base), data))
    return entries


def sha256(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def h1(entries: Sequence[Tuple[str, bytes]]) -> str:
    """As golang/mod:sumdb/dirhash says it."""
    summary = hashlib.sha256()
    for name, data in sorted((name.encode(), data) for name, data in entries):
        summary.update(hashlib.sha256(data).hexdigest().encode() + b"  " + name + b"\n")
    return "h1:" + base64.b64encode(summary.digest()).decode()


def make(
    directory: str, version: str, arch: str = "amd64", count: int = 20, formats: Sequence[str] = ("tar.gz", "zip"), files: Optional[Files] = None
) -> List[Made]:
    """Put archives of a release into a directory, under the names that the official site and a module proxy give them."""
    content = tree(version, arch, count) if files is None else files
    made = []
    for form in formats:
        if form == "tar.gz":
            path = os.path.join(directory, f"go{version}.linux-{arch}.tar.gz")
            data = official(content)
            digest = sha256(data)
        else:
            path = os.path.join(directory, prefix(version, arch).partition("@")[2].rstrip("/") + ".zip")
            entries = module_entries(content, version, arch)
            data, digest = zipped(entries), h1(entries)
        with open(path, "wb") as target:
            target.write(data)
        made.append(Made(path, form, digest))
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description="Make small archives with the shape of Go's.")
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--version", default="1.27.3")
    parser.add_argument("--arch", default="amd64")
    parser.add_argument("directory")
    options = parser.parse_args()
    os.makedirs(options.directory, exist_ok=True)
    for made in make(options.directory, options.version, options.arch, options.files):
        print(f"{made.digest}  {made.path}")


if __name__ == "__main__":
    main()
