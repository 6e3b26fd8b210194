# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where archives come from: the order, what falls through to the next, proxies, private CAs, credentials, and machines that fetch."""

import json
from pathlib import Path

import pytest

from tests.fakes import web as webs
from tests.fakes.web import Answer, WebServer
from tests.integration.conftest import ARCH, VERSIONS, Place, Releases
from tests.integration.playbook import Run

TAR = f"/go1.27.4.linux-{ARCH}.tar.gz"
ZIP = f"/golang.org/toolchain/@v/v0.0.1-go1.27.4.linux-{ARCH}.zip"
SECRET = "s3cr3t/w%rd"


@pytest.mark.once
def test_order_and_fallback(place: Place, releases: Releases, web: WebServer) -> None:
    """Each case in a store of its own, on the target and on the controller: who is asked, and who is not."""
    zipped = (releases.proxy / ZIP[1:]).read_bytes()
    for name in ("/gone", "/broken", "/page", "/good"):
        answer = {"/gone": Answer(b"no", 404), "/broken": Answer(b"no", 500), "/page": Answer(b"<html>log in</html>"), "/good": Answer(zipped)}[name]
        web.routes[name + ZIP] = [answer]
    web.routes["/page" + TAR] = [Answer(b"<html>log in</html>")]
    mirror, file = {"type": "mirror", "url": web.url("/none")}, {"type": "file", "path": str(releases.directory)}
    cases = {
        "a mirror without it, then a directory": ([mirror, file], "file"),
        "a page, then a mirror": ([{"type": "mirror", "url": web.url("/page")}, {"type": "mirror", "url": web.url("/")}], "mirror"),
        "a directory with zips as a proxy serves them": ([{"type": "file", "path": str(releases.proxy)}], "file"),
        "comma after 404": ([{"type": "goproxy", "url": f"{web.url('/gone')},{web.url('/good')}"}], "goproxy"),
        "comma after 500": ([{"type": "goproxy", "url": f"{web.url('/broken')},{web.url('/good')}"}], ""),
        "comma after 500, then a directory": ([{"type": "goproxy", "url": f"{web.url('/broken')},{web.url('/good')}"}, file], "file"),
        "pipe after 500": ([{"type": "goproxy", "url": f"{web.url('/broken')}|{web.url('/good')}"}], "goproxy"),
        "pipe after a page": ([{"type": "goproxy", "url": f"{web.url('/page')}|{web.url('/good')}"}], "goproxy"),
        "off before": ([{"type": "goproxy", "url": f"off,{web.url('/good')}"}], ""),
        "a file proxy": ([{"type": "goproxy", "url": releases.proxy.as_uri()}], "goproxy"),
        "GOPROXY of the environment": ([{"type": "goproxy"}], "goproxy"),
    }
    play = place.play(versions=["1.27.4"], links="", checksums=releases.checksums, retries=0)
    for number, (name, (sources, _expected)) in enumerate(cases.items()):
        play.sh(f"fresh {number}", f"rm -rf {play.directory}/cache/gohost.linux/downloads")
        for fetch_on in ("target", "controller"):
            play.task(f"{name}, {fetch_on}", sources=sources, fetch_on=fetch_on, root=str(place.host / f"{fetch_on}{number}"))
    run = play.run(env={"GOPROXY": f"{web.url('/gone')},{web.url('/good')}"})
    for name, (_sources, expected) in cases.items():
        for fetch_on in ("target", "controller"):
            done = run[f"{name}, {fetch_on}"]
            if expected:
                assert done.ok().result["versions"][0]["source"] == expected, name
            else:
                assert done.failed and done.differs == [], name
    refused = run["a mirror without it, then a directory, target"].result["versions"][0]["refused"]
    assert len(refused) == 1 and "404" in refused[0]
    assert "web page" in run["a page, then a mirror, target"].result["versions"][0]["refused"][0]
    assert "500" in run["comma after 500, target"].msg and "500" in run["comma after 500, controller"].msg
    assert "off" in run["off before, target"].msg


