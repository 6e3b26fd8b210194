# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
import io
import os
import pathlib
import random
import signal
import stat
import struct
import subprocess
import sys
import tarfile
import zipfile
import zlib
from typing import Callable, Dict, Iterator, List, Tuple

import pytest

from ansible_collections.gohost.linux.plugins.module_utils.errors import GoHostError
from ansible_collections.gohost.linux.plugins.module_utils.toolchain import archive
from ansible_collections.gohost.linux.plugins.module_utils.toolchain.manifest import link_digest
from tests.fakes import archives
from tests.fakes.archives import tar_gz, tar_member
from tests.fakes.host import RealHost

VERSION, ARCH = "1.27.3", "amd64"
PREFIX = archives.prefix(VERSION, ARCH)
FILES = archives.tree(VERSION, ARCH, 30)
ENTRIES = archives.module_entries(FILES, VERSION, ARCH)
GOOD = {"tar.gz": archives.official(FILES), "zip": archives.zipped(ENTRIES)}
DIGEST = {"tar.gz": archives.sha256(GOOD["tar.gz"]), "zip": archives.h1(ENTRIES)}
HOST = RealHost()


@pytest.fixture(autouse=True)
def no_child_left() -> Iterator[None]:
    yield
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@pytest.fixture
def place(tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / "destination").mkdir()
    return tmp_path / "destination"


def unpack(form: str, data: bytes, place: pathlib.Path) -> archive.Unpacked:
    source = io.BytesIO(data)
    return archive.unpack_tar(HOST, source, str(place)) if form == "tar.gz" else archive.unpack_zip(HOST, source, str(place), PREFIX)


def read_back(place: pathlib.Path) -> Dict[str, Tuple[bytes, int]]:
    return {str(path.relative_to(place)): (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) for path in place.glob("**/*") if path.is_file()}


@pytest.mark.parametrize("form", ["tar.gz", "zip"])
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_a_release_comes_out_as_it_went_in(form: str, umask: int, place: pathlib.Path) -> None:
    before = os.umask(umask)
    try:
        unpacked = unpack(form, GOOD[form], place)
    finally:
        os.umask(before)
    assert unpacked.digest == DIGEST[form]
    assert read_back(place) == FILES  # both kinds, so both trees are equal: exec bits by rule, _go.mod renamed
    assert {(member.path, member.mode, member.size, "sha256:" + member.sha256) for member in unpacked.members} == {
        (path, mode, len(data), archives.sha256(data)) for path, (data, mode) in FILES.items()
    }
    for path in place.glob("**/*"):
        seen = path.lstat()
        assert (seen.st_uid, seen.st_gid) == (os.geteuid(), os.getegid())
        assert stat.S_IMODE(seen.st_mode) in ((0o755,) if path.is_dir() else (0o644, 0o755))


@pytest.mark.parametrize("form", ["tar.gz", "zip"])
def test_digest_alone_is_the_same(form: str) -> None:
    assert archive.digest(io.BytesIO(GOOD[form]), form, PREFIX) == DIGEST[form]


@pytest.mark.parametrize("form", ["tar.gz", "zip"])
def test_the_size_is_known_before(form: str) -> None:
    source = io.BytesIO(GOOD[form])
    content = sum(len(data) for data, _mode in FILES.values())
    assert content <= archive.unpacked_size(source, form) <= content + 4096 * (len(FILES) + 8)
    assert source.tell() == 0


def test_h1_does_not_depend_on_order_or_packing(place: pathlib.Path) -> None:
    stored = io.BytesIO()
    with zipfile.ZipFile(stored, "w", zipfile.ZIP_STORED) as target:
        for name, data in reversed(ENTRIES):
            target.writestr(name, data)
    assert unpack("zip", stored.getvalue(), place).digest == DIGEST["zip"]


