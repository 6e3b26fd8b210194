# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
import base64
import json
import multiprocessing
import os
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.gohost.linux.plugins.module_utils.errors import GoHostError
from ansible_collections.gohost.linux.plugins.plugin_utils.releases import sumdb, tlog
from tests.fakes.sumdb import FakeSumDB

VERSION = "v0.0.1-go1.27.4.linux-amd64"
LOOKUP = f"lookup/{sumdb.MODULE}@{VERSION}"
H1 = "h1:8Tl0rBb7KdISSdPkZBjlpZxsUBb+004GI/SM2XbmSqI="
OTHER = "h1:KyINmJ/FQdKRmDYGuTAAXkumyeR2DyUlSNHZj7XaLFg="
PROXY = "https://proxy.test"


class NotFound(GoHostError):
    not_found = True


def getter(answer: Callable[[str], bytes | None]) -> Callable[[str], bytes]:
    def get(url: str) -> bytes:
        body = answer(url)
        if body is None:
            raise NotFound("404", url)
        return body

    return get


def client(database: FakeSumDB, directory: Path) -> sumdb.SumDB:
    return sumdb.SumDB(getter(database.get), directory, database.key, [PROXY])


def database(size: int, at: int = 0) -> FakeSumDB:
    """A log of this size with the toolchain as record `at`."""
    made = FakeSumDB()
    made.pad(at)
    made.add(sumdb.MODULE, VERSION, H1)
    made.pad(size)
    return made


def offline(url: str) -> bytes:
    raise GoHostError("no route to host", url)


SIZES = [(1, 0), (2, 1), (3, 0), (3, 2), (255, 254), (256, 0), (256, 255), (257, 0), (257, 256), (511, 300), (512, 511), (513, 512), (65535, 65534)]
SIZES += [(65536, 0), (65536, 65535), (65537, 65536), (65537, 4711), (65792, 65791), (65793, 256)]


@pytest.mark.parametrize(("size", "at"), SIZES)
def test_lookup(tmp_path: Path, size: int, at: int) -> None:
    log = database(size, at)
    assert client(log, tmp_path).lookup(sumdb.MODULE, VERSION) == H1
    asked = len(log.requests)
    assert len(set(log.requests)) == asked <= 8
    assert client(log, tmp_path).lookup(sumdb.MODULE, VERSION) == H1
    assert len(log.requests) == asked, "what is kept is enough"


@pytest.mark.parametrize(("before", "after"), [(1, 2), (3, 256), (200, 300), (255, 256), (256, 257), (257, 65537), (300, 65536), (65535, 65793)])
def test_a_log_that_grew_is_the_same_log(tmp_path: Path, before: int, after: int) -> None:
    log = database(before)
    assert client(log, tmp_path).lookup(sumdb.MODULE, VERSION) == H1
    log.pad(after - 1)
    log.add(sumdb.MODULE, "v0.0.1-go1.27.5.linux-amd64", OTHER)
    assert client(log, tmp_path).lookup(sumdb.MODULE, "v0.0.1-go1.27.5.linux-amd64") == OTHER
    assert (tmp_path / "sumdb" / log.name / "latest").read_bytes() == log.head(after)
    assert client(log, tmp_path).lookup(sumdb.MODULE, VERSION) == H1, "its record is proved by the newer head"


def test_an_older_head_of_the_same_log_is_no_rollback(tmp_path: Path) -> None:
    log = database(300)
    log.add(sumdb.MODULE, "v0.0.1-go1.27.5.linux-amd64", OTHER)
    client(log, tmp_path).lookup(sumdb.MODULE, VERSION)
    log.shown = 280  # a proxy's copy of the answer
    assert client(log, tmp_path).lookup(sumdb.MODULE, "v0.0.1-go1.27.5.linux-amd64") == OTHER
    assert (tmp_path / "sumdb" / log.name / "latest").read_bytes() == log.head(301)


