# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module proxies that lie: the real checksum database, passed on by a server on loopback, and small zips that are not what it says."""

import re
import shutil
from pathlib import Path

import pytest

from tests.fakes import archives
from tests.integration.conftest import ARCH, Place, Releases
from tests.integration.upstream import PassingSumDB

MODULES = "golang.org/toolchain/@v"


def test_another_zip_is_refused(place: Place, releases: Releases, tmp_path: Path) -> None:
    served = tmp_path / "proxy"
    shutil.copytree(releases.proxy, served)
    name = f"v0.0.1-go1.27.3.linux-{ARCH}.zip"
    shutil.copy(releases.proxy / MODULES / f"v0.0.1-go1.27.4.linux-{ARCH}.zip", served / MODULES / f"v0.0.1-go1.26.11.linux-{ARCH}.zip")
    with PassingSumDB(str(served)) as proxy:
        play = place.play(sources=[{"type": "goproxy", "url": proxy.url()}], retries=0)
        for fetch_on in ("target", "controller"):
            play.bad(f"changed, {fetch_on}", versions=["1.27.3"], fetch_on=fetch_on)
            play.bad(f"another version's, {fetch_on}", versions=["1.26.11"], fetch_on=fetch_on)
        play.bad("never released", versions=["1.27.99"])
        run = play.run()
        assert proxy.count(f"/{MODULES}/{name}") == 2, "in check mode nothing is fetched"
    for fetch_on in ("target", "controller"):
        assert re.search("digest differs: the archive has h1:.*, checksum database says h1:", run.refused(f"changed, {fetch_on}"))
        assert f"every path of this module starts with golang.org/toolchain@v0.0.1-go1.26.11.linux-{ARCH}/" in run.refused(f"another version's, {fetch_on}")
    said = run.refused("never released")
    assert "nearest is 1.27.4, the newest 1.27.4" in said and "1.27.99" in said
    assert not place.root.exists()


@pytest.mark.parametrize("lie", ["head", "signature", "record", "tile"])
def test_a_database_that_lies_is_not_believed(place: Place, releases: Releases, lie: str) -> None:
    """What the proxy has changed on the way shows, even where it serves a zip that agrees with it."""
    wanted = archives.h1(archives.module_entries(archives.tree("1.27.3", ARCH), "1.27.3", ARCH))

    def tamper(path: str, data: bytes) -> bytes:
        if path.startswith("tile/"):
            return bytes(data[:-1]) + bytes([data[-1] ^ 1]) if lie == "tile" else data
        if not path.startswith("lookup/"):
            return data
        if lie == "record":
            return re.sub(rb"(linux-\w+) h1:\S+", rb"\1 " + wanted.encode(), data, count=1)
        if lie == "head":
            return re.sub(rb"(go\.sum database tree\n)(\d+)", lambda found: found[1] + b"%d" % (int(found[2]) + 1), data)
        return re.sub(rb"(\xe2\x80\x94 sum\.golang\.org \S{20})(\S)", lambda found: found[1] + (b"A" if found[2] != b"A" else b"B"), data)

    with PassingSumDB(str(releases.proxy), tamper) as proxy:
        play = place.play(sources=[{"type": "goproxy", "url": proxy.url()}], versions=["1.27.3"], retries=0)
        play.bad("lied to")
        run = play.run()
        assert proxy.count(f"/{MODULES}/v0.0.1-go1.27.3.linux-{ARCH}.zip") == 0, "nothing is fetched on a liar's word"
    said = run.refused("lied to")
    assert "checksum database" in said, said
    assert {"head": "sign", "signature": "sign", "record": "not in its signed log", "tile": "checksum database"}[lie] in said, said
