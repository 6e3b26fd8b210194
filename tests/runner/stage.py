# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stages: named pieces of work with needs, run two side by side, timed and counted."""

import os
import time
import traceback
import xml.etree.ElementTree
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import IO, NamedTuple

from tests.runner.workspace import BUILD, Failed, Missing

LINES_SHOWN = 400  # of the log of a stage that failed; the whole stays in .build/logs


class Counts(NamedTuple):
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    reasons: tuple[str, ...] = ()  # why something was skipped

    def plus(self, other: "Counts") -> "Counts":
        return Counts(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped, self.reasons + other.reasons)

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def counts_of(report: Path) -> Counts:
    """What pytest's report in JUnit's format says."""
    total = Counts()
    for suite in xml.etree.ElementTree.parse(report).getroot().iter("testsuite"):
        tests, failures, errors, skipped = (int(suite.get(key, "0")) for key in ("tests", "failures", "errors", "skipped"))
        reasons = sorted({f"{skip.get('message', '')}" for skip in suite.iter("skipped")})
        total = total.plus(Counts(tests - failures - errors - skipped, failures + errors, skipped, tuple(reasons)))
    return total


class Stage(NamedTuple):
    name: str
    work: Callable[[IO[str]], Counts]
    needs: tuple[str, ...] = ()  # stages that must have succeeded
    after: tuple[str, ...] = ()  # stages that must be over, because both would use the same things


class Result(NamedTuple):
    counts: Counts
    seconds: float = 0.0
    trouble: str = ""  # why it failed or was skipped as a whole

    @property
    def usable(self) -> bool:
        return not self.counts.failed and not self.trouble


def _perform(stage: Stage) -> Result:
    start = time.monotonic()
    path = BUILD / "logs" / f"{stage.name}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as log:
        try:
            result = Result(stage.work(log))
        except Missing as missing:
            # CI machines are ours to equip; on anybody else's, what is missing is only not tested.
            counts = Counts(failed=1) if os.environ.get("CI") == "true" else Counts(skipped=1, reasons=(str(missing),))
            result = Result(counts, trouble=str(missing))
        except Failed as failed:
            result = Result(Counts(failed=1), trouble=str(failed))
        except Exception as error:  # a stage that breaks must neither hide the others nor the table
            traceback.print_exc(file=log)
            result = Result(Counts(failed=1), trouble=repr(error))
    return result._replace(seconds=time.monotonic() - start)


def _blocked(stage: Stage, results: dict[str, Result]) -> Result | None:
    for need in stage.needs:
        broken = results.get(need)
        if broken and not broken.usable:
            why = f"not run: it needs {need}, which " + ("failed" if broken.counts.failed else "was skipped")
            counts = Counts(failed=1) if broken.counts.failed else Counts(skipped=1, reasons=(why,))
            return Result(counts, trouble=why)
    return None


def _report(name: str, result: Result) -> None:
    word = "FAIL" if result.counts.failed else "skip" if result.trouble else "ok"
    if result.counts.failed:
        log = BUILD / "logs" / f"{name}.log"
        lines = log.read_text(errors="replace").splitlines() if log.exists() and result.seconds else []
        if len(lines) > LINES_SHOWN:
            print(f"[… {len(lines) - LINES_SHOWN} lines more in {log}]")
        print("\n".join(lines[-LINES_SHOWN:]))
    for reason in result.counts.reasons:
        print(f"      skipped: {reason}")
    print(f"{word:<5} {name:<20} {result.seconds:7.1f} s   {result.counts}{'   ' + result.trouble if result.trouble else ''}", flush=True)


def perform(stages: Sequence[Stage], workers: int) -> dict[str, Result]:
    """Run the stages, in their order where needs and workers allow it; each one's output is shown when it failed."""
    results: dict[str, Result] = {}
    waiting, running = list(stages), dict[Future[Result], str]()
    with ThreadPoolExecutor(workers) as pool:
        while waiting or running:
            for stage in list(waiting):
                unfinished = {other.name for other in waiting} | set(running.values())
                blocked = _blocked(stage, results)
                if blocked:
                    results[stage.name] = blocked
                    _report(stage.name, blocked)
                elif len(running) < workers and not unfinished.intersection(stage.needs + stage.after):
                    running[pool.submit(_perform, stage)] = stage.name
                else:
                    continue
                waiting.remove(stage)
            for done in wait(running, return_when=FIRST_COMPLETED).done if running else ():
                name = running.pop(done)
                results[name] = done.result()
                _report(name, results[name])
    return results


def summary(stages: Sequence[Stage], results: dict[str, Result], seconds: float) -> int:
    """Print where the time went and, as the last line, the sum; → exit status. The sum is also left in .build/counts."""
    print(f"\n{'stage':<20} {'seconds':>8} {'passed':>7} {'failed':>7} {'skipped':>8}")
    total = Counts()
    for stage in stages:
        result = results[stage.name]
        total = total.plus(result.counts)
        print(f"{stage.name:<20} {result.seconds:8.1f} {result.counts.passed:7} {result.counts.failed:7} {result.counts.skipped:8}")
    print(f"{'all, side by side':<20} {seconds:8.1f}\n\n{total}", flush=True)
    Path(BUILD / "counts").write_text(f"{total}\n")
    return 1 if total.failed else 0
