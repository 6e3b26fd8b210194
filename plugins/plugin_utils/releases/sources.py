# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option `sources` → where each archive can be had, in the order to try."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from ...module_utils.errors import GoHostError
from ...module_utils.toolchain.model import Candidate, archive_name, module_version
from . import goproxy as proxies
from .authority import NoAuthority
from .model import Digests, Source
from .sumdb import MODULE

TYPES = ("official", "mirror", "file", "goproxy")
OFFICIAL = "https://go.dev/dl"


def parse(option: Sequence[Mapping[str, Any]] | None, goproxy: str | None) -> list[Source]:
    """The option, checked; none given: official, then goproxy where one is known (`goproxy`: the controller's GOPROXY, or None)."""
    if not option:
        return [Source("official")] + ([Source("goproxy")] if goproxy is not None else [])
    return [_source(entry, f"number {position}") for position, entry in enumerate(option, 1)]


def _source(entry: Mapping[str, Any], where: str) -> Source:
    given = {key: value for key, value in entry.items() if value is not None}
    kind = given.get("type")
    if kind not in TYPES:
        raise GoHostError("sources: not a type of source", f"{kind!r} in {where}", f"It is one of {', '.join(TYPES)}.")
    takes: set[str] = {"official": set(), "mirror": {"url", "username", "password"}, "file": {"path"}, "goproxy": {"url", "username", "password"}}[kind]
    for key, value in given.items():
        if key != "type" and (key not in takes or not isinstance(value, str) or not value):
            raise GoHostError(f"sources: {key} is of no use", f"in {where}, of type {kind}", f"It takes {', '.join(sorted(takes)) or 'nothing'}, as text.")
    if "password" in given and "username" not in given:
        raise GoHostError("sources: a password without username", where)
    if kind == "file" and not given.get("path", "").startswith("/"):
        raise GoHostError("sources: a file source needs the absolute path of a directory", where)
    url, username, password = given.get("url", ""), given.get("username"), given.get("password")
    if kind == "mirror":
        try:
            proper = urlsplit(url).scheme in ("http", "https", "file") and not urlsplit(url).query
            url, inner, secret = proxies.split_credentials(url)
        except ValueError:
            proper = False
        if not proper:
            raise GoHostError("sources: a mirror needs the URL of the directory that holds the archives", where, "For example https://mirror.example.com/go/.")
        username, password = (username, password) if username is not None else (inner, secret)
    return Source(kind, url, given.get("path", ""), username, password)


def proxy_urls(sources: Sequence[Source], goproxy: str | None) -> list[str]:
    """Base URLs of the proxies among the sources, credentials inside: for SumDB and check_latest, whose `get` takes only a URL."""
    bases = [
        proxies.join_credentials(*proxy[:3])
        for source in sources
        if source.type == "goproxy" and (source.url or goproxy)
        for proxy in _proxies(source, goproxy)
        if proxy[0] != proxies.DIRECT
    ]
    return list(dict.fromkeys(bases))


def candidates(
    version: str,
    arch: str,
    sources: Sequence[Source],
    goproxy: str | None,
    digests: Callable[[str], Digests],
    left_out: list[str],
) -> Iterator[Candidate]:
    """Yields what to try, in order. `digests` says what an archive of a format must match, and is asked once per format and only when
    it comes to it; `left_out` gets a sentence for each source that has nothing to offer."""
    known: dict[str, Digests | None] = {}
    for position, source in enumerate(sources):
        if source.type == "goproxy" and not (source.url or goproxy):
            left_out.append("goproxy: it has no url, and no GOPROXY is known on the controller")
        elif source.type == "goproxy" and not _proxies(source, goproxy):
            left_out.append("goproxy: GOPROXY is off")
        for archive_format, place in _places(version, arch, source, goproxy):
            if archive_format not in known:
                try:
                    known[archive_format] = digests(archive_format)
                except NoAuthority as error:
                    known[archive_format] = None
                    left_out.append(f"{source.type}: {str(error).rstrip('.')}")
            must = known[archive_format]
            if must is not None:
                yield Candidate(source.type, position, archive_format, digests=must.digests, authority=must.authority, **place)


def nothing(version: str, arch: str, left_out: Sequence[str]) -> GoHostError:
    """The error for a version that no source offers in a way that can be verified."""
    hint = "Give its digest in checksums, or a source that can be verified."
    return GoHostError("no verifiable source has this Go", f"{version} for linux-{arch}: {'; '.join(left_out) or 'sources is empty'}", hint)


def _proxies(source: Source, goproxy: str | None) -> list[tuple[str, str | None, str | None, str]]:
    """(base URL, username, password, fallback) of each proxy. The source's own credentials are for the first one and for no other host."""
    found = []
    for position, proxy in enumerate(proxies.parse(source.url or goproxy or "")):
        base, username, password = proxies.split_credentials(proxy.url)
        if username is None and position == 0 and base != proxies.DIRECT:
            username, password = source.username, source.password
        found.append((base, username, password, proxy.fallback))
    return found


def _places(version: str, arch: str, source: Source, goproxy: str | None) -> Iterator[tuple[str, dict[str, str]]]:
    """(format, where) of what a source may have. What a directory has is known only on the machine that fetches: each name is a candidate."""
    archive, module = archive_name(version, arch), proxies.escape(module_version(version, arch))
    place = {"url": "", "path": "", "username": source.username or "", "password": source.password or "", "fallback": "always"}
    if source.type in ("official", "mirror"):
        base = source.url or OFFICIAL
        yield "tar.gz", {**place, "url": f"{base.rstrip('/')}/{archive}"}
    elif source.type == "file":
        yield "tar.gz", {**place, "path": f"{source.path.rstrip('/')}/{archive}"}
        yield "zip", {**place, "path": f"{source.path.rstrip('/')}/{module}.zip"}
        yield "zip", {**place, "path": f"{source.path.rstrip('/')}/{MODULE}/@v/{module}.zip"}
    elif source.url or goproxy:
        for base, username, password, fallback in _proxies(source, goproxy):
            yield "zip", {**place, "url": f"{base}/{MODULE}/@v/{module}.zip", "username": username or "", "password": password or "", "fallback": fallback}