@pytest.mark.parametrize(("first", "second"), [(300, 400), (400, 300), (300, 300), (256, 257)])
def test_a_fork_is_refused(tmp_path: Path, first: int, second: int) -> None:
    log = database(200)
    fork = log.fork()
    log.pad(first)
    fork.add("example.test/secret", "v1.0.0", OTHER)
    fork.add(sumdb.MODULE, "v0.0.1-go1.27.5.linux-amd64", OTHER)
    fork.pad(second)
    client(log, tmp_path).lookup(sumdb.MODULE, VERSION)
    seen = (tmp_path / "sumdb" / log.name / "latest").read_bytes()
    with pytest.raises(tlog.BadAnswer, match=f"(was rewritten|showed before): tree of {fork.size} records, after one of {log.size} was seen"):
        client(fork, tmp_path).lookup(sumdb.MODULE, "v0.0.1-go1.27.5.linux-amd64")
    assert (tmp_path / "sumdb" / log.name / "latest").read_bytes() == seen


def test_a_rollback_that_rewrites_is_refused(tmp_path: Path) -> None:
    log = database(400)
    client(log, tmp_path).lookup(sumdb.MODULE, VERSION)
    back = FakeSumDB()
    back.add(sumdb.MODULE, "v0.0.1-go1.27.5.linux-amd64", OTHER)
    back.pad(100)
    # The tiles stay those of the old log, so that only the heads disagree.
    both = getter(lambda url: back.get(url) if "/lookup/" in url else log.get(url))
    with pytest.raises(tlog.BadAnswer, match="history was rewritten: tree of 100 records, after one of 400 was seen"):
        sumdb.SumDB(both, tmp_path, log.key, [PROXY]).lookup(sumdb.MODULE, "v0.0.1-go1.27.5.linux-amd64")


def head_of(size: str) -> Callable[[FakeSumDB], Callable[[bytes], bytes]]:
    return lambda log: lambda body: body.partition(b"\n\n")[0] + b"\n\n" + log.sign(f"go.sum database tree\n{size}\n{base64.b64encode(b'x' * 32).decode()}\n")


def swap(old: bytes, new: bytes) -> Callable[[FakeSumDB], Callable[[bytes], bytes]]:
    return lambda log: lambda body: body.replace(old, new)


TAMPERED: list[tuple[str, Callable[[FakeSumDB], Callable[[bytes], bytes]], str]] = [
    ("the head's size", swap(b"tree\n300\n", b"tree\n299\n"), "signature .* is wrong"),
    ("the record's digest", swap(H1.encode(), OTHER.encode()), "not in its signed log"),
    ("the record's number", swap(b"7\ngolang", b"8\ngolang"), "not in its signed log"),
    ("a number beyond the tree", swap(b"7\ngolang", b"300\ngolang"), "not in its signed log"),
    ("a number far beyond the tree", swap(b"7\ngolang", b"7000000000\ngolang"), "not in its signed log"),
    ("a signed head of another tree", head_of("300"), "do not make the root"),
    ("a signed head of no tree", head_of("0"), "do not make the root"),
    ("a signed head without a size", head_of("0300"), "tree head is malformed"),
    (
        "another log's signature",
        lambda log: lambda body: body.partition(b"go.sum database")[0] + FakeSumDB(seed=b"\1" * 32).sign("go.sum database tree\n1\nx\n"),
        "not signed with",
    ),
    ("another name", swap(b"\xe2\x80\x94 sum.example.test", b"\xe2\x80\x94 sum.example.com"), "not signed with"),
    ("no signature", lambda log: lambda body: body[: body.rindex("—".encode())], "not signed with|malformed"),
    ("a signature that is no base64", swap(b"\xe2\x80\x94 sum.example.test ", b"\xe2\x80\x94 sum.example.test !"), "signature .* is wrong"),
    ("a signature that is cut", lambda log: lambda body: body[:-9] + b"\n", "signature .* is wrong"),
    ("no line end", lambda log: lambda body: body[:-1], "tree head is malformed"),
    ("no head", lambda log: lambda body: body.partition(b"\n\n")[0] + b"\n\n", "tree head is malformed|not signed"),
    ("nothing", lambda log: lambda body: b"", "answer is malformed"),
    ("rubbish", lambda log: lambda body: b"\0\xff", "answer is malformed"),
    ("no number", lambda log: lambda body: body[2:], "answer is malformed"),
    ("a blank line in the record", swap(b"\ngolang", b"\n\ngolang"), "malformed"),
]


