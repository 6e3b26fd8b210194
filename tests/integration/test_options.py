# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every option by real playbooks, with small releases; each wish is checked, applied, checked, applied."""

import os
import re
import stat
import subprocess
from pathlib import Path

from tests.fakes.web import WebServer
from tests.integration.conftest import ARCH, OTHER, Place, Releases


def _version(program: Path) -> str:
    return subprocess.run([program, "version"], capture_output=True, text=True, check=True).stdout.split()[2]


def test_a_store_through_its_life(place: Place, releases: Releases, web: WebServer) -> None:
    root, links = place.root, place.links
    play = place.play(sources=[{"type": "mirror", "url": web.url("/")}], checksums=releases.checksums, allow_eol=True)
    compat = str(place.host / "usr/go")
    play.wish("a line", versions=["1.26"])
    play.wish("side by side", versions=["1.25.14", "1.27.3"], default="1.27.3")
    play.sh("who is who", f"for name in {links}/go {links}/go1*; do $name version; done")
    play.wish("default stays", versions=["1.25.14", "1.26.11"])
    play.wish("stable", versions=["1.27.3", "stable", "1.27.4"], default="stable", compat_link=compat)
    play.wish("switch", versions=["1.26.11", "1.27.4"], default="1.26.11", compat_link=compat)
    play.wish("rollback", rollback_from="1.26.11", compat_link=compat)
    play.wish("rollback from another", rollback_from="1.25.14", compat_link=compat)
    play.wish("prune", versions=["1.27.3", "1.27.4"], default="1.27.4", exclusive=True, keep=["1.25.14"])
    play.wish("no links", versions=["1.27.4"], links="")
    play.wish("links again", versions=["1.27.4"], verify="full")
    play.wish("a line goes", state="absent", versions=["1.25", "1.24"])
    play.wish("one goes", state="absent", versions=["1.27.3"])
    play.wish("the last goes", state="absent", versions=["1.27.4"])
    run = play.run()

    first = run.four("a line").result
    assert first["versions"][0]["path"] == f"{root}/1.26.11"
    assert first["versions"][0]["bytes"] == len(releases.official("1.26.11"))
    assert (first["versions"][0]["authority"], first["versions"][0]["source"]) == ("user", "mirror")
    assert first["versions"][0]["digest"] == releases.checksums["1.26.11"][ARCH][0]
    seen = run.four("side by side").shown
    assert {name: target for name, target in seen.items() if target.startswith("/")} == {
        "bin/go": f"{root}/current/bin/go",
        "bin/gofmt": f"{root}/current/bin/gofmt",
        "bin/go1.25.14": f"{root}/1.25.14/bin/go",
        "bin/go1.26.11": f"{root}/1.26.11/bin/go",
        "bin/go1.27.3": f"{root}/1.27.3/bin/go",
    }
    assert seen["go/current"] == "1.27.3" and seen["go"] == seen["go/1.27.3"] == "0o755"
    said = run["who is who"].result["stdout"].splitlines()
    assert said == [f"go version go{version} linux/{ARCH}" for version in ("1.27.3", "1.25.14", "1.26.11", "1.27.3")]
    assert run.four("default stays", changes=False).result["default_after"] == "1.27.3"
    done = run.four("stable")
    assert (done.result["default_before"], done.result["default_after"]) == ("1.27.3", "1.27.4")
    assert done.shown["usr/go"] == f"{root}/current"
    assert run.four("switch").shown["go/current"] == "1.26.11"
    assert run.four("rollback").shown["go/current"] == "1.27.4"
    run.four("rollback from another", changes=False)
    done = run.four("prune")
    assert done.result["removed"] == ["1.26.11"]
    assert "bin/go1.26.11" not in done.shown and "usr/go" not in done.shown and "go/1.26.11" not in done.shown
    done = run.four("no links")
    assert not [path for path in done.shown if path.startswith("bin/")] and done.result["links"] == {}
    assert "bin/go1.25.14" in run.four("links again").shown
    assert run.four("a line goes").result["removed"] == ["1.25.14"]
    assert run.four("one goes").shown["go/current"] == "1.27.4"
    assert set(run.four("the last goes").shown) == {"bin", "usr"}
    assert os.listdir(links) == []
    for version in ("1.25.14", "1.26.11", "1.27.3", "1.27.4"):
        assert web.count(f"/go{version}.linux-{ARCH}.tar.gz") == 1, "an archive is fetched once, and never in check mode"


