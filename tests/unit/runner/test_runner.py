# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runner: what it counts, what it makes of a missing interpreter, and that it hides no failure."""

from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest

from tests.runner import interpreters, sanity, stage
from tests.runner.stage import Counts, Stage
from tests.runner.workspace import Failed, Missing, run


@pytest.fixture(autouse=True)
def _own_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "BUILD", tmp_path)
    monkeypatch.delenv("CI", raising=False)


def good(log: IO[str]) -> Counts:
    return Counts(passed=2, skipped=1, reasons=("no such device",))


def bad(log: IO[str]) -> Counts:
    log.write("the reason why\n")
    raise Failed("it broke")


def crash(log: IO[str]) -> Counts:
    raise KeyError("a bug")


def missing(log: IO[str]) -> Counts:
    raise Missing("no Python 3.6")


def perform(*stages: Stage) -> "tuple[int, dict[str, stage.Result]]":
    results = stage.perform(stages, 2)
    return stage.summary(stages, results, 1.0), results


def test_sum_is_the_last_line_and_left_in_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, _results = perform(Stage("a", good), Stage("b", good, needs=("a",), after=("a",)))
    assert status == 0
    output = capsys.readouterr().out
    assert output.splitlines()[-1] == "4 passed, 0 failed, 2 skipped"
    assert (tmp_path / "counts").read_text() == "4 passed, 0 failed, 2 skipped\n"
    assert "skipped: no such device" in output


@pytest.mark.parametrize("work", [bad, crash])
def test_failure_fails_what_needs_it_and_shows_the_log(work: Callable[[IO[str]], Counts], capsys: pytest.CaptureFixture[str]) -> None:
    status, results = perform(Stage("a", work), Stage("b", good, needs=("a",)), Stage("c", good, after=("a",)))
    assert (status, results["a"].counts.failed, results["b"].counts.failed, results["c"].counts.passed) == (1, 1, 1, 2)
    assert ("the reason why" if work is bad else "KeyError: 'a bug'") in capsys.readouterr().out


def test_missing_interpreter_is_a_skip_here_and_a_failure_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    stages = (Stage("a", missing), Stage("b", good, needs=("a",)))
    status, results = perform(*stages)
    assert (status, [results[name].counts.skipped for name in "ab"]) == (0, [1, 1])
    monkeypatch.setenv("CI", "true")
    status, results = perform(*stages)
    assert (status, [results[name].counts.failed for name in "ab"]) == (1, [1, 1])


def test_interpreter_that_does_not_work_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shim = tmp_path / "python9.9"
    shim.write_text("#!/bin/sh\nexit 127\n")
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(Missing, match=r"9\.9"):
        interpreters.find("9.9")


def test_pyenv_is_found_by_its_shims_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for patch in ("2", "10"):
        python = tmp_path / f"pyenv/versions/9.9.{patch}/bin/python"
        python.parent.mkdir(parents=True)
        python.write_text(f"#!/bin/sh\necho 9.9 /found/{patch}\n")
        python.chmod(0o755)
    (tmp_path / "pyenv/shims").mkdir()
    monkeypatch.delenv("PYENV_ROOT", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "pyenv/shims"))
    interpreters.find.cache_clear()
    assert interpreters.find("9.9") == Path("/found/10")


SANITY = 'Running sanity test "a"\nRunning sanity test "b" on Python 3.11\nWARNING: Skipping sanity test "c" on Python 3.7 because it could not be found.\n'


@pytest.mark.parametrize(
    ("more", "status", "counts"),
    [
        ("", 0, (2, 0, 1)),
        ("FATAL: The 1 sanity test(s) listed below (out of 2) failed. See error output above for details.\na\n", 1, (1, 1, 1)),
        ("Traceback\n", 1, (1, 1, 1)),
    ],
)
def test_sanity_is_counted(more: str, status: int, counts: "tuple[int, int, int]") -> None:
    assert sanity._counts(SANITY + more, status)[:3] == counts


def test_sanity_over_nothing_is_a_failure() -> None:
    with pytest.raises(Failed, match="no sanity test"):
        sanity._counts("WARNING: All targets skipped.\n", 0)


def test_junit_report_is_counted(tmp_path: Path) -> None:
    report = tmp_path / "r.xml"
    report.write_text(
        '<testsuites><testsuite tests="5" failures="1" errors="1" skipped="1"><testcase><skipped message="why"/></testcase></testsuite></testsuites>'
    )
    assert stage.counts_of(report) == Counts(2, 2, 1, ("why",))


def test_command_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as log, pytest.raises(Failed, match="took longer"):
        run(["sh", "-c", "sleep 60 & sleep 60"], log, timeout=0.2)