@pytest.mark.parametrize(("what", "how", "message"), TAMPERED, ids=[one[0] for one in TAMPERED])
def test_a_tampered_answer_is_refused(tmp_path: Path, what: str, how: Callable[[FakeSumDB], Callable[[bytes], bytes]], message: str) -> None:
    log = database(300, 7)
    log.tamper[LOOKUP] = how(log)
    with pytest.raises(tlog.BadAnswer, match=message):
        client(log, tmp_path).lookup(sumdb.MODULE, VERSION)
    assert not (tmp_path / "sumdb" / log.name / LOOKUP).exists()
    del log.tamper[LOOKUP]
    assert client(log, tmp_path).lookup(sumdb.MODULE, VERSION) == H1, "and leaves nothing behind"


@pytest.mark.parametrize("tile", ["tile/8/0/001.p/44", "tile/8/1/000.p/1", "tile/8/0/000"])
@pytest.mark.parametrize(
    ("how", "message"),
    [
        (lambda body: body[:-1] + bytes([body[-1] ^ 1]), "do not make the root|not part of the tree"),
        (lambda body: body[:-32], "wrong size"),
        (lambda body: body + bytes(32), "wrong size"),
        (lambda body: b"<html>", "wrong size"),
        (lambda body: None, "lacks a part of the tree"),
    ],
)
def test_a_tampered_tile_is_refused(tmp_path: Path, tile: str, how: Callable[[bytes], bytes | None], message: str) -> None:
    log = database(300, 7)
    log.tamper[tile] = how
    with pytest.raises(tlog.BadAnswer, match=message):
        client(log, tmp_path).lookup(sumdb.MODULE, VERSION)
    assert not (tmp_path / "sumdb" / log.name / tile).exists()


def test_the_record_of_another_module_is_refused(tmp_path: Path) -> None:
    log = FakeSumDB()
    log.add(
        sumdb.MODULE,
        VERSION,
        H1,
        text=f"{sumdb.MODULE} v0.0.1-go1.27.3.linux-amd64 {H1}\nexample.test/m {VERSION} {OTHER}\n{sumdb.MODULE} {VERSION}/go.mod {H1}\n",
    )
    with pytest.raises(tlog.BadAnswer, match="about something else"):
        client(log, tmp_path).lookup(sumdb.MODULE, VERSION)


def test_two_digests_are_refused(tmp_path: Path) -> None:
    log = FakeSumDB()
    log.add(sumdb.MODULE, VERSION, H1, text=f"{sumdb.MODULE} {VERSION} {H1}\n{sumdb.MODULE} {VERSION} {OTHER}\n")
    with pytest.raises(tlog.BadAnswer, match="about something else"):
        client(log, tmp_path).lookup(sumdb.MODULE, VERSION)


def test_a_partial_tile_may_be_replaced_by_the_full_one(tmp_path: Path) -> None:
    log = database(300, 290)
    log.shown = 295
    log.pad(600)
    log.tamper["tile/8/0/001.p/39"] = lambda body: None
    assert client(log, tmp_path).lookup(sumdb.MODULE, VERSION) == H1
    assert "tile/8/0/001" in log.requests


def test_further_signatures_are_passed_over(tmp_path: Path) -> None:
    log = database(3)
    log.tamper[LOOKUP] = lambda body: body + b"\xe2\x80\x94 witness.example.test AAAAAAAA\n"
    assert client(log, tmp_path).lookup(sumdb.MODULE, VERSION) == H1


@pytest.mark.parametrize("file", [LOOKUP, "tile/8/0/001.p/44", "tile/8/0/000", "tile/8/1/000.p/1"])
def test_a_damaged_copy_is_fetched_again(tmp_path: Path, file: str) -> None:
    log = database(300, 7)
    client(log, tmp_path).lookup(sumdb.MODULE, VERSION)
    kept = tmp_path / "sumdb" / log.name / file
    good = kept.read_bytes()
    for damage in (b"", good[:-1], good[:4] + b"\xff" + good[5:]):
        kept.write_bytes(damage)
        assert client(log, tmp_path).lookup(sumdb.MODULE, VERSION) == H1
        assert kept.read_bytes() == good


