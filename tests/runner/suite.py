# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stages of `make test` and `make test-all`."""

import functools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from tests.runner import molecule
from tests.runner.sanity import sanity
from tests.runner.stage import Counts, Stage, counts_of
from tests.runner.venvs import CORE216, LINT, NEWEST_CORE, PY36, Venv, setup
from tests.runner.workspace import BUILD, Failed, environment, run

LINTERS: dict[str, tuple[str, ...]] = {
    "ruff": ("ruff", "check", "--no-cache"),
    "ruff-format": ("ruff", "format", "--no-cache", "--diff"),
    "mypy": ("mypy", "-p", "ansible_collections.gohost.linux.plugins", "-p", "tests", "-p", "tools", "-p", "benchmarks"),
    "yamllint": ("yamllint", "--strict", "."),
    "ansible-lint": ("ansible-lint", "--strict", "--nocolor", "-q"),
    "antsibull-docs": ("antsibull-docs", "lint-collection-docs", "--plugin-docs", "--validate-collection-refs", "self", "."),
    "antsibull-changelog": ("antsibull-changelog", "lint"),
}


def _lint(names: Sequence[str], log: IO[str]) -> Counts:
    env = environment(LINT.path)
    passed = [run([LINT.program(LINTERS[name][0]), *LINTERS[name][1:]], log, env) == 0 for name in names]
    return Counts(passed.count(True), passed.count(False))


def pytest(venv: Venv, name: str, arguments: Sequence[str], log: IO[str], timeout: float = 1800) -> Counts:
    """Run pytest in the venv; the counts are those of its own report. No test at all is a failure."""
    report = BUILD / "logs" / f"{name}.xml"
    report.unlink(missing_ok=True)
    env = environment(venv.path, TMPDIR=str(_scratch(name)))
    status = run([venv.python, "-m", "pytest", "-q", f"--junitxml={report}", *arguments], log, env, timeout=timeout)
    if status not in (0, 1) or not report.is_file():
        raise Failed(f"pytest ended with status {status}")
    return counts_of(report)


def _scratch(name: str) -> Path:
    path = BUILD / "tmp" / name
    path.mkdir(parents=True, exist_ok=True)
    return path


def stages(long: bool) -> Iterator[Stage]:
    """All stages in the order in which they start. Of two for the same thing, the slow ones come first."""
    for venv in (NEWEST_CORE, LINT, CORE216, PY36):
        yield Stage(f"setup-{venv.name}", functools.partial(setup, venv))

    yield Stage("sanity-newest", functools.partial(sanity, NEWEST_CORE), needs=("setup-newest",))
    yield Stage("sanity-core216", functools.partial(sanity, CORE216), needs=("setup-core216",))
    for name in LINTERS:
        yield Stage(f"lint-{name}", functools.partial(_lint, [name]), needs=("setup-lint",))
    yield Stage(
        "units-py36",
        functools.partial(pytest, PY36, "units-py36", ["tests/unit/module_utils", "tests/unit/test_compiles.py"]),
        needs=("setup-py36",),
    )
    for venv in (CORE216, NEWEST_CORE):
        yield Stage(f"units-{venv.name}", functools.partial(pytest, venv, f"units-{venv.name}", ["tests/unit"]), needs=(f"setup-{venv.name}",))

    selection = [] if long else ["-m", "not long"]
    real = functools.partial(pytest, timeout=2 * 3600 if long else 1800)
    yield Stage("crash", functools.partial(real, NEWEST_CORE, "crash", ["tests/crash", *selection]), needs=("setup-newest",))
    previous: tuple[str, ...] = ()
    for venv in (CORE216, NEWEST_CORE):
        name = f"integration-{venv.name}"
        yield Stage(name, functools.partial(real, venv, name, ["tests/integration", *selection]), needs=(f"setup-{venv.name}",), after=previous)
        previous = (name,)
    yield from molecule.stages(long)
    machines = ["-m", "vm" if long else "vm and not long"]
    yield Stage(
        "integration-vm",
        functools.partial(real, NEWEST_CORE, "integration-vm", ["tests/integration", *machines]),
        needs=("setup-newest", "setup-hosts"),
        after=molecule.MACHINE_STAGES if long else (),
    )
