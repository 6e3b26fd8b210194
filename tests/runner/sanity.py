# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-test sanity, over a copy of what git knows or would take, without another download than the package index's."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import IO

from tests.runner.stage import Counts
from tests.runner.venvs import Venv
from tests.runner.workspace import BUILD, ROOT, Failed, environment, run


def copy_sources(target: Path) -> None:
    """A copy of the files that git tracks or would take, and of nothing else."""
    shutil.rmtree(target, ignore_errors=True)
    listing = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True)
    for name in filter(None, os.fsdecode(listing.stdout).split("\0")):
        if (ROOT / name).is_file():  # a tracked file may be deleted but not committed
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name, follow_symlinks=False)
    # Else ansible-test would find the checkout's repository above, which ignores all this.
    subprocess.run(["git", "init", "-q"], cwd=target, check=True)


def _prepare_home(home: Path, venv: Venv) -> None:
    """A home directory for ansible-test: it passes HOME on, but none of pip's variables, and looks there for its get-pip script."""
    asked = subprocess.run([venv.python, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True, env=environment(venv.path))
    cache = subprocess.run([venv.python, "-m", "pip", "cache", "dir"], capture_output=True, check=False, text=True, env=environment(venv.path))
    settings = dict(re.findall(r"^(?:global|install|:env:)\.([\w-]+)='(.*)'$", asked.stdout, re.M))
    if cache.returncode == 0:
        settings.setdefault("cache-dir", cache.stdout.strip())
    settings.pop("config-file", None)
    config = home / ".config/pip/pip.conf"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.touch(mode=0o600)  # the index's URL may hold a password
    config.write_text("[global]\n" + "".join(f"{name} = {value}\n" for name, value in settings.items()))

    (package,) = venv.path.glob("lib/python3.*/site-packages/ansible_test")
    versions = set(re.findall(r"pip='([\d.]+)'", (package / "_internal/python_requirements.py").read_text()))
    scripts = home / ".ansible/test/cache"
    scripts.mkdir(parents=True, exist_ok=True)
    for version in versions:
        shutil.copy(ROOT / "tests/runner/get_pip.py", scripts / f"get_pip_{version.replace('.', '_')}.py")


def sanity(venv: Venv, log: IO[str]) -> Counts:
    """Run every sanity test with the venv's ansible-core and Python; nothing is ignored."""
    base = BUILD / "sanity" / venv.name
    target = base / "ansible_collections/gohost/linux"
    copy_sources(target)
    ignores = sorted(path.name for path in (target / "tests/sanity").glob("ignore*.txt"))
    if ignores:
        raise Failed(f"tests/sanity holds {', '.join(ignores)}: this project ignores nothing")
    _prepare_home(base / "home", venv)
    version = re.search(r"python(3\.\d+)$", str(next(venv.path.glob("lib/python3.*"))))
    assert version
    start = log.tell()
    env = environment(venv.path, HOME=str(base / "home"), ANSIBLE_COLLECTIONS_PATH=str(base))
    status = run([venv.program("ansible-test"), "sanity", "--color", "no", "--python", version[1]], log, env, target)
    return _counts(Path(log.name).read_text(errors="replace")[start:], status)


def _counts(text: str, status: int) -> Counts:
    """Sanity's own words → counts. A test that does not apply to any of our files is not started and not named."""
    started = len(re.findall(r"^Running sanity test ", text, re.M))
    skipped = tuple(re.findall(r"^WARNING: (Skipping sanity test .*)$", text, re.M))
    if not started:
        raise Failed("ansible-test ran no sanity test")
    listed = re.search(r"^(?:ERROR|FATAL): The (\d+) sanity test\(s\) listed below", text, re.M)
    failed = int(listed[1]) if listed else int(status != 0)
    return Counts(max(started - failed, 0), failed, len(skipped), skipped)
