# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Python interpreters the machine has, on PATH or under pyenv."""

import os
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.runner.workspace import Missing

_PROBE = "import sys, os; print('%d.%d' % sys.version_info[:2], os.path.realpath(sys.executable))"


def _pyenv_roots() -> Iterator[Path]:
    if os.environ.get("PYENV_ROOT"):
        yield Path(os.environ["PYENV_ROOT"])
    yield Path.home() / ".pyenv"
    for entry in os.get_exec_path():
        if Path(entry).name in ("shims", "bin"):
            yield Path(entry).parent


def _candidates(version: str) -> Iterator[Path]:
    for entry in os.get_exec_path():
        yield Path(entry) / f"python{version}"
    for root in _pyenv_roots():
        found = (root / "versions").glob(f"{version}.*/bin/python")
        yield from sorted(found, key=lambda path: [int(part) for part in path.parts[-3].split(".") if part.isdigit()], reverse=True)


def _ask(python: Path, code: str) -> str:
    """What the code prints, or nothing where the interpreter does not work (a pyenv shim may stand for one that is not there)."""
    try:
        answer = subprocess.run([str(python), "-c", code], capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""


def has_ensurepip(python: Path) -> bool:
    """Debian's Python has no ensurepip before python3-venv is installed."""
    return bool(_ask(python, "import ensurepip, venv; print('yes')"))


@cache
def find(*versions: str) -> Path:
    """The real path of the first of these versions ("3.11") that works; one that can make virtual environments is preferred.

    Raises Missing.
    """
    for version in versions:
        working = []
        for candidate in _candidates(version):
            if not os.access(candidate, os.X_OK):
                continue
            answer = _ask(candidate, _PROBE).split(maxsplit=1)
            if len(answer) == 2 and answer[0] == version:
                working.append(Path(answer[1]))
                if has_ensurepip(working[-1]):
                    return working[-1]
        if working:
            return working[0]
    raise Missing(f"no Python {' or '.join(versions)} on PATH or under pyenv")
