# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What go_toolchain decides once for all hosts: exact versions, digests, and with fetch_on=controller the download."""

import datetime
import os
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.gohost.linux.plugins.module_utils.errors import GoHostError
from ansible_collections.gohost.linux.plugins.module_utils.toolchain import archive
from ansible_collections.gohost.linux.plugins.module_utils.toolchain.candidates import check_digest, credentials, first
from ansible_collections.gohost.linux.plugins.module_utils.toolchain.download import download, get
from ansible_collections.gohost.linux.plugins.module_utils.toolchain.model import Candidate, HttpSettings, module_prefix, parse_line, parse_version
from ansible_collections.gohost.linux.plugins.module_utils.toolchain.options import ARGUMENT_SPEC, RULES
from ansible_collections.gohost.linux.plugins.module_utils.toolchain.web import FetchError
from ansible_collections.gohost.linux.plugins.plugin_utils.releases import authority, goproxy, index, official, resolve, sources
from ansible_collections.gohost.linux.plugins.plugin_utils.releases.cache import DownloadCache, default_dir
from ansible_collections.gohost.linux.plugins.plugin_utils.releases.model import Digests, Source
from ansible_collections.gohost.linux.plugins.plugin_utils.releases.sumdb import SumDB

display = Display()
_SHOW_EVERY = 2.0  # seconds between two lines of progress


class ActionModule(ActionBase):
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        options = self.validate_argument_spec(argument_spec=ARGUMENT_SPEC, **RULES)[1]
        try:
            result.update(self._run(_Controller(options), task_vars or {}))
        except GoHostError as error:
            result.update(failed=True, msg=str(error))
        return result

    def _run(self, controller: "_Controller", task_vars: dict[str, Any]) -> dict[str, Any]:
        resolved = controller.resolved()
        result = self._module(resolved, task_vars)
        missing = [] if result.get("failed") else result.get("missing", [])
        left_out: dict[str, list[str]] = {}
        candidates: list[tuple[str, Candidate]] = []
        for version in missing:
            reasons = left_out.setdefault(version, [])
            if controller.options["fetch_on"] == "controller" and not self._task.check_mode:
                found = [self._pushed(*controller.fetched(version, result["arch"], reasons))]
            else:
                found = list(controller.candidates(version, result["arch"], reasons))
            if not found:
                raise sources.nothing(version, result["arch"], reasons)
            candidates += [(version, candidate) for candidate in found]
        if missing and not self._task.check_mode:
            result = self._module(resolved, task_vars, candidates)
            if result.get("failed") and any(left_out.values()):
                result["msg"] += " | Not tried: " + "; ".join(reason for reasons in left_out.values() for reason in reasons)
        for entry in result.get("versions", ()):
            entry["refused"] = left_out.get(entry["version"], []) + entry["refused"]
            entry["lifecycle"] = controller.lifecycle(entry["version"])
        return result

    def _module(self, resolved: dict[str, Any], task_vars: dict[str, Any], candidates: Sequence[tuple[str, Candidate]] = ()) -> dict[str, Any]:
        arguments = {name: value for name, value in self._task.args.items() if name not in ("sources", "checksums")}
        arguments["passwords"] = [candidate.password for _version, candidate in candidates]
        arguments["resolved"] = {
            **resolved,
            "candidates": [{"version": version, **candidate._replace(password="")._asdict()} for version, candidate in candidates],
        }
        found: dict[str, Any] = self._execute_module("gohost.linux.go_toolchain", arguments, task_vars=task_vars)
        return found

    def _pushed(self, candidate: Candidate, path: str) -> Candidate:
        shell = self._connection._shell
        if shell.tmpdir is None:
            self._make_tmp_path()
        remote = shell.join_path(shell.tmpdir, os.path.basename(path))
        self._transfer_file(path, remote)
        self._fixup_perms2((shell.tmpdir, remote), execute=False)
        return candidate._replace(path=remote, username="", password="")