def test_what_is_latest(place: Place, releases: Releases, web: WebServer) -> None:
    """A module proxy's list knows 1.27.5; without being asked, the bundled index does not."""
    made = (releases.proxy / "golang.org/toolchain/@v/list").read_bytes()
    web.routes["/golang.org/toolchain/@v/list"] = [Answer(made)]
    play = place.play(sources=[{"type": "goproxy", "url": web.url()}], versions=["1.27"], checksums=releases.checksums, retries=0)
    play.task("index", keywords={"check_mode": True})
    play.task("latest", check_latest=True, checksums={"1.27.5": {ARCH: releases.checksums["1.27.4"][ARCH]}}, keywords={"check_mode": True})
    run = play.run()
    assert run["index"].ok().result["default_after"] == "1.27.4"
    assert run["latest"].ok().result["default_after"] == "1.27.5"


def test_credentials_are_never_shown(place: Place, releases: Releases) -> None:
    """By option, in the URL, by netrc; accepted and refused; on both machines; in a playbook as loud as it gets."""
    login = ("robot", SECRET)
    quoted = "robot:s3cr3t%2Fw%25rd"
    with WebServer() as web:
        web.routes[TAR] = [Answer(releases.official("1.27.4"), auth=login)]
        web.routes[ZIP] = [Answer((releases.proxy / ZIP[1:]).read_bytes(), auth=login)]
        option = {"type": "mirror", "url": web.url(), "username": login[0], "password": login[1]}
        cases = {
            "option": [option],
            "URL": [{"type": "mirror", "url": web.url("/", login=quoted)}],
            "proxy URL": [{"type": "goproxy", "url": web.url("", login=quoted)}],
            "netrc": [{"type": "mirror", "url": web.url("/", host="localhost")}],
            "wrong": [{"type": "mirror", "url": web.url("/", login="robot:wr0ng-p4ss")}],
            "wrong option": [{**option, "password": "wr0ng-p4ss"}],
            "not a URL": [{"type": "mirror", "url": f"ftp://{quoted}@127.0.0.1/"}],
        }
        play = place.play(versions=["1.27.4"], links="", checksums=releases.checksums, retries=0)
        for number, (name, sources) in enumerate(cases.items()):
            play.sh(f"fresh {number}", f"rm -rf {play.directory}/cache/gohost.linux/downloads")
            for fetch_on in ("target", "controller"):
                play.task(f"{name}, {fetch_on}", sources=sources, fetch_on=fetch_on, root=str(place.host / f"{fetch_on}{number}"))
        play.directory.mkdir(parents=True)
        netrc = play.directory / ".netrc"
        netrc.write_text(f"machine localhost login robot password {SECRET}\n")
        netrc.chmod(0o600)
        run = play.run("-vvv", env={"ANSIBLE_INJECT_INVOCATION": "1"})
        assert "invocation" in run.output
        asked = len(web.seen)
    for name in cases:
        for fetch_on in ("target", "controller"):
            done = run[f"{name}, {fetch_on}"]
            if name in ("option", "URL", "proxy URL", "netrc"):
                done.ok()
            else:
                assert done.failed and done.differs == [], name
    assert "401" in run["wrong, target"].msg and "netrc" in run["wrong, target"].msg
    assert asked >= 8
    written = [path for path in place.host.rglob("*") if path.is_file() and not path.is_symlink()]
    kept = [path for path in (play.directory / "cache").rglob("*") if path.is_file()]
    said = [run.output, json.dumps([done.result for done in run.done]), *(path.read_text(errors="replace") for path in (*written, *kept))]
    for text in said:
        for secret in (SECRET, "s3cr3t", "wr0ng-p4ss", "cm9ib3Q6"):
            at = text.find(secret)
            # The playbook's own options, which -vvv repeats as they stand in the playbook, are the user's to hide by no_log.
            assert at < 0, text[max(0, at - 300) : at + 100]


