# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role and site.yml, a user without rights, and two runs at once."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.fakes.web import WebServer
from tests.integration.conftest import ARCH, Place, Releases
from tests.runner.workspace import ROOT

NOBODY = 65534


def _variables(place: Place, releases: Releases, **more: object) -> dict[str, object]:
    given = {
        "versions": ["1.27.4"],
        "root": str(place.root),
        "links": str(place.links),
        "checksums": releases.checksums,
        "sources": [{"type": "file", "path": str(releases.directory)}],
        "report": True,
        **more,
    }
    return {f"go_toolchain_{name}": value for name, value in given.items()}


def test_the_role_by_site_yml(place: Place, releases: Releases) -> None:
    play = place.play()
    site = [str(ROOT / "playbooks/site.yml")]
    name = "gohost.linux.go_toolchain : Go releases are installed and verified, and one is the default"
    report = "gohost.linux.go_toolchain : Which Go is found from where"
    check, apply, check_again, apply_again = (
        play.run(*mode, "--diff", playbooks=site, variables=_variables(place, releases)) for mode in (["--check"], [], ["--check"], [])
    )
    for run in (check, apply, check_again, apply_again):
        assert run.rc == 0, run.output
    assert check[name].changed and check[name].touched == [] and apply[name].changed
    assert check[name].result["diff"] == apply[name].result["diff"]
    assert not check_again[name].changed and not apply_again[name].changed and apply_again[name].touched == []
    assert "changed=0" in apply_again.output
    said = "\n".join(apply[report].result["msg"])
    assert f"Go 1.27.4 is the default in {place.root}." in said
    assert f"Go 1.27.4 (supported): {releases.checksums['1.27.4'][ARCH][0]}, vouched for by the user, from file." in said
    assert "From a plain shell: " in said and "From a login shell: " in said
    assert not [done for done in check.done if done.task == report], "in check mode there is nothing to ask"

    wrongs = ({"fetch_on": "moon"}, "moon"), ({"sources": [{"url": "x"}]}, "type"), ({"default": "1.26"}, "default is none of the versions")
    for wrong, text in wrongs:
        run = play.run(playbooks=site, variables=_variables(place, releases, **wrong))
        assert run.rc != 0 and run.done[-1].differs == []
        assert text in run.done[-1].msg + str(run.done[-1].result.get("argument_errors")), run.output

    gone = play.run(playbooks=site, variables=_variables(place, releases, state="absent"))
    assert gone.rc == 0 and not place.root.exists() and os.listdir(place.links) == []


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="only root can become another user, by setpriv")
def test_a_user_without_rights(place: Place, releases: Releases, web: WebServer) -> None:
    """The host's side runs as a user with a home of their own; what only root may is refused in one line."""
    python = shutil.which("python3", path="/usr/bin:/bin")
    if python is None:
        pytest.skip("no python3 in /usr/bin that every user may run")
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:  # the checkout may be where other users cannot look
        top = Path(directory)
        top.chmod(0o755)
        home, closed, wrapper = top / "home", top / "closed", top / "python"
        own = home / "own"
        for made in (home, own, closed):
            made.mkdir()
        for theirs in (home, own):
            os.chown(theirs, NOBODY, NOBODY)
        wrapper.write_text(f'#!/bin/sh\nHOME={home} TMPDIR={home} exec setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups {python} "$@"\n')
        wrapper.chmod(0o755)
        paths = {"root": f"{own}/lib/go", "links": f"{own}/bin"}
        play = place.play(**paths, versions=["1.27.4"], checksums=releases.checksums, sources=[{"type": "mirror", "url": web.url()}], retries=0)
        play.watch = own  # Ansible itself uses the home
        play.wish("own")
        play.bad("root not theirs", root=f"{closed}/go", links="")
        play.bad("links not theirs", links=str(closed))
        play.wish("gone", state="absent")
        run = play.run(variables={"ansible_python_interpreter": str(wrapper)})
        done = run.four("own")
        assert done.shown["lib"] == done.shown["lib/go"] == "0o755"
        for name in ("root not theirs", "links not theirs"):
            assert run.refused(name).startswith(f"directory is read-only for uid {NOBODY}: {closed}. Use become"), run.refused(name)
        run.four("gone")
        assert not (own / "lib/go").exists() and os.listdir(closed) == []


def test_two_runs_at_once(place: Place, releases: Releases, web: WebServer) -> None:
    """Both succeed, one installs, and what is left is one whole store."""
    plays = []
    for number in range(2):
        play = place.play(versions=["1.27.4"], checksums=releases.checksums, sources=[{"type": "mirror", "url": web.url()}])
        play.directory, play.watch = place.tmp / f"controller{number}", None
        play.task("install")
        play.task("switch", versions=["1.27.4", "1.26.11"], default="1.26.11")
        plays.append(play)
    started = [play.start() for play in plays]
    runs = [one.end() for one in started]
    for run in runs:
        assert run["install"].ok() and run["switch"].ok()
    for task in ("install", "switch"):
        assert sum(run[task].changed for run in runs) in (1, 2)
    assert sum(run["install"].result["versions"][0]["installed"] for run in runs) == 1
    assert os.listdir(place.root / ".gohost/stage") == []
    said = subprocess.run([place.links / "go", "version"], capture_output=True, text=True, check=True).stdout
    assert "go1.26.11" in said
    last = place.play(versions=["1.27.4", "1.26.11"], default="1.26.11", verify="full", checksums=releases.checksums)
    last.wish("whole")
    last.run().four("whole", changes=False)