def test_links_arch_verify_and_repair(place: Place, releases: Releases) -> None:
    links, tree = place.links, place.root / "1.27.4"
    (links / "go").write_text("#!/bin/sh\necho mine\n")
    (links / "gofmt").symlink_to("/nowhere/gofmt")
    play = place.play(versions=["1.27.4"], sources=[{"type": "file", "path": str(releases.directory)}], checksums=releases.checksums)
    play.bad("another's file")
    play.wish("moved aside", links_force=True)
    play.sh("content changes", f"chmod u+w {tree}/src/go.mod && echo '// more' >> {tree}/src/go.mod && rm {tree}/bin/gofmt && echo x > {tree}/src/new.go")
    play.bad("tampered")
    play.wish("repaired", repair=True)
    play.sh("times alone change", f"touch -d 2001-01-01 {tree}/src/go.mod")
    play.wish("quick is not fooled by times", links_force=True)
    play.sh("same size and times", f"cd {tree}/src && touch -r go.mod ../ref && sed -i s/std/xxx/ go.mod && touch -r ../ref go.mod && rm ../ref")
    play.bad("full sees it", verify="full")
    play.wish("full repairs", verify="full", repair=True)
    play.sh("settings change", f"echo GOFLAGS=-x >> {tree}/go.env")
    play.bad("settings are seen")
    play.sh("half gone", f"rm -r {tree}/src {tree}/pkg")
    play.bad("half gone is seen")
    play.wish("whole again", repair=True)
    play.task("other arch", root=str(place.host / "other"), links="", arch=OTHER)
    play.bad("arch changes", root=str(place.host / "other"), links="", arch=ARCH)
    play.wish("all back", state="absent")
    run = play.run()

    assert re.search(rf"{links}/go is a file of uid {os.getuid()}.*links_force", run.refused("another's file"))
    done = run.four("moved aside")
    assert done.shown["bin/.gofmt.gohost-saved"] == "/nowhere/gofmt" and done.shown["bin/go"] == f"{place.root}/current/bin/go"
    said = run.refused("tampered")
    for part in (str(tree), "src/go.mod", "bin/gofmt", "src/new.go", "repair: true"):
        assert part in said
    run.four("repaired")
    run.four("quick is not fooled by times", changes=False)
    assert "src/go.mod" in run.refused("full sees it")
    run.four("full repairs")
    assert "go.env" in run.refused("settings are seen")
    assert "and " in run.refused("half gone is seen")
    assert run.four("whole again").result["versions"][0]["installed"]
    assert run["other arch"].ok().result["arch"] == OTHER
    assert f"is for {OTHER}, not {ARCH}" in run.refused("arch changes")
    run.four("all back")
    assert (links / "go").read_text() == "#!/bin/sh\necho mine\n" and os.readlink(links / "gofmt") == "/nowhere/gofmt"
    assert sorted(os.listdir(links)) == ["go", "gofmt"]


def test_owners_and_modes(place: Place, releases: Releases) -> None:
    """Whatever the umask: everyone may read and run, nobody but the owner may write; mode and owner of the archive count for nothing."""
    play = place.play(versions=["1.27.4"], sources=[{"type": "file", "path": str(releases.directory)}], checksums=releases.checksums)
    play.task("tar")
    play.task("zip", root=str(place.host / "zip"), links="", sources=[{"type": "goproxy", "url": releases.proxy.as_uri()}])
    run = play.run(prefix=["sh", "-c", 'umask 077; exec "$@"', "sh"])
    run["tar"].ok()
    assert run["zip"].ok().result["versions"][0]["digest"].startswith("h1:")
    for top in (place.root, place.host / "zip"):
        tree = top / "1.27.4"
        assert _version(tree / "bin/go") == "go1.27.4"
        for path in [top, tree, *tree.rglob("*")]:
            seen = path.lstat()
            executable = path.is_dir() or path.relative_to(top / "1.27.4").parts[:1] == ("bin",) if path != top else True
            assert (seen.st_uid, seen.st_gid) == (os.getuid(), os.getgid())
            mode = stat.S_IMODE(seen.st_mode)
            assert mode in (0o755, 0o644) and (mode == 0o755 or not executable), path
    one, other = ({path.relative_to(top / "1.27.4"): path.stat().st_mode for path in (top / "1.27.4").rglob("*")} for top in (place.root, place.host / "zip"))
    assert one == other
