# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The archives that are measured: the module zip of a real release, and an official-like .tar.gz of the same files."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import BinaryIO, NamedTuple

from ansible_collections.gohost.linux.plugins.module_utils.toolchain import archive
from ansible_collections.gohost.linux.plugins.module_utils.toolchain.download import download
from ansible_collections.gohost.linux.plugins.module_utils.toolchain.model import HttpSettings, arch_of, archive_name, module_version
from ansible_collections.gohost.linux.plugins.plugin_utils.releases import goproxy, index
from ansible_collections.gohost.linux.plugins.plugin_utils.releases.cache import DownloadCache, default_dir, private_dir
from tests.fakes.host import RealHost

VERSION = "1.27.4"
SIDE_BY_SIDE = ("1.21.13", "1.25.14", "1.26.11", "1.27.3", "1.27.4")
ROOT = Path(__file__).resolve().parents[1]
ENV = {**os.environ, "PYTHONPATH": f"{ROOT / '.build'}{os.pathsep}{ROOT}"}
PYTHON = (os.path.realpath(sys.executable),)  # the interpreter itself, not pyenv's script in front of it
ARCH = arch_of(*RealHost().machine())
_CACHE = default_dir(os.environ) / "bench"


class Archive(NamedTuple):
    format: str
    path: Path
    version: str
    digest: str

    @property
    def words(self) -> tuple[str, ...]:
        return self.format, str(self.path), self.version, self.digest


def module_zip(version: str = VERSION) -> Archive:
    """By the module proxy that `go env GOPROXY` names, through the collection's own cache."""
    name = f"go{version}.linux-{ARCH}.zip"
    module = module_version(version, ARCH)
    wanted = index.load().h1[version, ARCH]

    def fetch(target: BinaryIO) -> None:
        known = [proxy.url for proxy in goproxy.parse(goproxy.known(os.environ) or "") if proxy.url != goproxy.DIRECT]
        if not known:
            sys.exit("benchmarks need a module proxy: GOPROXY, or go env GOPROXY")
        download(f"{known[0]}/golang.org/toolchain/@v/{module}.zip", target, HttpSettings())

    def verify(path: str) -> None:
        with open(path, "rb") as source:
            found = archive.digest(source, "zip", f"golang.org/toolchain@{module}/")
        if found != wanted:
            sys.exit(f"{path}: the digest is {found} instead of {wanted}")

    return Archive("zip", Path(DownloadCache(default_dir(os.environ) / "downloads").obtain(name, [wanted], fetch, verify).path), version, wanted)


def name_of(archive: Archive) -> str:
    """What a directory of sources calls it."""
    return f"{module_version(archive.version, ARCH)}.zip" if archive.format == "zip" else archive_name(archive.version, ARCH)


def official(version: str = VERSION) -> Archive:
    """The module zip's files as in the official archive: no directories, under go/, packed as tightly as gzip can."""
    path = private_dir(_CACHE) / archive_name(version, ARCH)
    if not path.exists():
        _repack(module_zip(version), path)
    with open(path, "rb") as source:
        return Archive("tar.gz", path, version, archive.digest(source, "tar.gz", ""))


_PACK = "find go -type f | LC_ALL=C sort | tar -c --owner=0 --group=0 --numeric-owner -T - | gzip -9n"


def _repack(source: Archive, path: Path) -> None:
    with tempfile.TemporaryDirectory(dir=_CACHE) as scratch:
        os.mkdir(f"{scratch}/go")
        with open(source.path, "rb") as packed:
            archive.unpack_zip(RealHost(), packed, f"{scratch}/go", f"golang.org/toolchain@{module_version(source.version, ARCH)}/")
        with open(f"{scratch}/new", "wb") as target:
            subprocess.run(["sh", "-ec", _PACK], cwd=scratch, stdout=target, check=True)
        os.replace(f"{scratch}/new", path)
