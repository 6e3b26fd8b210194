# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Go programs built by real releases, which the product installs by the module proxy. What was built stays in the cache beside the releases."""

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ansible_collections.gohost.linux.plugins.plugin_utils.releases.cache import default_dir
from tests.integration import upstream
from tests.integration.playbook import Play


class Build(NamedTuple):
    """release: of the toolchain; line: of go in go.mod; flags: for go build; env: GOARCH and the like."""

    release: str
    line: str
    flags: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        return f"{self.release}-{self.line}"

    @property
    def reads_quota(self) -> bool:
        """Whether the runtime looks at quotas: it is new enough, and so is the go line."""
        return self.release >= "1.25" and self.line >= "1.25"


LIMITS = Path(__file__).parent / "limits"
RELEASES = (
    Build("1.21.13", "1.21"),
    Build("1.24.13", "1.24"),
    Build("1.25.14", "1.25"),
    Build("1.26.11", "1.26"),
    Build("1.27.4", "1.27"),
    Build("1.27.4", "1.24", ("-buildmode=pie", "-ldflags=-s -w -X main.token=secret")),
)


def environment() -> dict[str, str]:
    """For a controller that fetches by the module proxy alone, and keeps what it fetched."""
    return {**upstream.only(upstream.known()), "XDG_CACHE_HOME": str(default_dir(os.environ).parent)}


def built(source: Path, wanted: Sequence[Build]) -> dict[Build, Path]:
    """The program whose main.go is in a directory, once for each build."""
    kept = default_dir(os.environ) / "tests" / "programs"
    kept.mkdir(parents=True, exist_ok=True)
    paths = {build: kept / _name(source, build) for build in wanted}
    with (kept / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two stages want the same ones
        missing = [build for build in wanted if not paths[build].exists()]
        if missing:
            with tempfile.TemporaryDirectory() as made:
                _build(source, {build: paths[build] for build in missing}, Path(made))
    return paths


def _name(source: Path, build: Build) -> str:
    content = (source / "main.go").read_bytes() + repr((build, platform.machine())).encode()
    return f"{source.name}-{build.release}-{hashlib.sha256(content).hexdigest()[:16]}"


def _build(source: Path, paths: dict[Build, Path], directory: Path) -> None:
    releases = sorted({build.release for build in paths})
    play = Play(directory / "controller", None, root=str(directory / "go"), links="")
    play.task("install", versions=releases, default=releases[-1], fetch_on="controller")
    play.run(env=environment())["install"].ok()
    for number, (build, path) in enumerate(paths.items()):
        work = directory / str(number)
        work.mkdir()
        shutil.copy(source / "main.go", work)
        (work / "go.mod").write_text(f"module gohost.test/{source.name}\n\ngo {build.line}\n")
        settings = dict(CGO_ENABLED="0", GOTOOLCHAIN="local", GOPROXY="off", GOFLAGS="-trimpath", GOCACHE=str(directory / "cache"), HOME=str(directory))
        argv = [str(directory / "go" / build.release / "bin/go"), "build", *build.flags, "-o", "program", "."]
        subprocess.run(argv, cwd=work, env={"PATH": os.defpath, **settings, **dict(build.env)}, check=True)
        part = path.with_name(f".{path.name}.{os.getpid()}")
        shutil.copy(work / "program", part)
        part.rename(path)
