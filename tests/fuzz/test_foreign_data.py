# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make fuzz`: whatever comes from outside either reads well or is a GoHostError, and stays where it belongs.

FUZZ_EXAMPLES says how many inputs each reader gets.
"""

import io
import os
import tempfile
import zipfile
from collections.abc import Callable
from json import dumps
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.gohost.linux.plugins.module_utils.errors import GoHostError
from ansible_collections.gohost.linux.plugins.module_utils.toolchain import archive, manifest, model, parse
from ansible_collections.gohost.linux.plugins.plugin_utils.releases import authority, goproxy, index, official, requirement, resolve, tlog
from ansible_collections.gohost.linux.plugins.plugin_utils.releases.sumdb import SUM_GOLANG_ORG
from tests.fakes import archives
from tests.fakes.host import RealHost

fuzzed = settings(max_examples=int(os.environ.get("FUZZ_EXAMPLES", "5000")), deadline=None, suppress_health_check=list(HealthCheck))
PREFIX = f"golang.org/toolchain@{model.module_version('1.27.3', 'amd64')}/"
KINDS = [b"0", b"1", b"2", b"3", b"4", b"5", b"6", b"7"]  # POSIX tar: file, hard link, symbolic link, devices, directory, fifo, contiguous
name_parts = st.sampled_from(["go", "bin", "src", "..", ".", "", "a", "a" * 200, "\\", "\x00", "ä", "\n", "_go.mod", "VERSION"])
names = st.lists(name_parts, max_size=5).map("/".join)
texts = st.text(max_size=400) | st.lists(
    st.sampled_from(["go", "toolchain", "1.27", "(", ")", "\n", "//", " ", "golang", "default", "|", ",", "direct", "off", "https://a"])
).map("".join)


def outside(base: Path) -> set[str]:
    """What is in a directory beside the destination."""
    return {entry.name for entry in base.iterdir()}


def unpacks(form: str, data: bytes) -> bool:
    """Whether an archive unpacks; it must not touch anything but its destination either way."""
    with tempfile.TemporaryDirectory() as made:
        base = Path(made)
        (base / "tree").mkdir()
        source = io.BytesIO(data)
        try:
            archive.unpacked_size(source, form)
            if form == "zip":
                done = archive.unpack_zip(RealHost(), source, str(base / "tree"), PREFIX)
            else:
                done = archive.unpack_tar(RealHost(), source, str(base / "tree"))
        except GoHostError:
            return False
        finally:
            assert outside(base) == {"tree"}
        for member in done.members:
            path = base / "tree" / member.path
            assert path.is_symlink() or (path.is_file() and path.stat().st_mode & 0o7777 == member.mode)
            assert path.resolve(strict=False).is_relative_to(base / "tree")
        return True


@fuzzed
@given(st.lists(st.tuples(names, st.sampled_from(KINDS), names, st.binary(max_size=50), st.integers(0, 0o7777)), max_size=8))
def test_tar_members(members: list[tuple[str, bytes, str, bytes, int]]) -> None:
    unpacks("tar.gz", archives.tar_gz([archives.tar_member("go/" + name, data, mode, kind, target) for name, kind, target, data, mode in members]))


@pytest.mark.filterwarnings("ignore:Duplicate name")
@fuzzed
@given(st.lists(st.tuples(names, st.binary(max_size=50)), max_size=8))
def test_zip_members(members: list[tuple[str, bytes]]) -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as made:
        for name, content in members:
            made.writestr(PREFIX + name, content)
    unpacks("zip", data.getvalue())


SOUND = archives.tree("1.27.3", "amd64", 12)
SEEDS = {"tar.gz": archives.official(SOUND), "zip": archives.zipped([(PREFIX + name, data) for name, (data, _mode) in SOUND.items()])}


@pytest.mark.parametrize("form", sorted(SEEDS))
def test_seed_is_sound(form: str) -> None:
    assert unpacks(form, SEEDS[form])


@pytest.mark.parametrize("form", sorted(SEEDS))
@fuzzed
@given(edits=st.lists(st.tuples(st.integers(0, 1 << 20), st.binary(max_size=6), st.integers(0, 6)), min_size=1, max_size=6))
def test_damaged_archive(form: str, edits: list[tuple[int, bytes, int]]) -> None:
    data = SEEDS[form]
    for place, new, cut in edits:
        place %= len(data) + 1
        data = data[:place] + new + data[place + cut :]
    unpacks(form, data)


READERS: dict[str, Callable[[bytes], object]] = {
    "manifest": lambda data: manifest.parse(data, "manifest"),
    "state": lambda data: parse.parse_state(data, "state"),
    "VERSION": parse.version_file,
    "official JSON": official.parse_json,
    "proxy list": official.parse_list,
    "tree head": tlog.Key(SUM_GOLANG_ORG).open,
    "record": tlog.record_hash,
}
TEXT_READERS: dict[str, Callable[[str], object]] = {
    "unit": parse.unit_commands,
    "package": parse.package_of,
    "version": model.parse_version,
    "line": model.parse_line,
    "resolve": lambda text: resolve.resolve(text, index.load()),
    "GOPROXY": goproxy.parse,
    "go.mod": lambda text: requirement.read("go.mod", text),
    "go.work": lambda text: requirement.read("go.work", text),
    ".go-version": lambda text: requirement.read(".go-version", text),
    ".tool-versions": lambda text: requirement.read(".tool-versions", text),
}
leaves = st.sampled_from(["1.27.3", "amd64", "sha256:" + "0" * 64, "h1:" + "A" * 43 + "="]) | st.text(max_size=20)
keys = st.sampled_from(["1.27.3", "amd64", "version", "files", "history", "links", "x"]) | st.text(max_size=5)
jsons = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.parametrize("reader", sorted(READERS))
@fuzzed
@given(data=st.binary(max_size=400) | texts.map(str.encode) | jsons.map(lambda value: dumps(value).encode()))
def test_bytes(reader: str, data: bytes) -> None:
    try:
        READERS[reader](data)
    except GoHostError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize("reader", sorted(TEXT_READERS))
@fuzzed
@given(text=texts)
def test_texts(reader: str, text: str) -> None:
    try:
        TEXT_READERS[reader](text)
    except GoHostError as error:
        assert "\n" not in str(error)


@fuzzed
@given(value=jsons)
def test_checksums_option(value: object) -> None:
    try:
        authority.checksums(value)
    except GoHostError as error:
        assert "\n" not in str(error)


@fuzzed
@given(base=texts, values=st.dictionaries(st.sampled_from(["GOPROXY", "GOSUMDB", "GOFLAGS"]), st.sampled_from(["off", "direct", "a b"])))
def test_go_env_holds_the_settings(base: str, values: dict[str, str]) -> None:
    lines = manifest.go_env(base, values).splitlines()
    for key, value in values.items():
        assert f"{key}={value}" in lines