@pytest.mark.once
def test_ways_through_a_network(place: Place, releases: Releases, tmp_path: Path) -> None:
    """A forward proxy with a password, a private CA, a download that is cut, a server that comes back."""
    data = releases.official("1.27.4")
    cut = len(data) // 2
    with WebServer() as web, WebServer() as proxy:
        proxy.hosts["mirror.example.test"] = web.port
        proxy.proxy_auth = ("robot", SECRET)
        web.routes[TAR] = [Answer(data, etag='"1"')]
        web.routes["/cut" + TAR] = [Answer(data, etag='"1"', cut=cut), Answer(data, etag='"1"')]
        web.routes["/ccut" + TAR] = [Answer(data, etag='"1"', cut=cut), Answer(data, etag='"1"')]
        web.routes["/back" + TAR] = [Answer(b"wait", 503), Answer(data)]
        play = place.play(versions=["1.27.4"], links="", checksums=releases.checksums, retries=2)
        through = {"http_proxy": proxy.url("", login="robot:s3cr3t%2Fw%25rd")}
        outside = [{"type": "mirror", "url": "http://mirror.example.test/"}]
        play.task("proxy, target", sources=outside, keywords={"environment": through}, root=str(place.host / "p"))
        play.task("proxy, wrong", sources=outside, keywords={"environment": {"http_proxy": proxy.url("", login="robot:wr0ng")}}, root=str(place.host / "w"))
        play.task("cut", sources=[{"type": "mirror", "url": web.url("/cut")}], root=str(place.host / "cut"))
        play.task("cut, controller", sources=[{"type": "mirror", "url": web.url("/ccut")}], root=str(place.host / "ccut"), fetch_on="controller")
        play.task("back", sources=[{"type": "mirror", "url": web.url("/back")}], root=str(place.host / "back"))
        run = play.run()
        other = place.play(versions=["1.27.4"], links="", checksums=releases.checksums, sources=outside, fetch_on="controller")
        other.task("proxy, controller", root=str(place.host / "pc"))
        run.done.extend(other.run(env={**through, "XDG_CACHE_HOME": str(tmp_path / "fresh")}).done)
        assert any(seen.proxied for seen in proxy.seen)
    for name in ("proxy, target", "proxy, controller", "cut", "cut, controller", "back"):
        assert run[name].ok().changed, name
    assert run["cut"].result["versions"][0]["bytes"] == len(data), "what came before the cut is not fetched again"
    ranges = [seen.headers.get("range") for seen in web.seen if seen.path in ("/cut" + TAR, "/ccut" + TAR)]
    assert ranges == [None, f"bytes={cut}-"] * 2
    assert "407" in run["proxy, wrong"].msg
    assert "s3cr3t" not in run.output + json.dumps([done.result for done in run.done])


@pytest.mark.once
@pytest.mark.skipif(webs.openssl_missing(), reason="the openssl command makes the private CA")
def test_a_private_ca(place: Place, releases: Releases, tmp_path: Path) -> None:
    made = webs.make_tls(str(tmp_path))
    with WebServer(str(releases.directory), made) as web:
        play = place.play(versions=["1.27.4"], links="", checksums=releases.checksums, retries=0, sources=[{"type": "mirror", "url": web.url()}])
        for fetch_on in ("target", "controller"):
            play.task(f"unknown, {fetch_on}", fetch_on=fetch_on, root=str(place.host / fetch_on))
            play.task(f"known, {fetch_on}", fetch_on=fetch_on, root=str(place.host / fetch_on), ca_path=made.ca)
        play.bad("no such file", ca_path="/nonexistent/ca.pem", root=str(place.host / "none"))
        run = play.run()
    for fetch_on in ("target", "controller"):
        assert run[f"unknown, {fetch_on}"].failed and "ca_path" in run[f"unknown, {fetch_on}"].msg
        assert run[f"known, {fetch_on}"].ok().changed
    assert "/nonexistent/ca.pem" in run.refused("no such file")


def _fleet(place: Place, releases: Releases, count: int, web: WebServer) -> Run:
    play = place.play(
        versions=list(VERSIONS[-1:]), links="", checksums=releases.checksums, sources=[{"type": "mirror", "url": web.url("/")}], fetch_on="controller"
    )
    play.watch = None
    play.task("all", root=str(place.host) + "/{{ inventory_hostname }}")
    return play.run("--forks", "10", hosts=[f"host{number}" for number in range(count)])


@pytest.mark.once
def test_fifty_hosts_cause_one_download(place: Place, releases: Releases, web: WebServer, capsys: pytest.CaptureFixture[str]) -> None:
    run = _fleet(place, releases, 50, web)
    assert [done.ok().changed for done in run.done] == [True] * 50
    assert web.count(TAR) == 1
    assert all((place.host / f"host{number}/1.27.4/bin/go").exists() for number in range(50))
    with capsys.disabled():
        print(f"50 hosts, a small archive: {run.seconds / 50:.2f} s per host")
