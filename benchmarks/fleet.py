# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many hosts and one download: fetch_on=controller."""

import functools
import http.server
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import material, measure, playbooks
from tests.fakes import archives

HEAD = ("fetch_on: controller", "hosts", "forks", "downloads", "seconds", "per host")
_SMALL = "1.27.3"
_FORKS = 10


def rows(scratch: Path) -> list[tuple[str, ...]]:
    (scratch / "small").mkdir()
    (small,) = archives.make(str(scratch / "small"), _SMALL, material.ARCH, 200, ["tar.gz"])
    real = material.official()
    return [
        _row(f"real archive ({real.path.stat().st_size >> 20} MiB)", scratch / "ten", real, 10),
        _row("archive of 200 files", scratch / "fifty", material.Archive("tar.gz", Path(small.path), _SMALL, small.digest), 50),
    ]


def _row(name: str, scratch: Path, archive: material.Archive, hosts: int) -> tuple[str, ...]:
    served = scratch / "served"
    served.mkdir(parents=True)
    (served / material.name_of(archive)).symlink_to(archive.path)
    with _server(served) as (url, asked):
        wish = playbooks.wish(Path("{{ base }}"), [archive.version], fetch_on="controller", sources=[{"type": "mirror", "url": url}])
        wish["checksums"] = {archive.version: {material.ARCH: [archive.digest]}}
        inventory = {f"host{number:02}": {"base": str(scratch / f"host{number:02}")} for number in range(hosts)}
        measure.settle()
        start = time.perf_counter()
        times = playbooks.play(scratch, [{"name": "install", playbooks.MODULE: wish}], inventory, _FORKS, {"XDG_CACHE_HOME": str(scratch / "cache")})
        spent = time.perf_counter() - start
    assert len(times) == hosts
    return name, str(hosts), str(_FORKS), str(len(asked)), measure.seconds(spent), measure.seconds(spent / hosts)


@contextmanager
def _server(directory: Path) -> Iterator[tuple[str, list[str]]]:
    """A directory on the loopback, and what was asked of it."""
    asked: list[str] = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            asked.append(self.path)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(directory)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()
