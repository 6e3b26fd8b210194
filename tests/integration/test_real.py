# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real releases of Go by the module proxy, and a program that they compile. What was fetched stays in the product's own cache."""

import hashlib
import json
import os
import shutil
import stat
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.gohost.linux.plugins.plugin_utils.releases.cache import default_dir
from tests.fakes import archives
from tests.fakes.web import Answer, WebServer
from tests.integration import upstream
from tests.integration.conftest import ARCH, Place
from tests.runner.workspace import ROOT

FIVE = ["1.21.13", "1.25.14", "1.26.11", "1.27.3", "1.27.4"]
PROGRAM = Path(__file__).parent / "program"

pytestmark = pytest.mark.once


@pytest.fixture
def roomy(place: Place) -> Iterator[Place]:
    """Trees of a quarter of a gigabyte each do not stay."""
    yield place
    shutil.rmtree(place.host)


def _environment() -> dict[str, str]:
    return {**upstream.only(upstream.known()), "XDG_CACHE_HOME": str(default_dir(os.environ).parent)}


def _h1(version: str) -> str:
    entries = json.loads((ROOT / "tools/inputs/go_toolchain_h1.json").read_text())["entries"]
    (found,) = [entry["h1"] for entry in entries if (entry["version"], entry["os"], entry["arch"]) == (version, "linux", ARCH)] or [""]
    return str(found)


