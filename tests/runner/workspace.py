# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where things of a checkout are, and how its commands are run."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / ".build"
VENVS = ROOT / ".venv"
COLLECTION = BUILD / "ansible_collections/gohost/linux"  # a link to ROOT: the name by which Python and Ansible find the checkout


class Failed(Exception):
    """Something this stage needs went wrong; the text says what."""


class Missing(Exception):
    """This machine lacks an interpreter that the stage needs."""


def link_collection() -> None:
    """Make the checkout importable as ansible_collections.gohost.linux under BUILD."""
    COLLECTION.parent.mkdir(parents=True, exist_ok=True)
    if COLLECTION.resolve() != ROOT:
        COLLECTION.unlink(missing_ok=True)
        COLLECTION.symlink_to(ROOT, target_is_directory=True)


def environment(venv: Path | None = None, **more: str) -> dict[str, str]:
    """The environment of a command: the venv's programs first, and nothing of the caller's own Ansible settings."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PYTHON", "VIRTUAL_ENV", "MAKE"))}
    env.update(
        ANSIBLE_COLLECTIONS_PATH=str(BUILD),
        ANSIBLE_HOME=str(BUILD / "ansible-home"),
        ANSIBLE_LOCALHOST_WARNING="false",
        ANSIBLE_NOCOLOR="1",
        LC_ALL="C.UTF-8",
        PYTHONDONTWRITEBYTECODE="1",
    )
    if venv is not None:
        env["PATH"] = f"{venv / 'bin'}{os.pathsep}{env.get('PATH', os.defpath)}"
    return {**env, **more}


def run(argv: Sequence[str | Path], log: IO[str], env: Mapping[str, str] | None = None, cwd: Path = ROOT, timeout: float = 1800) -> int:
    """The exit status of argv, whose output goes to log; what it started ends with it, also when it takes longer than timeout seconds."""
    log.write("$ " + " ".join(str(word) for word in argv) + "\n")
    log.flush()
    process = subprocess.Popen(
        [str(word) for word in argv],
        cwd=cwd,
        env=environment() if env is None else env,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    try:
        return process.wait(timeout)
    except BaseException as error:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if isinstance(error, subprocess.TimeoutExpired):
            raise Failed(f"{argv[0]} took longer than {timeout:.0f} s and was ended") from None
        raise


def check(argv: Sequence[str | Path], log: IO[str], env: Mapping[str, str] | None = None, cwd: Path = ROOT, timeout: float = 1800) -> None:
    """Like run, but a status other than 0 is a failure of the stage."""
    status = run(argv, log, env, cwd, timeout)
    if status:
        raise Failed(f"{Path(argv[0]).name} ended with status {status}")