@pytest.mark.parametrize(
    ("files", "digest"),
    [
        # By golang.org/x/mod/sumdb/dirhash's own definition, with sha256sum and base64.
        ([], "h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
        ([("m@v/a", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")], None),
    ],
)
def test_h1(files: List[Tuple[str, str]], digest: str) -> None:
    expected = digest or archives.h1([(name, b"") for name, _sum in files])
    assert archive.h1(files) == expected


def test_modes_of_the_archive_count_for_nothing_but_execution(place: pathlib.Path) -> None:
    members = [
        tar_member("go/a", b"1", 0o6777),
        tar_member("go/b", b"2", 0o000),
        tar_member("go/c", b"3", 0o001),
        tar_member("go/d", b"", 0o1777, tarfile.DIRTYPE),
        tar_member("go/d/e", b"4", 0o7666),
    ]
    for info, _data in members:
        info.uid = info.gid = 4711
    unpack("tar.gz", tar_gz(members), place)
    assert {path: mode for path, (_data, mode) in read_back(place).items()} == {"a": 0o755, "b": 0o644, "c": 0o755, "d/e": 0o644}
    assert stat.S_IMODE((place / "d").stat().st_mode) == 0o755
    assert {path.stat().st_uid for path in place.glob("**/*")} == {os.geteuid()}


@pytest.mark.parametrize(
    ("name", "executable"),
    [
        ("bin/go", True),
        ("bin/sub/go", False),
        ("pkg/tool/linux_amd64/vet", True),
        ("pkg/tool/x", True),
        ("pkg/toolx/x", False),
        ("lib/wasm/go_js_wasm_exec", True),
        ("lib/go_ios_arm64_exec", True),
        ("misc/wasm/go_js_wasm_exec", False),
        ("lib/wasm/go__wasm_exec", False),
        ("lib/wasm/go_js_wasm_exec.txt", False),
        ("src/make.bash", False),
    ],
)
def test_exec_bits_of_a_module_zip(name: str, executable: bool, place: pathlib.Path) -> None:
    unpacked = unpack("zip", archives.zipped([(PREFIX + name, b"x")]), place)
    assert unpacked.members[0].mode == (0o755 if executable else 0o644)


def test_names_that_differ_in_case_are_different(place: pathlib.Path) -> None:
    for form, data in (
        ("tar.gz", tar_gz([tar_member("go/README", b"1"), tar_member("go/readme", b"2")])),
        ("zip", archives.zipped([(PREFIX + "README", b"1"), (PREFIX + "readme", b"2")])),
    ):
        destination = place / form
        destination.mkdir()
        unpack(form, data, destination)
        assert read_back(destination) == {"README": (b"1", 0o644), "readme": (b"2", 0o644)}


def test_a_link_within_the_tree_is_kept(place: pathlib.Path) -> None:
    members = [tar_member("go/bin/go", b"x", 0o755), tar_member("go/misc/link", kind=tarfile.SYMTYPE, target="../bin/go")]
    unpacked = unpack("tar.gz", tar_gz(members), place)
    assert os.readlink(str(place / "misc/link")) == "../bin/go"
    assert unpacked.members[1][1:] == (0o777, 9, link_digest("../bin/go"))


# ---- hostile archives


def special(name: str, kind: bytes, target: str = "") -> Tuple[tarfile.TarInfo, bytes]:
    return tar_member(name, kind=kind, target=target)


HOSTILE_TAR = {
    "absolute": [tar_member("/etc/x", b"1")],
    "absolute below go": [tar_member("go//etc/x", b"1")],
    "no top": [tar_member("VERSION", b"1")],
    "other top": [tar_member("gox/VERSION", b"1")],
    "top is a file": [tar_member("go", b"1")],
    "climbs": [tar_member("go/../../x", b"1")],
    "climbs and returns": [tar_member("go/../go/x", b"1")],
    "climbs first": [tar_member("../go/x", b"1")],
    "dot": [tar_member("go/./x", b"1")],
    "directory climbs": [special("go/../../d", tarfile.DIRTYPE)],
    "backslash": [tar_member("go/..\\x", b"1")],
    "newline": [tar_member("go/a\nb", b"1")],
    "escape": [tar_member("go/a\x1b[2J", b"1")],
    "right to left": [tar_member("go/a\u202eb", b"1")],
    "not UTF-8": [tar_member("go/a\udcffb", b"1")],
    "character device": [special("go/null", tarfile.CHRTYPE)],
    "block device": [special("go/sda", tarfile.BLKTYPE)],
    "fifo": [special("go/fifo", tarfile.FIFOTYPE)],
    "hard link out": [special("go/passwd", tarfile.LNKTYPE, "/etc/passwd")],
    "hard link in": [tar_member("go/a", b"1"), special("go/b", tarfile.LNKTYPE, "go/a")],
    "link absolute": [special("go/l", tarfile.SYMTYPE, "/etc")],
    "link climbs": [special("go/l", tarfile.SYMTYPE, "..")],
    "link climbs deep": [special("go/a/b/l", tarfile.SYMTYPE, "../../../x")],
    "link climbs within": [special("go/a/l", tarfile.SYMTYPE, "x/../../../y")],
    "link with a newline": [special("go/l", tarfile.SYMTYPE, "a\nb")],
    "file through a link": [special("go/l", tarfile.SYMTYPE, "bin"), tar_member("go/l/x", b"1")],
    "directory through a link": [special("go/l", tarfile.SYMTYPE, "bin"), special("go/l/d", tarfile.DIRTYPE)],
    "link over a file": [tar_member("go/a", b"1"), special("go/a", tarfile.SYMTYPE, "b")],
    "file over a link": [special("go/a", tarfile.SYMTYPE, "b"), tar_member("go/a", b"1")],
    "twice": [tar_member("go/a", b"1"), tar_member("go/a", b"2")],
    "file under file": [tar_member("go/a", b"1"), tar_member("go/a/b", b"2")],
    "directory over file": [tar_member("go/a", b"1"), special("go/a", tarfile.DIRTYPE)],
    "file over directory": [tar_member("go/a/b", b"1"), tar_member("go/a", b"2")],
}

HOSTILE_ZIP = {
    "absolute": [("/etc/x", b"1")],
    "no prefix": [("VERSION", b"1")],
    "another version": [(archives.prefix("1.27.2", ARCH) + "VERSION", b"1")],
    "another architecture": [(archives.prefix(VERSION, "arm64") + "VERSION", b"1")],
    "absolute below the prefix": [(PREFIX + "/etc/x", b"1")],
    "climbs": [(PREFIX + "../../x", b"1")],
    "dot": [(PREFIX + "./x", b"1")],
    "nothing": [(PREFIX, b"")],
    "directory": [(PREFIX + "d/", b"")],
    "backslash": [(PREFIX + "a\\b", b"1")],
    "newline": [(PREFIX + "a\nb", b"1")],
    "twice": [(PREFIX + "a", b"1"), (PREFIX + "a", b"2")],
    "twice by renaming": [(PREFIX + "src/go.mod", b"1"), (PREFIX + "src/_go.mod", b"2")],
    "file under file": [(PREFIX + "a", b"1"), (PREFIX + "a/b", b"2")],
    "file over directory": [(PREFIX + "a/b", b"1"), (PREFIX + "a", b"2")],
}


def outside(place: pathlib.Path) -> List[str]:
    return sorted(str(path) for path in place.parent.glob("**/*") if place not in path.parents)


@pytest.mark.parametrize("name", sorted(HOSTILE_TAR))
def test_a_hostile_tar_is_refused(name: str, place: pathlib.Path) -> None:
    before = outside(place)
    with pytest.raises(GoHostError, match="archive member refused: ") as caught:
        unpack("tar.gz", tar_gz(HOSTILE_TAR[name]), place)
    assert str(caught.value).isprintable()
    assert outside(place) == before
    assert not [path for path in place.glob("**/*") if not path.is_symlink() and not path.is_file() and not path.is_dir()]


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", sorted(HOSTILE_ZIP))
def test_a_hostile_zip_is_refused(name: str, place: pathlib.Path) -> None:
    before = outside(place)
    with pytest.raises(GoHostError, match="archive member refused: "):
        unpack("zip", archives.zipped(HOSTILE_ZIP[name]), place)
    assert outside(place) == before


def central(data: bytes, offset: int, form: str, value: int) -> bytes:
    """A zip whose first central directory entry says something else; the offset is the field's in that entry."""
    start = data.index(b"PK\x01\x02") + offset
    return data[:start] + struct.pack(form, value) + data[start + struct.calcsize(form) :]


ONE = archives.zipped([(PREFIX + "a", b"x" * 1000)])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (central(ONE, 8, "<H", 1), "is a file"),  # encrypted
        (central(ONE, 24, "<I", 0xFFFFFFF0), "is not as long as the archive says|not a complete zip|must have"),
        (central(ONE, 24, "<I", 999), "not a complete zip"),  # its CRC is of more
        (central(ONE, 24, "<I", 1001), "is not as long as the archive says|not a complete zip"),
        (central(ONE, 10, "<H", 99), "not a complete zip"),  # no such compression
        (central(ONE, 16, "<I", 1), "not a complete zip"),  # CRC
        (central(ONE, 42, "<I", 7), "not a complete zip"),  # where its content is
        (central(ONE, 42, "<I", 0x7FFFFFFF), "not a complete zip"),
    ],
)
def test_a_zip_that_lies(data: bytes, message: str, place: pathlib.Path) -> None:
    with pytest.raises(GoHostError, match=message):
        unpack("zip", data, place)


@pytest.mark.parametrize("number", range(2))
def test_a_zip_that_lies_has_no_digest(number: int) -> None:
    data = [central(ONE, 8, "<H", 1), central(ONE, 16, "<I", 1)][number]
    with pytest.raises(GoHostError):
        archive.digest(io.BytesIO(data), "zip", PREFIX)


def test_bombs(place: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "_MOST_BYTES", 10_000)
    for form, data in (("tar.gz", tar_gz([tar_member("go/a", b"x" * 20_000)])), ("zip", archives.zipped([(PREFIX + "a", b"x" * 20_000)]))):
        with pytest.raises(GoHostError, match="it unpacks to more than any Go release: 20000 bytes"):
            unpack(form, data, place)
        assert list(place.iterdir()) == []
    monkeypatch.setattr(archive, "_MOST_MEMBERS", 100)
    for members in ([tar_member(f"go/{number}", b"") for number in range(101)], [special(f"go/{number}", tarfile.DIRTYPE) for number in range(101)]):
        destination = place / str(len(list(place.iterdir())))
        destination.mkdir()
        with pytest.raises(GoHostError, match="it unpacks to more than any Go release"):
            unpack("tar.gz", tar_gz(members), destination)


# ---- broken archives

BROKEN: Dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "one byte": lambda data: data[:1],
    "head only": lambda data: data[:20],
    "half": lambda data: data[: len(data) // 2],
    "last byte missing": lambda data: data[:-1],
    "trailer missing": lambda data: data[:-8],
    "HTML": lambda data: b"<!doctype html><title>Log in</title>" + b" " * 2000,
    "zeros": lambda data: bytes(5000),
}


@pytest.mark.parametrize("form", ["tar.gz", "zip"])
@pytest.mark.parametrize("name", sorted(BROKEN))
def test_a_broken_archive_is_one_clear_error(form: str, name: str, place: pathlib.Path) -> None:
    with pytest.raises(GoHostError, match="not a complete zip|cannot be unpacked: it is (truncated|no gzip file)|not a complete tar.gz") as caught:
        data = BROKEN[name](GOOD[form])
        archive.unpacked_size(io.BytesIO(data), form)
        unpack(form, data, place)
    assert str(caught.value).endswith("Fetch it again, or name another source.")


@pytest.mark.parametrize("percent", range(1, 100, 7))
def test_truncated_anywhere(percent: int, place: pathlib.Path) -> None:
    with pytest.raises(GoHostError, match="it is truncated"):
        unpack("tar.gz", GOOD["tar.gz"][: len(GOOD["tar.gz"]) * percent // 100], place)


def test_what_follows_the_end_changes_the_digest(place: pathlib.Path) -> None:
    data = GOOD["tar.gz"] + b"garbage"
    digest = unpack("tar.gz", data, place).digest
    assert digest == archives.sha256(data) != DIGEST["tar.gz"]
    assert archive.digest(io.BytesIO(data), "tar.gz", "") == digest


def test_a_gzip_that_is_no_tar(place: pathlib.Path) -> None:
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    with pytest.raises(GoHostError, match="not a tar archive"):
        unpack("tar.gz", packer.compress(b"hello " * 1000) + packer.flush(), place)


def test_an_empty_archive_holds_nothing(place: pathlib.Path) -> None:
    assert unpack("tar.gz", tar_gz([]), place).members == ()
    assert unpack("zip", archives.zipped([]), place).members == ()


def mutated(seed: int, data: bytes) -> bytes:
    chance = random.Random(seed)
    broken = bytearray(data)
    said = [position for position, byte in enumerate(data) if byte]  # most of a small tar is padding
    for _again in range(chance.choice([1, 1, 2, 8])):
        kind, start = chance.randrange(3), min(chance.choice(said), len(broken) - 1)
        if kind == 0:
            broken[start] = chance.randrange(256)
        elif kind == 1:
            broken[start : start + 4] = chance.choice([b"\xff\xff\xff\xff", b"\0\0\0\0", b"-1\0\0", b"\x80\0\0\1"])
        else:
            del broken[start : start + chance.randrange(1, 600)]
    return bytes(broken)


SMALL = {"VERSION": FILES["VERSION"], "bin/go": FILES["bin/go"], "src/go.mod": FILES["src/go.mod"], "t/\u00c4" + "long" * 40: (b"x", 0o644)}


def test_mutated_tar_members_raise_nothing_else(place: pathlib.Path) -> None:
    plain = zlib.decompress(tar_gz([tar_member(f"go/{path}", data) for path, (data, _mode) in SMALL.items()]), 31)
    check_mutations(place, "tar.gz", plain, _gzip, 250)


def test_mutated_zips_raise_nothing_else(place: pathlib.Path) -> None:
    check_mutations(place, "zip", archives.zipped(archives.module_entries(SMALL, VERSION, ARCH)), lambda data: data, 400)


def _gzip(data: bytes) -> bytes:
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    return packer.compress(data) + packer.flush()


def check_mutations(place: pathlib.Path, form: str, plain: bytes, pack: Callable[[bytes], bytes], count: int) -> None:
    """Only GoHostError, nothing outside, and nobody's digest but the right one for the right content."""
    before = outside(place)
    refused = 0
    for seed in range(count):
        destination = place / str(seed)
        destination.mkdir()
        data = pack(mutated(seed, plain))
        try:
            archive.unpacked_size(io.BytesIO(data), form)
            unpacked = unpack(form, data, destination)
        except GoHostError:
            refused += 1
            continue
        if form == "zip" and unpacked.digest == archives.h1(archives.module_entries(SMALL, VERSION, ARCH)):
            assert {path: data for path, (data, _mode) in read_back(destination).items()} == {path: data for path, (data, _mode) in SMALL.items()}
            assert all(os.lstat(str(destination / member.path)).st_size == member.size for member in unpacked.members)
    assert outside(place) == before
    assert refused > count // 4


# ---- the inflating child


def test_a_killed_child_is_an_error(place: pathlib.Path) -> None:
    members = [tar_member(f"go/{number}", os.urandom(60_000)) for number in range(20)]

    class Killer(RealHost):
        def create(self, path: str, mode: int, chunks: Iterator[bytes]) -> None:  # type: ignore[override]
            if path.endswith("/3"):
                for child in pathlib.Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split():
                    os.kill(int(child), signal.SIGKILL)
            super().create(path, mode, chunks)

    with pytest.raises(GoHostError, match="archive cannot be unpacked: the inflating process died"):
        archive.unpack_tar(Killer(), io.BytesIO(tar_gz(members)), str(place))


def test_an_error_while_writing_ends_the_child(place: pathlib.Path) -> None:
    members = [tar_member(f"go/{number}", os.urandom(60_000)) for number in range(20)]
    (place / "3").write_text("in the way")
    with pytest.raises(FileExistsError):
        unpack("tar.gz", tar_gz(members), place)


def test_names_beyond_ascii_in_the_c_locale(tmp_path: pathlib.Path) -> None:
    """Python 3.6 has an ASCII file system then; newer ones coerce the locale."""
    for form, data in GOOD.items():
        (tmp_path / form).write_bytes(data)
    script = (
        "import sys\n"
        "from tests.fakes.host import RealHost\n"
        "from ansible_collections.gohost.linux.plugins.module_utils.toolchain import archive, manifest, model\n"
        "from ansible_collections.gohost.linux.plugins.module_utils.toolchain.observe import _hash\n"
        "host, form, prefix = RealHost(), sys.argv[1], sys.argv[2]\n"
        "host.mkdir('tree-' + form, 0o755)\n"
        "with open(form, 'rb') as source:\n"
        "    unpack = archive.unpack_tar if form == 'tar.gz' else lambda *given: archive.unpack_zip(*given, prefix)\n"
        "    unpacked = unpack(host, source, 'tree-' + form)\n"
        "entries = host.tree('tree-' + form)\n"
        "made = model.Manifest('1.27.3', 'amd64', model.Provenance('', '', '', '', ''), f'{entries[0].uid}:{entries[0].gid}',\n"
        "    host.tree_digest('tree-' + form, 'go.env'), '', unpacked.members)\n"
        "made = manifest.parse(manifest.render(made), 'm')\n"
        "assert manifest.differences(made, entries, lambda path: _hash(host, 'tree-' + form + '/' + path)) == []\n"
        "open('manifest-' + form, 'wb').write(manifest.render(made))\n"
    )
    environment = dict(os.environ, LC_ALL="C", PYTHONCOERCECLOCALE="0", PYTHONUTF8="0", PYTHONPATH=os.pathsep.join(sys.path), PYTHONDONTWRITEBYTECODE="1")
    for form in GOOD:
        subprocess.run([sys.executable, "-c", script, form, PREFIX], cwd=str(tmp_path), env=environment, check=True)
        assert read_back(tmp_path / f"tree-{form}") == FILES
        assert "test/fixedbugs/\u00c4foo.go\n".encode() in (tmp_path / f"manifest-{form}").read_bytes()