def _go(*argv: str, cwd: Path, path: Path, **env: str) -> str:
    done = subprocess.run(
        argv, cwd=cwd, env={"PATH": f"{path}:/usr/bin:/bin", "HOME": str(cwd), "LC_ALL": "C", **env}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def _content(tree: Path) -> dict[str, tuple[int, str]]:
    """path → mode, and hash of the content."""
    found = {}
    for path in tree.rglob("*"):
        if path.is_file():
            found[str(path.relative_to(tree))] = (stat.S_IMODE(path.stat().st_mode), hashlib.sha256(path.read_bytes()).hexdigest())
    return found


def test_five_releases_side_by_side(roomy: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With no option about sources: the official site cannot be reached, the module proxy can, the checksum database vouches."""
    links = roomy.links
    play = roomy.play(versions=FIVE, fetch_on="controller")
    play.wish("five", default="1.27.3")
    play.sh("who", "".join(f"{links}/go{version} version; " for version in FIVE) + f"{links}/go version")
    play.wish("switch", default="1.27.4")
    play.wish("rollback", versions=[], rollback_from="1.27.4")
    play.task("all is well", verify="full")
    play.wish("prune", versions=["1.26.11", "1.27.3", "1.27.4"], exclusive=True)
    play.wish("absent", versions=["1.27.4"], state="absent")
    run = play.run(env=_environment())

    installed = run.four("five").result
    for entry in installed["versions"]:
        assert (entry["source"], entry["authority"]) == ("goproxy", "checksum database"), entry
        assert entry["digest"].startswith("h1:") and entry["digest"] == (_h1(entry["version"]) or entry["digest"])
        assert entry["lifecycle"]["supported"] == (entry["version"] not in ("1.21.13", "1.25.14"))
    assert "Go 1.21.13 gets no security fixes since 2024-08-13" in run.output
    assert run["who"].ok().result["stdout"].splitlines() == [f"go version go{version} linux/{ARCH}" for version in (*FIVE, "1.27.3")]
    assert run.four("switch").shown["go/current"] == "1.27.4"
    assert run.four("rollback").shown["go/current"] == "1.27.3"
    assert not run["all is well"].ok().changed
    assert run.four("prune").result["removed"] == ["1.21.13", "1.25.14"]
    assert sorted(path for path in run.four("absent").shown if path.startswith("go/1.")) == ["go/1.26.11", "go/1.27.3"]
    seconds = {done.task: done.seconds for done in run.done}
    with capsys.disabled():
        print(f"five real releases: {seconds['five: apply']:.1f} s, unchanged {seconds['five: apply again']:.1f} s, hashed {seconds['all is well']:.1f} s")

    built = tmp_path / "program"
    shutil.copytree(PROGRAM, built)
    caches = {"GOCACHE": str(tmp_path / "gocache"), "GOMODCACHE": str(tmp_path / "gomod"), "GOFLAGS": "-mod=mod -modcacherw", "CGO_ENABLED": "0"}
    fetched = {**caches, "GOPROXY": upstream.known(), "GOTOOLCHAIN": "local"}
    _go("go", "build", "-o", "program", ".", cwd=built, path=links, **fetched)
    assert subprocess.run([built / "program"], capture_output=True, text=True, check=True).stdout.split() == [
        "go1.27.3",
        "91da4ff0-bcdb-5fa4-b85d-7c2de6ebc8fe",
    ]
    offline = {**caches, "GOPROXY": "off"}
    assert _go("go", "version", cwd=built, path=links, GOTOOLCHAIN="go1.26.11+path", **offline) == f"go version go1.26.11 linux/{ARCH}"


def test_an_archive_repacked_by_somebody(roomy: Place, tmp_path: Path) -> None:
    """1.27.2 from its module zip, packed as the official archive is: the same files, another digest than the official one."""
    first = roomy.play(versions=["1.27.2"], links="", fetch_on="controller", root=str(roomy.host / "zip/go"))
    first.task("by zip")
    by_zip = first.run(env=_environment())["by zip"].ok().result["versions"][0]
    tree = Path(by_zip["path"])
    packed = tmp_path / f"go1.27.2.linux-{ARCH}.tar.gz"
    with tarfile.open(packed, "w:gz", compresslevel=1) as archive:
        archive.add(tree, "go")
    digest = archives.sha256(packed.read_bytes())
    with WebServer() as web:
        web.routes[f"/{packed.name}"] = [Answer(packed.read_bytes())]
        play = roomy.play(versions=["1.27.2"], sources=[{"type": "mirror", "url": web.url()}])
        play.bad("by the index")
        play.wish("by the user", checksums={"1.27.2": {ARCH: [digest]}})
        run = play.run()
    said = run.refused("by the index")
    assert f"digest differs: the archive has {digest}, bundled index says sha256:" in said
    entry = run.four("by the user").result["versions"][0]
    assert (entry["digest"], entry["authority"], entry["source"]) == (digest, "user", "mirror")
    assert _content(tree) == _content(roomy.root / "1.27.2")
    packed.unlink()


@pytest.mark.long
def test_ten_hosts_cause_one_download_of_the_real_archive(roomy: Place, capsys: pytest.CaptureFixture[str]) -> None:
    """And print what a host costs."""
    cache = default_dir(os.environ)
    first = roomy.play(versions=["1.27.4"], links="", fetch_on="controller")
    first.task("into the cache")
    first.run(env=_environment())["into the cache"].ok()
    (kept,) = sorted((cache / "downloads").glob(f"*-go1.27.4.linux-{ARCH}.zip"))[:1]
    name = f"/golang.org/toolchain/@v/v0.0.1-go1.27.4.linux-{ARCH}.zip"
    with WebServer() as web:
        web.routes[name] = [Answer(kept.read_bytes())]
        play = roomy.play(
            versions=["1.27.4"], links="", fetch_on="controller", sources=[{"type": "goproxy", "url": web.url()}], checksums={"1.27.4": {ARCH: [_h1("1.27.4")]}}
        )
        play.watch = None
        play.task("all", root=str(roomy.host) + "/{{ inventory_hostname }}/go")
        run = play.run("--forks", "10", hosts=[f"host{number}" for number in range(10)])
        assert web.count(name) == 1
    assert len(run.done) == 10 and all(done.ok().changed for done in run.done)
    for number in range(10):
        assert "go1.27.4" in _go(str(roomy.host / f"host{number}/go/current/bin/go"), "version", cwd=roomy.host, path=roomy.links)
    with capsys.disabled():
        print(f"10 hosts, the real archive: {run.seconds / 10:.2f} s per host")
