# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make fuzz`: unit files of any content are read without an error, wishes of any content are done or refused in one line, and what is done holds.

FUZZ_EXAMPLES says how many inputs each reader gets; a whole machine gets one for every fifty of them.
"""

import os
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.gohost.linux.plugins.module_utils.cgroups import unit_files
from ansible_collections.gohost.linux.plugins.module_utils.cgroups.limits import model, options, parse
from ansible_collections.gohost.linux.plugins.module_utils.cgroups.limits.converge import converge
from ansible_collections.gohost.linux.plugins.module_utils.cgroups.limits.directives import DIRECTIVES
from ansible_collections.gohost.linux.plugins.module_utils.errors import GoHostError
from tests.crash.test_every_call import fast_directory
from tests.fakes import systemd

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "5000"))
fuzzed = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
machines = settings(fuzzed, max_examples=max(EXAMPLES // 50, 10))
GOOD = ["app.service", "app@.service", "app@1.service", "build.slice", "app-.service", "user-.slice", "run.scope"]
UNITS = [*GOOD, "x.socket", "-.slice", "../a.service", "a--b.slice"]
PLACES = (f"{systemd.ETC}/app.service.d/50-a.conf", f"{systemd.ETC}/build.slice.d/99-b.conf", f"{systemd.RUN}/app@1.service.d/1.conf")

amounts = st.sampled_from(["1", "0", "-1", "512MiB", "1G", "25%", "100.01%", "infinity", "1.5", "150%", "idle", "0-3", "3-1", "1" * 20, "½", "", " "])
values = amounts | st.text(max_size=8)
names = st.sampled_from([each.name for each in DIRECTIVES.values()] + ["Environment", "ExecStart", "EnvironmentFile", "CPUAffinity", ""])
words = st.sampled_from(["GOMAXPROCS=3", '"GOMEMLIMIT=1GiB"', "'GODEBUG=a b'", "GOGC", "\\", '"', "\\x41=1"])
starts, signs, ends = (st.sampled_from(each) for each in (["", " ", "#", ";", "\t"], ["=", " = ", ""], ["", "\\", "\r"]))
lines = st.tuples(starts, names, signs, values | words, ends).map("".join)
sections = st.sampled_from(["[Service]", "[Slice]", "[Scope]", "[Unit]", "[", "[]", "]"])
files = st.lists(sections | lines | st.text(max_size=10), max_size=12).map("\n".join)


@fuzzed
@given(text=files | st.text(max_size=80))
def test_unit_file(text: str) -> None:
    read = unit_files.settings(text, "/f")
    assert all(each.name and each.name == each.name.strip() and "\n" not in each.name + each.value for each in read)
    for section in model.SECTIONS.values():
        for directive in DIRECTIVES.values():
            assert all(each.value for each in unit_files.standing(read, section, directive.name))
    parse.options(read)
    assert all(name.startswith("GO") for name in parse.go_environment(read))


def entry(unit: str, given: dict[str, Any]) -> dict[str, Any]:
    return {"unit": unit, "state": "present", "runtime": False, "go_runtime": "auto", "memory_headroom": 0.9, "memory_share": None, **given}


devices = st.lists(st.fixed_dictionaries({"device": st.sampled_from(["/dev/vda", "vda", "/dev/a b"]) | st.text(max_size=5), "limit": values}), max_size=2)
SIZES = ("memory_min", "memory_low", "memory_high", "memory_max", "memory_swap_max", "memory_share")
wished: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys((*SIZES, "cpu_quota", "cpu_weight", "allowed_cpus", "tasks_max", "managed_oom_memory_pressure_limit"), values),
    **dict.fromkeys(("io_weight", "oom_score_adjust", "limit_nofile"), st.integers(-5, 1 << 40)),
    **dict.fromkeys(("cpu_quota_period", "memory_headroom"), st.floats()),
    **dict.fromkeys(("io_read_bandwidth_max", "io_write_iops_max"), devices),
    "slice": st.sampled_from(UNITS) | values,
    "delegate": st.lists(st.sampled_from(["cpu", "io", "memory"]), max_size=3),
}
sane: dict[str, st.SearchStrategy[Any]] = {
    "memory_max": st.sampled_from(["512MiB", "1G", "25%", "infinity"]),
    "memory_high": st.sampled_from(["100MiB", "infinity", "5%"]),
    "cpu_quota": st.sampled_from(["1.5", "150%", "0.01", "infinity"]),
    "cpu_weight": st.sampled_from(["idle", "1", "10000"]),
    "tasks_max": st.sampled_from(["9", "1%", "infinity"]),
    "allowed_cpus": st.sampled_from(["0-3", "7", "0,2"]),
    "slice": st.sampled_from(["build.slice", "new.slice", "new-er.slice", "system.slice"]),
    "limit_nofile": st.sampled_from([100, 5000]),
    "delegate": st.lists(st.sampled_from(["cpu", "io", "memory"]), max_size=3),
    "runtime": st.booleans(),
    "go_runtime": st.sampled_from(["auto", "off"]),
}
entries = st.builds(entry, st.sampled_from(UNITS) | st.text(max_size=10), st.fixed_dictionaries({}, optional=wished))
likely = st.builds(entry, st.sampled_from(GOOD), st.fixed_dictionaries({}, optional=sane))


def wanted(*units: dict[str, Any]) -> model.Wanted | None:
    """The wish, None where it is refused in one line."""
    try:
        return options.wanted({"units": list(units), "restart": "needed", "force": False})
    except GoHostError as error:
        assert "\n" not in str(error)
        return None


@fuzzed
@given(entries)
def test_wish(given: dict[str, Any]) -> None:
    """What is taken can be read again from the file that it becomes."""
    found = wanted(given)
    if found is None:
        return
    (wish,) = found.wishes
    text = parse.render(wish, {"GOMAXPROCS": "3"})
    assert text is not None and text.startswith(parse.OURS) and text.endswith("\n")
    read = unit_files.settings(text, "/f")
    assert {each.section for each in read} == {model.SECTIONS[wish.target.kind]}
    assert parse.options(read) == {option: value for option, value in wish.settings.items() if value}
    assert parse.go_environment(read) == ({"GOMAXPROCS": "3"} if wish.target.kind == model.SERVICE else {})


@machines
@given(foreign=st.lists(files, min_size=3, max_size=3), wishes=st.lists(likely | likely | entries, min_size=1, max_size=3), v1=st.booleans())
def test_machine(foreign: list[str], wishes: list[dict[str, Any]], v1: bool) -> None:
    """Other drop-ins of any content: a wish is refused and nothing written, or it is done, as check mode said, and a second run does nothing."""
    call = wanted(*wishes)
    with tempfile.TemporaryDirectory(dir=fast_directory()) as root:
        host = systemd.prepare(Path(root), v1)
        for unit in ("app.service", "app@.service", "build.slice"):
            host.unit(unit)
        for place, text in zip(PLACES, foreign, strict=True):
            host.write(place, text.encode("utf-8", "replace"))
        host.reload()
        host.start("app.service", "app@1.service", "build.slice")
        if call is None:
            return
        before = sorted(Path(root).rglob("*"))
        try:
            predicted = converge(host, call, check=True)
            assert sorted(Path(root).rglob("*")) == before
            done = converge(host, call)
        except GoHostError as error:
            assert "\n" not in str(error)
            return
        assert predicted.decision.plan == done.decision.plan
        assert not converge(host, call).decision.plan.changed