def test_a_damaged_copy_is_no_proof_without_a_network(tmp_path: Path) -> None:
    log = database(300, 7)
    client(log, tmp_path).lookup(sumdb.MODULE, VERSION)
    kept = tmp_path / "sumdb" / log.name / LOOKUP
    kept.write_bytes(kept.read_bytes().replace(H1.encode(), OTHER.encode()))
    with pytest.raises(sumdb.Unreachable):
        sumdb.SumDB(offline, tmp_path, log.key).lookup(sumdb.MODULE, VERSION)


def test_a_damaged_stored_head_is_named(tmp_path: Path) -> None:
    log = database(3)
    client(log, tmp_path).lookup(sumdb.MODULE, VERSION)
    (tmp_path / "sumdb" / log.name / "latest").write_bytes(b"go.sum database tree\n")
    with pytest.raises(tlog.BadAnswer, match=r"stored tree head .* is damaged: .*/latest"):
        client(log, tmp_path).lookup(sumdb.MODULE, VERSION)


def test_what_is_kept_is_private(tmp_path: Path) -> None:
    log = database(300, 7)
    client(log, tmp_path / "cache").lookup(sumdb.MODULE, VERSION)
    for directory, below, files in os.walk(tmp_path / "cache"):
        assert below or files
        assert os.stat(directory).st_mode & 0o077 == 0
        assert all(os.stat(os.path.join(directory, name)).st_mode & 0o077 == 0 and not name.startswith(".tmp") for name in files)


def test_a_cache_open_to_others_is_refused(tmp_path: Path) -> None:
    log = database(3)
    (tmp_path / "sumdb" / log.name).mkdir(parents=True)
    (tmp_path / "sumdb" / log.name).chmod(0o777)
    with pytest.raises(GoHostError, match="open to others"):
        client(log, tmp_path).lookup(sumdb.MODULE, VERSION)


def test_unreachable_and_unknown_are_not_the_same(tmp_path: Path) -> None:
    log = database(3)
    with pytest.raises(sumdb.Unreachable, match="cannot be reached: no route to host"):
        sumdb.SumDB(offline, tmp_path, log.key, [PROXY]).lookup(sumdb.MODULE, VERSION)
    with pytest.raises(sumdb.NotRecorded, match=r"v0\.0\.1-go1\.99\.0\.linux-amd64"):
        client(log, tmp_path).lookup(sumdb.MODULE, "v0.0.1-go1.99.0.linux-amd64")
    with pytest.raises(sumdb.Unreachable, match="a web page came"):
        sumdb.SumDB(lambda url: b"<!doctype html>", tmp_path, log.key, [PROXY]).lookup(sumdb.MODULE, VERSION)


def test_an_unreachable_database_is_tried_once(tmp_path: Path) -> None:
    asked: list[str] = []

    def get(url: str) -> bytes:
        asked.append(url)
        return offline(url)

    log = sumdb.SumDB(get, tmp_path)
    for patch in range(5):
        with pytest.raises(sumdb.Unreachable, match="no route to host"):
            log.lookup(sumdb.MODULE, f"v0.0.1-go1.27.{patch}.linux-amd64")
    assert len(asked) == 1


def test_proxies_are_asked_in_order_and_the_database_itself_at_last(tmp_path: Path) -> None:
    log, asked = database(3), []

    def get(url: str) -> bytes | None:
        asked.append(url)
        if url.startswith("https://down.test"):
            raise GoHostError("timeout")
        return log.get(url) if url.startswith(allowed) else None

    proxies = ["https://plain.test/go/", "https://down.test", PROXY]
    allowed = PROXY
    assert sumdb.SumDB(getter(get), tmp_path / "1", log.key, proxies).lookup(sumdb.MODULE, VERSION) == H1
    supported = "sumdb/sum.example.test/supported"
    assert asked[:3] == [f"https://plain.test/go/{supported}", f"https://down.test/{supported}", f"{PROXY}/{supported}"]
    assert all(url.startswith(PROXY) for url in asked[2:])
    asked.clear()
    allowed = "https://sum.example.test/"
    assert sumdb.SumDB(getter(get), tmp_path / "2", log.key, proxies).lookup(sumdb.MODULE, VERSION) == H1
    assert asked[3] == f"https://sum.example.test/{LOOKUP}"


