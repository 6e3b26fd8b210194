# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""GOPROXY as the go command reads it (golang/go:src/cmd/go/internal/modfetch/proxy.go)."""

import re
import subprocess
from collections.abc import Callable, Mapping
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from ...module_utils.errors import GoHostError
from .model import Proxy

# Where golang.org/toolchain comes from when the go command asks its origin: the go-import tag of golang.org/toolchain says so.
DIRECT = "https://go.dev/dl/mod"


def parse(text: str) -> list[Proxy]:
    """The proxies in the order they are tried; `direct` is the module's origin and ends the list, as `off` does.

    A comma lets the next one answer after 404 and 410 only, a pipe after any failure. GoHostError for what is no URL.
    """
    proxies: list[Proxy] = []
    some = False
    for entry, separator in re.findall(r"([^,|]*)([,|]?)", text):
        entry = entry.strip()
        if not entry:
            continue
        some = True
        if entry == "off":
            break
        fallback = "always" if separator == "|" else "not_found"
        if entry == "direct":
            proxies.append(Proxy(DIRECT, fallback))
            break
        proxies.append(Proxy(_checked(entry), fallback))
    if not some:
        raise GoHostError("GOPROXY names no proxy", repr(text), "Set it to a URL, to direct, or to off.")
    return proxies


def _checked(entry: str) -> str:
    # One word is kept for the go command's own use; a name with a dot, a colon or a slash is a host.
    url = f"https://{entry}" if re.search(r"[.:/]", entry) and ":/" not in entry and not entry.startswith("/") else entry
    shown = "(not shown: it has a user's name in it)" if "@" in url else repr(entry)
    try:
        parts = urlsplit(url)
        usable = not re.search(r"\s", url) and parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        raise GoHostError("GOPROXY has an entry that is no URL", shown) from None
    if parts.scheme == "file" and parts.path.startswith("/") and not (parts.netloc or parts.query or parts.fragment):
        return "file://" + parts.path.rstrip("/")
    if not usable:
        raise GoHostError("GOPROXY has an entry that is no URL", shown, "It must begin with https://, http:// or file:/// and name a host or a directory.")
    return url.rstrip("/")


def known(environ: Mapping[str, str], run_go_env: Callable[[Mapping[str, str]], str | None] | None = None) -> str | None:
    """The controller's GOPROXY: its environment, else what `go env` says, else None."""
    return environ.get("GOPROXY") or (run_go_env or go_env)(environ) or None


def go_env(environ: Mapping[str, str]) -> str | None:
    """`go env GOPROXY`, where there is a go; outside of any module, so that none makes it fetch another toolchain."""
    try:
        done = subprocess.run(
            ["go", "env", "GOPROXY"],
            cwd="/",
            env={**environ, "GOTOOLCHAIN": "local", "GOWORK": "off"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", "replace").strip() or None


def escape(text: str) -> str:
    """A module path or version as it stands in a proxy's URLs: "!a" for "A" (golang/mod:module/module.go)."""
    if not re.fullmatch(r"[A-Za-z0-9._~+/-]+", text) or any(element in ("", ".", "..") for element in text.split("/")):
        raise GoHostError("not a module path or version", repr(text))
    return re.sub(r"[A-Z]", lambda letter: "!" + letter.group().lower(), text)


def split_credentials(url: str) -> tuple[str, str | None, str | None]:
    """A URL without its user:password@, the user's name and the password."""
    parts = urlsplit(url)
    if parts.username is None:
        return url, None, None
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=host)), unquote(parts.username), unquote(parts.password or "")


def join_credentials(url: str, username: str | None, password: str | None) -> str:
    """The other way round, for a `get` that takes nothing but a URL."""
    if not username:
        return url
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{quote(username, safe='')}:{quote(password or '', safe='')}@{parts.netloc}"))