class _Controller:
    """The options, and what is asked of the world for them, once it is needed."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.options = options
        ca_path = options["ca_path"]
        self._settings = HttpSettings(
            timeout=options["timeout"],
            retries=options["retries"],
            ca_path=ca_path if ca_path and (options["fetch_on"] == "controller" or os.path.exists(ca_path)) else None,
        )
        self._checksums = authority.checksums(options["checksums"])
        self._cache = default_dir(os.environ)
        self._index = index.load()
        self._sources: list[Source] | None = None
        self._goproxy: str | None = None
        self._sumdb: SumDB | None = None
        self._official = official.Live(self._get, self._cache)
        if not options["versions"] and not options["rollback_from"]:
            raise GoHostError("nothing is asked for", hint='Set versions, for example to ["stable"], or rollback_from.')

    def resolved(self) -> dict[str, Any]:
        if self.options["check_latest"]:
            found = self._ready()
            live = self._official if any(source.type == "official" for source in found) else None
            self._index = official.check_latest(self._index, self._get, sources.proxy_urls(found, self._goproxy), live)
        exact = self._installed_name if self.options["state"] == "absent" else self._exact
        default = self.options["default"]
        versions = [exact(version) for version in self.options["versions"]]
        default = self._exact(default) if default else ""
        if default and self.options["state"] == "present" and default not in versions:
            raise GoHostError("default is none of the versions", f"{default} is not in {', '.join(versions)}", "Add it to versions.")
        for name in ("keep", "rollback_from"):
            for value in [self.options[name]] if name == "rollback_from" else self.options[name]:
                if value and str(parse_version(value)) != value:
                    raise GoHostError(f"{name} needs an exact version", repr(value), 'For example "1.27.3".')
        return {"versions": list(dict.fromkeys(versions)), "default": default}

    def _exact(self, request: str) -> str:
        return resolve.resolve(request, self._index)

    @staticmethod
    def _installed_name(request: str) -> str:
        if parse_line(request):
            return request.removeprefix("go")
        version = parse_version(request)
        if version is None:
            raise GoHostError("state absent takes exact versions and lines", repr(request), "What stable means differs from day to day; name the version.")
        return str(version)

    def lifecycle(self, version: str) -> dict[str, Any]:
        found = resolve.lifecycle(version, self._index, datetime.datetime.now(datetime.timezone.utc).date())
        if not found.supported and not self.options["allow_eol"]:
            since = f" since {found.eol}" if found.eol else ""
            display.warning(f"Go {version} gets no security fixes{since}; set allow_eol: true if that is meant.")
        return found._asdict()

    def candidates(self, version: str, arch: str, left_out: list[str]) -> Iterator[Candidate]:
        """In the order to try; who vouches for one is asked when it comes to it. left_out gets what cannot be tried, and why."""
        found = self._ready()
        if self._sumdb is None:
            self._sumdb = SumDB(self._get, self._cache, proxies=sources.proxy_urls(found, self._goproxy))

        def digests(form: str) -> Digests:
            return authority.digests(version, arch, form, self._checksums, self._index, self._sumdb, self._official)

        return sources.candidates(version, arch, found, self._goproxy, digests, left_out)

    def fetched(self, version: str, arch: str, left_out: list[str]) -> tuple[Candidate, str]:
        """The first candidate that can be had and verified here, and where its archive lies."""

        def attempt(candidate: Candidate) -> tuple[Candidate, str]:
            return candidate, self._fetch(version, arch, candidate)

        return first(version, arch, self.candidates(version, arch, left_out), attempt, left_out)

    def _fetch(self, version: str, arch: str, candidate: Candidate) -> str:
        def verify(path: str) -> None:
            with open(path, "rb") as source:
                digest = archive.digest(source, candidate.format, module_prefix(version, arch))
            check_digest(candidate, digest)

        if candidate.path:
            if not os.path.isfile(candidate.path):
                raise FetchError("no such file on the controller", candidate.path, not_found=True)
            verify(candidate.path)
            return candidate.path
        name = f"go{version}.linux-{arch}.{candidate.format}"

        def fetch(target: BinaryIO) -> None:
            download(candidate.url, target, self._settings, credentials(candidate), _shown(name))

        return DownloadCache(self._cache / "downloads").obtain(name, candidate.digests, fetch, verify, origin=candidate.url).path

    def _ready(self) -> list[Source]:
        if self._sources is None:
            self._goproxy = goproxy.known(os.environ)
            self._sources = sources.parse(self.options["sources"], self._goproxy)
        return self._sources

    def _get(self, url: str) -> bytes:
        # Small answers that have other ways than this one: who does not give them soon is not waited for.
        return get(url, self._settings._replace(timeout=min(self._settings.timeout, 10.0), retries=min(self._settings.retries, 1)))


def _shown(name: str) -> Callable[[int, int | None], None]:
    """Progress of a download as lines: at the start, every two seconds, and at the end."""
    begin = time.monotonic()
    last = begin - _SHOW_EVERY

    def show(have: int, total: int | None) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _SHOW_EVERY or have == total:
            last = now
            share = f" of {total / 2**20:.1f} MiB ({100 * have // total} %)" if total else " MiB"
            display.display(f"{name}: {have / 2**20:.1f}{share}, {now - begin:.0f} s")

    return show
