# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the Makefile calls: `python3 -m tests.runner test|site|fuzz|bench`."""

import argparse
import sys
import time

if sys.version_info < (3, 10):
    sys.exit(f"the controller needs Python 3.10 or newer, and this is {sys.version.split()[0]}: run make with PYTHON=python3.x")

from tests.runner import site, stage, suite, workspace
from tests.runner.venvs import FUZZ, NEWEST_CORE, Venv


def _test(long: bool, only: list[str], workers: int) -> int:
    start = time.monotonic()
    every = list(suite.stages(long))
    unknown = [word for word in only if not any(word in each.name for each in every)]
    if unknown:
        raise workspace.Failed(f"no stage is named like {', '.join(unknown)}; there are: {', '.join(each.name for each in every)}")
    named = {each.name for each in every if not only or any(word in each.name for word in only)}
    wanted = {need for each in every if each.name in named for need in each.needs} | named
    chosen = [each for each in every if each.name in wanted]
    return stage.summary(chosen, stage.perform(chosen, workers), time.monotonic() - start)


def _program(venv: Venv, arguments: list[str]) -> int:
    """A long-running program of the project's own."""
    venv.make(sys.stdout)
    env = workspace.environment(venv.path, PYTHONPATH=str(workspace.BUILD))
    return workspace.run([venv.python, *arguments], sys.stdout, env, timeout=24 * 3600)


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.runner")
    commands = parser.add_subparsers(dest="command", required=True)
    test = commands.add_parser("test", help="run the checks")
    test.add_argument("--long", action="store_true", help="with the tests marked long")
    test.add_argument("--only", action="append", default=[], metavar="WORD", help="only stages whose name has this in it, and what they need; may be repeated")
    test.add_argument("--workers", type=int, default=2, help="stages at once (2)")
    play = commands.add_parser("site", help="build and install the collection, and run its playbook")
    play.add_argument("--inventory")
    commands.add_parser("fuzz", help="search for inputs that break the readers of foreign data")
    commands.add_parser("bench", help="measure against peers")
    options, rest = parser.parse_known_args()
    if rest and options.command == "test":
        parser.error(f"unknown: {' '.join(rest)}")

    workspace.link_collection()
    try:
        if options.command == "test":
            return _test(options.long, options.only, options.workers)
        if options.command == "site":
            return site.site(options.inventory, rest)
        if options.command == "fuzz":
            return _program(FUZZ, ["-m", "pytest", "tests/fuzz", *rest])
        return _program(NEWEST_CORE, ["-m", "benchmarks", *rest])
    except (workspace.Failed, workspace.Missing) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


sys.exit(main())
