# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must not go well: one clear error each, and the host as before."""

import fcntl
import os
import re
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import archives
from tests.fakes.web import Answer, WebServer
from tests.integration.conftest import ARCH, Place, Releases
from tests.integration.playbook import Play

TAR = f"/go1.27.4.linux-{ARCH}.tar.gz"
OTHERS = "sha256:" + "0" * 64


def _has_namespaces() -> bool:
    return os.geteuid() == 0 and shutil.which("unshare") is not None and subprocess.run(["unshare", "-m", "true"], check=False).returncode == 0


mounts = pytest.mark.skipif(not _has_namespaces(), reason="only root can mount, and only where mount namespaces are allowed")


def _in_namespace(script: str) -> list[str]:
    return ["unshare", "-m", "sh", "-e", "-c", f'{script}; exec "$@"', "sh"]


def _filled(place: Place, releases: Releases, **more: object) -> Play:
    """A play on a host that has 1.27.4, the default, and 1.26.11."""
    play = place.play(checksums=releases.checksums, sources=[{"type": "file", "path": str(releases.directory)}], retries=0, **more)
    play.task("first", versions=["1.26.11", "1.27.4"], default="1.27.4")
    return play


def test_wishes_that_make_no_sense(place: Place, releases: Releases) -> None:
    user = {"1.27.4": {ARCH: [OTHERS]}}
    proxy = {"type": "goproxy", "url": releases.proxy.as_uri()}
    file = {"type": "file", "path": str(releases.directory)}
    fresh = str(place.host / "fresh/go")
    cases: dict[str, tuple[dict[str, Any], str]] = {
        "nothing": ({}, "nothing is asked for.*versions"),
        "unknown line": ({"versions": ["1.99"]}, r"no such Go release is known: 1\.99.*nearest is 1\.27\.4, the newest 1\.27\.4"),
        "unknown patch": ({"versions": ["1.25.99"]}, r"no such Go release is known: 1\.25\.99.*nearest is 1\.25\.14, the newest 1\.27\.4"),
        "no version": ({"versions": ["newest"]}, "not a Go version: 'newest'.*stable or oldstable"),
        "line as a number": ({"versions": [1.2]}, r"no such Go release is known: 1\.2\b"),
        "wrong checksum": ({"versions": ["1.27.4"], "checksums": user, "root": fresh}, f"digest differs: the archive has sha256:.*user says {OTHERS}"),
        "wrong h1": (
            {"versions": ["1.27.4"], "checksums": {"1.27.4": {ARCH: ["h1:" + "A" * 43 + "="]}}, "root": fresh, "sources": [proxy]},
            "digest differs: the archive has h1:.*user says h1:AAAA",
        ),
        "checksum too short": ({"versions": ["1.27.4"], "checksums": {"1.27.4": {ARCH: ["sha256:abc"]}}}, "sha256:abc"),
        "checksum of a line": ({"versions": ["1.27.4"], "checksums": {"1.27": {ARCH: [OTHERS]}}}, r"1\.27"),
        "checksum without architecture": ({"versions": ["1.27.4"], "checksums": {"1.27.4": [OTHERS]}}, "checksums must map architectures"),
        "checksum of a strange architecture": ({"versions": ["1.27.4"], "checksums": {"1.27.4": {"x86_64": [OTHERS]}}}, "'x86_64'.*amd64"),
        "nobody vouches": ({"versions": ["1.28rc1"], "root": fresh}, "no verifiable source has this Go: 1.28rc1.*no sha256 is known"),
        "strange architecture": ({"versions": ["1.27.4"], "arch": "mips"}, "mips"),
        "relative root": ({"versions": ["1.27.4"], "root": "go"}, "root is not an absolute path: go"),
        "root too high": ({"versions": ["1.27.4"], "root": "/opt"}, "root is not a directory of its own: /opt"),
        "relative links": ({"versions": ["1.27.4"], "links": "bin"}, "links is not an absolute path: bin"),
        "root below a file": ({"versions": ["1.27.4"], "root": str(place.host / "file/go")}, f"this should be a directory: {place.host}/file"),
        "default elsewhere": ({"versions": ["1.27.4"], "default": "1.26"}, r"default is none of the versions: 1\.26\.11 is not in 1\.27\.4"),
        "several, no default": ({"versions": ["1.27.4", "1.26.11"], "root": fresh}, "no default among several versions: 1.27.4, 1.26.11"),
        "default and rollback": ({"versions": ["1.27.4"], "default": "1.27.4", "rollback_from": "1.27.4"}, "mutually exclusive"),
        "rollback to nothing": ({"rollback_from": "1.27.4"}, r"no roll back from Go 1\.27\.4: no version that was default before"),
        "rollback from a line": ({"rollback_from": "1.27"}, "rollback_from needs an exact version: '1.27'"),
        "exclusive without the default": (
            {"versions": ["1.25.14", "1.26.11"], "exclusive": True},
            r"1\.27\.4 is not removed: it is the default while others remain",
        ),
        "default goes, others stay": ({"state": "absent", "versions": ["1.27.4"]}, r"1\.27\.4 is not removed: it is the default while others remain"),
        "kept one goes": ({"state": "absent", "versions": ["1.26"], "keep": ["1.26.11"]}, r"1\.26\.11 is not removed: it is named in keep"),
        "keep a line": ({"versions": ["1.27.4"], "keep": ["1.26"]}, "keep needs an exact version: '1.26'"),
        "absent by channel": ({"state": "absent", "versions": ["stable"]}, "exact versions and lines: 'stable'"),
        "mirror without url": ({"versions": ["1.27.3"], "sources": [{"type": "mirror"}]}, "a mirror needs the URL"),
        "password alone": ({"versions": ["1.27.3"], "sources": [{"type": "mirror", "url": "http://127.0.0.1/", "password": "x"}]}, "password without username"),
        "path for a mirror": ({"versions": ["1.27.3"], "sources": [{"type": "mirror", "url": "http://127.0.0.1/", "path": "/x"}]}, "path is of no use"),
        "no such directory": ({"versions": ["1.27.3"], "sources": [{"type": "file", "path": "/nonexistent"}]}, "no such file.*/nonexistent"),
        "no such source": ({"versions": ["1.27.3"], "sources": [{"type": "ftp"}]}, "ftp"),
        "not an option": ({"versions": ["1.27.4"], "version": "1.27.4"}, "Unsupported parameters.*version"),
        "foreign tree": ({"versions": ["1.24.1"], "default": "1.24.1"}, "1.24.1 is not as it was installed.*not installed by this collection"),
        "foreign tree goes": ({"state": "absent", "versions": ["1.24"]}, "was not installed by this collection"),
        "half a directory": ({"versions": ["1.27.4"], "root": fresh, "sources": [{**file, "path": str(place.tmp / "half")}]}, "truncated|not a complete"),
    }
    if shutil.which("dpkg-query"):
        cases["a package's file"] = ({"versions": ["1.27.4"], "compat_link": "/usr/bin/dpkg"}, "/usr/bin/dpkg is package dpkg")
    (place.host / "file").write_text("a file\n")
    (place.tmp / "half").mkdir()
    data = releases.official("1.27.4")
    (place.tmp / "half" / TAR[1:]).write_bytes(data[: len(data) // 2])
    play = _filled(place, releases)
    play.sh("foreign", f"mkdir -p {place.root}/1.24.1/bin && echo go1.24.1 > {place.root}/1.24.1/VERSION")
    for name, (options, _expected) in cases.items():
        if "root" in options:
            options.setdefault("links", "")
        play.bad(name, **options)
    run = play.run()
    run["first"].ok()
    for name, (_options, expected) in cases.items():
        said = run.refused(name)
        assert re.search(expected, said), f"{name}: {said}"
        assert len(re.sub(r"/\S+", "", said)) < 800, f"{name}: {said}"


@pytest.mark.once
def test_archives_that_are_none(place: Place, releases: Releases, web: WebServer) -> None:
    """Over the network, fetched by either machine."""
    data = releases.official("1.27.4")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound but not listening: whoever knocks is refused
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}"
        web.routes["/cut" + TAR] = [Answer(data, cut=len(data) // 2)]
        web.routes["/short" + TAR] = [Answer(data[: len(data) // 2])]
        web.routes["/page" + TAR] = [Answer(b"<!DOCTYPE html><html>please log in</html>", headers={"Content-Type": "text/html"})]
        web.routes["/stall" + TAR] = [Answer(data, stall=len(data) // 2)]
        web.routes["/other" + TAR] = [Answer(releases.official("1.27.3"))]
        expected = {
            web.url("/none"): "404",
            web.url("/cut"): f"{len(data) // 2}.*{len(data)}|cut|ended",
            web.url("/short"): "truncated|digest differs|not a complete",
            web.url("/page"): "web page",
            web.url("/stall"): "No byte came for 1 seconds",
            web.url("/other"): "digest differs",
            nobody: "refused",
        }
        play = place.play(versions=["1.27.4"], checksums=releases.checksums, retries=0, timeout=1)
        for url in expected:
            for fetch_on in ("target", "controller"):
                play.bad(f"{url} {fetch_on}", sources=[{"type": "mirror", "url": url}], fetch_on=fetch_on)
        # Vouched for by mistake: the right digest of the wrong release.
        play.bad("another release", sources=[{"type": "mirror", "url": web.url("/other")}], checksums={"1.27.4": releases.checksums["1.27.3"]})
        run = play.run()
    for url, text in expected.items():
        for fetch_on in ("target", "controller"):
            said = run.refused(f"{url} {fetch_on}")
            assert re.search(text, said) and "could not be had from any source" in said and url in said, said
    assert "archive holds another release: VERSION says 1.27.3, asked was 1.27.4" in run.refused("another release")
    assert not place.root.exists() and os.listdir(place.links) == []


@pytest.mark.once
def test_a_store_in_disorder(place: Place, releases: Releases) -> None:
    play = _filled(place, releases, versions=["1.27.4"])
    root = place.root
    play.sh("current is a directory", f"mv {root}/current {root}/was && mkdir {root}/current")
    play.bad("not a link")
    play.sh("current is back", f"rmdir {root}/current && mv {root}/was {root}/current")
    play.sh("state is garbage", f"cp -p {root}/.gohost/state.json {place.tmp}/s && echo '{{' > {root}/.gohost/state.json")
    play.bad("garbage")
    play.sh("state is back", f"cp {place.tmp}/s {root}/.gohost/state.json")
    play.sh("manifest is garbage", f"cp -p {root}/.gohost/manifests/1.27.4 {place.tmp}/m && echo x > {root}/.gohost/manifests/1.27.4")
    play.bad("no manifest")
    play.sh("manifest is back", f"cp {place.tmp}/m {root}/.gohost/manifests/1.27.4")
    play.wish("all is well")
    run = play.run()
    assert f"{root}/current" in run.refused("not a link")
    assert f"{root}/.gohost/state.json" in run.refused("garbage")
    assert f"{root}/.gohost/manifests/1.27.4" in run.refused("no manifest")
    run.four("all is well", changes=False)


def test_versions_in_use_stay(place: Place, releases: Releases, tmp_path: Path) -> None:
    files = archives.tree("1.27.3", ARCH)
    tool = f"pkg/tool/linux_{ARCH}/sleep"
    sleep = shutil.which("sleep")
    assert sleep is not None
    files[tool] = (Path(sleep).read_bytes(), 0o755)
    (tmp_path / "dl").mkdir()
    made = archives.make(str(tmp_path / "dl"), "1.27.3", ARCH, files=files)
    play = _filled(place, releases)
    play.task(
        "third",
        versions=["1.27.3"],
        default="",
        checksums={"1.27.3": {ARCH: [one.digest for one in made]}},
        sources=[{"type": "file", "path": str(tmp_path / "dl")}],
    )
    play.task("back", versions=["1.27.4"])
    play.run()
    with subprocess.Popen([place.root / "1.27.3" / tool, "300"]) as process:
        try:
            play.tasks.clear()
            play.bad("absent", state="absent", versions=["1.27.3"])
            play.bad("exclusive", versions=["1.27.4"], exclusive=True)
            play.wish("kept", versions=["1.27.4"], exclusive=True, keep=["1.27.3"])
            run = play.run()
        finally:
            process.kill()
    for name in ("absent", "exclusive"):
        said = run.refused(name)
        assert f"1.27.3 is not removed: it is used by process {process.pid}" in said and tool in said
    assert run.four("kept").result["removed"] == ["1.26.11"]
    play.tasks.clear()
    play.wish("now", versions=["1.27.4"], exclusive=True)
    assert play.run().four("now").result["removed"] == ["1.27.3"]


@mounts
@pytest.mark.skipif(not Path("/etc/systemd/system").is_dir(), reason="no /etc/systemd/system to lay units over")
def test_versions_that_units_name_stay(place: Place, releases: Releases) -> None:
    (place.tmp / "units").mkdir()
    unit = place.tmp / "units/app.service"
    unit.write_text(f"[Service]\nExecStart={place.root}/1.26.11/bin/go run .\n")
    play = _filled(place, releases)
    play.bad("absent", state="absent", versions=["1.26.11"])
    run = play.run(prefix=_in_namespace(f"mount --bind {place.tmp}/units /etc/systemd/system"))
    assert "1.26.11 is not removed: it is used by ExecStart of /etc/systemd/system/app.service" in run.refused("absent")


def test_another_run_holds_the_store(place: Place, releases: Releases) -> None:
    play = _filled(place, releases)
    play.run()["first"].ok()
    play.tasks.clear()
    play.task("held", versions=["1.27.3"], lock_timeout=1)
    play.task("check", versions=["1.27.3"], lock_timeout=1, keywords={"check_mode": True})
    handle = os.open(place.root, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        run = play.run()
    finally:
        os.close(handle)
    done = run["held"]
    assert done.failed and done.differs == [] and 1 <= done.seconds < 10
    assert f"another run holds this directory for more than 1 s: {place.root}" in done.msg and "lock_timeout" in done.msg
    assert run["check"].ok().changed, "looking needs no lock"


@mounts
@pytest.mark.once
def test_a_full_disk(place: Place, releases: Releases, web: WebServer) -> None:
    """Once by the size that the archive states, once by writing until it is full, for an archive that states less than it is."""
    files = archives.tree("1.27.4", ARCH, 200)
    files["src/big"] = (b"0123456789abcdef" * 65536, 0o644)
    data = archives.official(files)
    web.routes[TAR] = [Answer(data)]
    place.root.parent.joinpath("small").mkdir()
    play = place.play(versions=["1.27.4"], checksums={"1.27.4": {ARCH: [archives.sha256(data)]}}, sources=[{"type": "mirror", "url": web.url()}], retries=0)
    small = str(place.host / "small/go")
    for fetch_on in ("target", "controller"):
        play.bad(f"full, {fetch_on}", root=small, fetch_on=fetch_on)
    play.task(
        "enough",
        root=str(place.host / "small/go"),
        versions=["1.26.11"],
        sources=[{"type": "file", "path": str(releases.directory)}],
        checksums=releases.checksums,
    )
    run = play.run(prefix=_in_namespace(f"mount -t tmpfs -o size=900k tmpfs {place.host}/small"))
    for fetch_on in ("target", "controller"):
        said = run.refused(f"full, {fetch_on}")
        assert re.search(r"No space left|no space left: \d+ MiB needed, \d+ MiB free", said) and small in said and "Free some space" in said, said
    run["enough"].ok()


@mounts
@pytest.mark.once
def test_a_read_only_file_system(place: Place, releases: Releases) -> None:
    play = _filled(place, releases)
    play.run()["first"].ok()
    play.tasks.clear()
    play.bad("read-only", versions=["1.27.3"])
    play.wish("nothing to do", versions=["1.27.4", "1.26.11"])
    play.bad("no room for links", versions=["1.27.4"], root=str(place.tmp / "other"), links=str(place.links))
    run = play.run(prefix=_in_namespace(f"mount --bind {place.host} {place.host}; mount -o remount,bind,ro {place.host}"))
    said = run.refused("read-only")
    assert re.search("read-only", said, re.IGNORECASE) and str(place.host) in said and "become" not in said, said
    run.four("nothing to do", changes=False)
    assert str(place.links) in run.refused("no room for links") and not (place.tmp / "other").exists()
