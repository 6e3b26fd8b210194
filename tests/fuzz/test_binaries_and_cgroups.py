# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make fuzz`: programs, cgroups and amounts of any content are read without an error other than ours, and never more of a file than is allowed.

FUZZ_EXAMPLES says how many inputs each reader gets.
"""

import itertools
import json
import os

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.gohost.linux.plugins.module_utils.binaries import elf
from ansible_collections.gohost.linux.plugins.module_utils.binaries import parse as build
from ansible_collections.gohost.linux.plugins.module_utils.cgroups import hierarchy, parse, predict, quantities, variables
from ansible_collections.gohost.linux.plugins.module_utils.cgroups.model import Place, Program
from ansible_collections.gohost.linux.plugins.module_utils.errors import GoHostError
from tests.fakes import cgroups
from tests.fakes import elf as fake

fuzzed = settings(max_examples=int(os.environ.get("FUZZ_EXAMPLES", "5000")), deadline=None, suppress_health_check=list(HealthCheck))
MODINFO = 'path\tx\nmod\tx\t(devel)\t\ndep\ty\tv1\th1:=\n=>\t./y\t(devel)\t\nbuild\tDefaultGODEBUG=containermaxprocs=0\nbuild\t"a b"="c\\n"\n'
FORMS = [fake.make("go1.27.4", MODINFO, bits, *others) for bits in (32, 64) for others in itertools.product((False, True), repeat=3)]
INTERESTING = st.sampled_from([b"\xff" * 8, b"\0" * 8, b"\x7f", b"\x80", b"\xff\xff", b"\x01\0\0\0", b"\0\0\0\x01", fake.MAGIC])
LARGEST = 1 << 22


def program(data: bytes) -> None:
    """Whatever it is, few bytes are asked for, and what is found can be told."""
    asked = 0

    def read(offset: int, size: int) -> bytes:
        nonlocal asked
        assert offset >= 0 and 0 <= size <= LARGEST
        asked += 1
        return data[offset : offset + size]

    found = elf.build_info(read)
    assert asked < 200
    if found is not None:
        info = build.build_info(found[0], build.modinfo(found[1]))
        json.dumps([info, info.shown]).encode()
        build.release(info.version)


@fuzzed
@given(
    form=st.sampled_from(FORMS),
    edits=st.lists(st.tuples(st.integers(0, 1 << 13), st.binary(min_size=1, max_size=8) | INTERESTING), min_size=1, max_size=6),
    end=st.integers(0, 1 << 14),
)
def test_damaged_program(form: bytes, edits: list[tuple[int, bytes]], end: int) -> None:
    data = bytearray(form)
    headers = 512  # where damage does most
    for place, new in edits:
        at = place % (headers if place % 2 else len(data))
        data[at : at + len(new)] = new
    program(bytes(data[:end]) if end % 4 == 0 else bytes(data))


@fuzzed
@given(st.binary(max_size=400).map(lambda data: b"\x7fELF" + data) | st.binary(max_size=100))
def test_any_bytes(data: bytes) -> None:
    program(data)


@fuzzed
@given(blob=st.binary(max_size=200), bits=st.sampled_from([32, 64]), big=st.booleans(), size=st.sampled_from([4, 8, 3, 0]), flags=st.integers(0, 3))
def test_any_header(blob: bytes, bits: int, big: bool, size: int, flags: int) -> None:
    program(fake.assemble(fake.MAGIC + bytes([size, flags]) + blob, bits, big))


words = st.sampled_from(["path", "mod", "dep", "=>", "build", "\t", "\n", "=", '"', "`", "\\", "\\x41", "\\u", "DefaultGODEBUG", "a", "go1.27", "devel ", " "])


@fuzzed
@given(st.lists(words | st.text(max_size=4), max_size=30).map("".join))
def test_module_information(text: str) -> None:
    json.dumps(build.build_info(text, text))
    build.release(text)


paths = st.sampled_from(["/", "/a", "/a/b", "/..", "/../b", "/a (deleted)", "", "a", "/a\\134b"])
lines = st.tuples(st.sampled_from(["0", "1", "7", "x", ""]), st.sampled_from(["", "cpu", "cpu,cpuacct", "memory", "name=systemd"]), paths).map(":".join)
mounts = st.tuples(
    st.sampled_from(["1 2 0:1", "1 2"]),
    paths,
    st.sampled_from(["/sys/fs/cgroup", "/sys/fs/cgroup\\040x", "/\\777", ""]),
    st.sampled_from(["rw - cgroup2 none rw", "rw shared:1 - cgroup cgroup rw,cpu", "rw - cgroup x rw,memory", "rw - ext4 /dev/vda rw", "rw -"]),
).map(" ".join)


@fuzzed
@given(
    cgroup=st.lists(lines | st.text(max_size=10), max_size=5).map("\n".join),
    mountinfo=st.lists(mounts | st.text(max_size=10), max_size=5).map("\n".join),
    content=st.sampled_from(["max 100000\n", "150000 100000\n", "150000\n", "-1\n", "1 0\n", "0 -5\n"]) | st.text(max_size=70),
    release=st.tuples(st.integers(0, 2), st.integers(0, 40)),
    environment=st.sampled_from(["3", "-", "+3", "containermaxprocs=0", "containermaxprocs=-,a", ""]) | st.text(max_size=20),
    cpus=st.integers(-1, 1 << 16),
)
def test_prediction(cgroup: str, mountinfo: str, content: str, release: tuple[int, int], environment: str, cpus: int) -> None:
    memberships, seen = parse.memberships(cgroup), parse.mounts(mountinfo)
    for place in (Place(cpus, memberships, seen), Place(cpus, *hierarchy.inside(memberships, seen))):
        for each in (Program(release), Program(release, environment, None, environment), Program(release, "", environment)):
            found = predict.predict(each, place, lambda path: content if path.startswith("/") else None)
            assert 1 <= found.value < 1 << 31
            assert found.cause == "environment" or found.value <= max(cpus, 1)
            assert found.reads_quota == (not found.off)
    for controller in ("cpu", "memory", "pids"):
        nodes = hierarchy.chain(controller, memberships, seen)
        assert len({node.directory for node in nodes}) == len(nodes)


@fuzzed
@given(
    text=st.text(max_size=60)
    | st.lists(st.sampled_from(["0-3", ",", "some avg10=1.00", " total=5", "\n", "oom_kill 3", "kB", "7", "MiB", "%", "."])).map("".join)
)
def test_small_texts(text: str) -> None:
    for read in (parse.cpu_max, parse.limit, parse.keyed, parse.pressure, parse.cpu_list, parse.status, parse.kibibytes, parse.properties):
        read(text)
    for other in (parse.exec_path, parse.time_span, predict.memory_limit, cgroup_free):
        other(text)
    parse.cfs(text, text)
    parse.process_time(text, 10000)
    assert set(parse.go_variables(text.encode("utf-8", "replace"))) <= set(parse.GO_VARIABLES)


pieces = st.sampled_from(["GOGC", "GOMAXPROCS", "=", "=", " ", "'", '"', "\\", "\n", "\r", "#", "%", "%i", "\\x4", "\\x41", "\\061", "\\u00e9", "\udcff", "3"])


@fuzzed
@given(text=st.lists(pieces | st.text(max_size=3), max_size=30).map("".join), version=st.sampled_from([252, 254]))
def test_environments(text: str, version: int) -> None:
    for found in (variables.environment_file(text, version), variables.assigned(variables.resolved(text, "app@1.service"))):
        assert set(found) <= set(parse.GO_VARIABLES)
        assert all(value.encode() is not None for value in found.values())
    for printed in (False, True):
        assert all(word or set(text) & set("'\"") for word in variables.words(text, printed))


def cgroup_free(text: str) -> None:
    """Texts that are no membership make none, and nothing makes a place out of them."""
    assert hierarchy.chain("cpu", parse.memberships(text), parse.mounts(cgroups.V2)) == () or ":" in text


@fuzzed
@given(
    text=st.text(max_size=20) | st.lists(st.sampled_from(["1", "512", ".", "5", "M", "iB", "B", "%", "K", " ", "infinity", "-", "E"]), max_size=6).map("".join)
)
def test_amounts(text: str) -> None:
    for read in (quantities.size, quantities.count):
        try:
            amount = read(text)
        except GoHostError as error:
            assert "\n" not in str(error)
        else:
            assert read(str(amount)) == amount and (amount.of(1 << 40) or 0) >= 0
    try:
        assert (quantities.cpus(text) or 1) > 0
    except GoHostError as error:
        assert "\n" not in str(error)
