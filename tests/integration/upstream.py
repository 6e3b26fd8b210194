# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module proxy that this machine knows, and a server on loopback between it and the product."""

import os
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from ansible_collections.gohost.linux.plugins.module_utils.toolchain.download import get
from ansible_collections.gohost.linux.plugins.module_utils.toolchain.model import HttpSettings
from ansible_collections.gohost.linux.plugins.module_utils.toolchain.web import FetchError
from ansible_collections.gohost.linux.plugins.plugin_utils.releases import goproxy
from tests.fakes.web import Answer, Seen, WebServer

SUMDB = "/sumdb/sum.golang.org/"


def known() -> str:
    """GOPROXY as `go env` says it; without one there is nothing real to fetch."""
    found = goproxy.known(os.environ)
    if found is None:
        pytest.skip("no GOPROXY: neither in the environment nor by a go command")
    return found


def only(proxies: str) -> dict[str, str]:
    """An environment in which these proxies are all that can be reached: the official site is not, wherever the tests run."""
    hosts = ",".join(urlsplit(proxy.url).hostname or "" for proxy in goproxy.parse(proxies) if proxy.url != goproxy.DIRECT)
    return {"GOPROXY": proxies, "https_proxy": "http://127.0.0.1:9", "no_proxy": f"{hosts},127.0.0.1"}


class PassingSumDB(WebServer):
    """A module proxy that carries the real checksum database, and lets `tamper` change what it says: path below it, answer → answer."""

    def __init__(self, root: str, tamper: Callable[[str, bytes], bytes] = lambda path, data: data) -> None:
        super().__init__(root)
        self._upstream = next(proxy.url for proxy in goproxy.parse(known()) if proxy.url != goproxy.DIRECT)
        self._tamper = tamper

    def answer(self, seen: Seen) -> Answer:
        if not seen.path.startswith(SUMDB):
            return super().answer(seen)
        self.seen.append(seen)
        try:
            return Answer(self._tamper(seen.path[len(SUMDB) :], get(self._upstream + seen.path, HttpSettings())))
        except FetchError as error:
            return Answer(str(error).encode(), error.status or 502)