def test_names_are_escaped(tmp_path: Path) -> None:
    log = FakeSumDB()
    log.add("example.test/Mod", "v1.0.0-Rc1", H1)
    log._numbers["example.test/!mod@v1.0.0-!rc1"] = 0
    assert client(log, tmp_path).lookup("example.test/Mod", "v1.0.0-Rc1") == H1
    assert "lookup/example.test/!mod@v1.0.0-!rc1" in log.requests


@pytest.mark.parametrize("text", ["sum.golang.org+033de0af+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8", "x+00000000+AA=="])
def test_a_key_that_does_not_match_its_hash(text: str) -> None:
    with pytest.raises(GoHostError, match="not an Ed25519 key"):
        tlog.Key(text)


@pytest.mark.parametrize(
    ("tile", "path"),
    [((0, 0, 256), "tile/8/0/000"), ((1, 999, 7), "tile/8/1/999.p/7"), ((0, 1000, 256), "tile/8/0/x001/000"), ((2, 1234067, 1), "tile/8/2/x001/x234/067.p/1")],
)
def test_tile_path(tile: tuple[int, int, int], path: str) -> None:
    assert tlog.tile_path(*tile) == path


def ask(url: str, key: str, directory: Path) -> str:
    def get(path: str) -> bytes:
        with urllib.request.urlopen(path, timeout=30) as response:
            return bytes(response.read())

    return sumdb.SumDB(get, directory, key, [url]).lookup(sumdb.MODULE, VERSION)


def test_many_processes_cause_few_requests(tmp_path: Path) -> None:
    log = database(65537, 4711)
    with multiprocessing.get_context("fork").Pool(20) as pool, log.serve() as url:
        assert pool.starmap(ask, [(url, log.key, tmp_path)] * 40) == [H1] * 40
    assert len(log.requests) <= 8


def fail(directory: Path, marks: Path) -> str:
    def get(url: str) -> bytes:
        with open(marks, "a") as file:
            file.write("x")
        time.sleep(0.5)
        raise GoHostError("timed out")

    try:
        return sumdb.SumDB(get, directory).lookup(sumdb.MODULE, VERSION)
    except sumdb.Unreachable as error:
        return str(error)


def test_those_who_wait_for_an_unreachable_database_do_not_try_again_one_by_one(tmp_path: Path) -> None:
    with multiprocessing.get_context("fork").Pool(10) as pool:
        answers = pool.starmap(fail, [(tmp_path, tmp_path / "marks")] * 10, chunksize=1)
    assert set(answers) == {"the checksum database cannot be reached: timed out"}
    assert len((tmp_path / "marks").read_text()) < 5


def test_the_real_database(tmp_path: Path) -> None:
    """Captured on 2026-11-21 from sum.golang.org."""
    captured = json.loads((Path(__file__).parent / "data/sum_golang_org.json").read_text())

    def answer(url: str) -> bytes | None:
        body = captured.get(url.partition("/sumdb/sum.golang.org/")[2])
        return None if body is None else base64.b64decode(body)

    assert sumdb.SumDB(getter(answer), tmp_path, proxies=[PROXY]).lookup(sumdb.MODULE, VERSION) == H1
    assert sumdb.SumDB(offline, tmp_path).lookup(sumdb.MODULE, VERSION) == H1, "what is kept is enough"
    captured[LOOKUP] = base64.b64encode(base64.b64decode(captured[LOOKUP]).replace(H1.encode(), OTHER.encode())).decode()
    with pytest.raises(tlog.BadAnswer, match="not in its signed log"):
        sumdb.SumDB(getter(answer), tmp_path / "2", proxies=[PROXY]).lookup(sumdb.MODULE, VERSION)
