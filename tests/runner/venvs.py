# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The virtual environments under .venv, one per file in tests/requirements."""

import hashlib
import os
import shutil
from pathlib import Path
from typing import IO, NamedTuple

from tests.runner import interpreters
from tests.runner.stage import Counts
from tests.runner.workspace import ROOT, VENVS, Failed, check, environment

NEWEST = ("3.14", "3.13", "3.12")  # what the newest ansible-core runs on
ANY = (*NEWEST, "3.11", "3.10")


class Venv(NamedTuple):
    name: str
    versions: tuple[str, ...]  # the Pythons it may stand on, the best first

    @property
    def path(self) -> Path:
        return VENVS / self.name

    @property
    def python(self) -> Path:
        return self.path / "bin/python"

    @property
    def requirements(self) -> Path:
        return ROOT / "tests/requirements" / f"{self.name}.txt"

    def program(self, name: str) -> Path:
        return self.path / "bin" / name

    def make(self, log: IO[str]) -> None:
        """Make it, unless it is there with the same requirements and interpreter. Raises Missing, Failed."""
        base = interpreters.find(*self.versions)
        wanted = hashlib.sha256(b"\0".join([self.requirements.read_bytes(), bytes(base), bytes(self.path)])).hexdigest()
        stamp = self.path / ".stamp"
        if stamp.is_file() and stamp.read_text() == wanted:
            log.write(f"{self.name}: as it was, on {base}\n")
            return
        if not interpreters.has_ensurepip(base):
            _install_python_venv(base, log)
        shutil.rmtree(self.path, ignore_errors=True)
        check([base, "-m", "venv", self.path], log)
        env = environment(self.path, PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_ROOT_USER_ACTION="ignore")
        check([self.python, "-m", "pip", "install", "--quiet", "-r", self.requirements], log, env)
        stamp.write_text(wanted)


def setup(venv: Venv, log: IO[str]) -> Counts:
    venv.make(log)
    return Counts(passed=1)


def _install_python_venv(base: Path, log: IO[str]) -> None:
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise Failed(f"{base} cannot make virtual environments: install its venv package (Debian and Ubuntu: python3-venv), or put another Python on PATH")
    env = environment(DEBIAN_FRONTEND="noninteractive")
    lock = ["-o", "DPkg::Lock::Timeout=300"]
    check(["apt-get", "update", "-q", *lock], log, env)
    check(["apt-get", "install", "-q", "-y", "--no-install-recommends", *lock, f"{base.name}-venv"], log, env)


CORE216 = Venv("core216", ("3.11",))
NEWEST_CORE = Venv("newest", NEWEST)
FUZZ = Venv("fuzz", NEWEST)
LINT = Venv("lint", NEWEST)
PY36 = Venv("py36", ("3.6",))
SITE = Venv("site", ANY)
MOLECULE = Venv("molecule", NEWEST)
