# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a URL is reached: credentials, proxies, redirects, certificates; and how it is shown without its secrets."""

import ipaddress
import netrc
import os
import re
import ssl
from typing import Dict, NamedTuple, Optional
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit, urlunsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, getproxies_environment

from ..errors import GoHostError

_SHOWN_QUERY = ("mode", "include")  # of go.dev/dl/?mode=json&include=all; any other value may be a signature or a token


class Credentials(NamedTuple):
    """For Basic authentication."""

    username: str
    password: str


class FetchError(GoHostError):
    """status: the HTTP status, where there is one; not_found: 404, 410 or a missing file."""

    def __init__(self, what: str, value: object = None, hint: Optional[str] = None, status: Optional[int] = None, not_found: bool = False) -> None:
        super().__init__(what, value, hint)
        self.status = status
        self.not_found = not_found


def split(url: str) -> Optional[SplitResult]:
    """None for what cannot be fetched; a malformed port may be a piece of a password."""
    try:
        parts = urlsplit(url)
        local = parts.scheme == "file" and parts.netloc in ("", "localhost") and "%00" not in url
        known = local or (parts.scheme in ("http", "https") and parts.hostname and parts.port != 0)
    except ValueError:
        return None
    return parts if known else None


def redact(url: str) -> str:
    """The URL without user, password and fragment, and with the values of its query masked."""
    parts = split(url)
    if parts is None:
        return "(not a http, https or file URL)"
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    query = "&".join(f"{name}={value if name in _SHOWN_QUERY else '***'}" if value else "***" for name, value in pairs)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, query, ""))


def login(parts: SplitResult, netrc_path: Optional[str]) -> Optional[Credentials]:
    """Those in the URL, else its host's in netrc_path, $NETRC or ~/.netrc; None where there are none."""
    if parts.username is not None:
        return Credentials(unquote(parts.username), unquote(parts.password or ""))
    return _from_netrc(parts.hostname or "", netrc_path)


def _from_netrc(host: str, given: Optional[str]) -> Optional[Credentials]:
    path = given or os.environ.get("NETRC") or os.path.expanduser("~/.netrc")
    if given is None and not os.path.exists(path):
        return None
    try:
        entry = netrc.netrc(path).authenticators(host)
    except (netrc.NetrcParseError, OSError, UnicodeDecodeError):
        raise FetchError("The netrc file cannot be read", path, "Check its permissions and its syntax, or name another one.") from None
    return None if entry is None else Credentials(entry[0] or "", entry[2] or "")


def tls_context(ca_path: Optional[str]) -> ssl.SSLContext:
    context = ssl.create_default_context()
    # Python 3.13 alone also demands what RFC 5280 asks of a CA's extensions; many a company's CA fails that, and works with Go, curl and older Pythons.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if ca_path is not None:
        try:
            context.load_verify_locations(cafile=ca_path)
        except OSError as trouble:
            raise FetchError(f"ca_path is no PEM file of certificates ({trouble.strerror})", ca_path) from None
    return context


class Proxies(ProxyHandler):
    """Those of the environment, with addresses and networks in no_proxy too."""

    def __init__(self) -> None:
        found = getproxies_environment()
        self.no_proxy = found.get("no", "")
        self.used: Dict[str, str] = {scheme: found[scheme] for scheme in ("http", "https") if found.get(scheme)}
        for scheme, proxy in self.used.items():
            parts = split(proxy if "//" in proxy else f"http://{proxy}")
            if parts is None or parts.scheme == "file" or "@" in parts.path + parts.query + parts.fragment:
                hint = "It must read http://[user:password@]host:port, the password %-escaped."
                raise FetchError("A proxy setting of the environment cannot be used", f"{scheme}_proxy", hint)
        super().__init__(self.used)

    def proxy_open(self, req, proxy, type):  # type: ignore[no-untyped-def]
        return None if self._bypassed(urlsplit(req.full_url)) else super().proxy_open(req, proxy, type)

    def via(self, parts: SplitResult) -> str:
        """What a message adds: the proxy's host:port, or nothing."""
        proxy = self.used.get(parts.scheme)
        return "" if proxy is None or self._bypassed(parts) else f" (proxy {proxy.rpartition('@')[2].rpartition('//')[2].rstrip('/')})"

    def _bypassed(self, parts: SplitResult) -> bool:
        host, port = (parts.hostname or "").rstrip("."), parts.port or {"http": 80, "https": 443}[parts.scheme]
        return any(_matches(entry.lower(), host, port) for entry in re.split(r"[,\s]+", self.no_proxy) if entry)


def _matches(entry: str, host: str, port: int) -> bool:
    """One no_proxy entry: *, name, .name, *.name, address, network, each but the networks with :port if wanted."""
    if entry == "*":
        return True
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        pass  # either is a name, or carries a port
    name, _colon, wanted = entry.rpartition(":") if re.search(r"[^:]:\d+$|\]:\d+$", entry) else (entry, "", "")
    name = name.strip("[]").lstrip("*").lstrip(".")
    return bool(name) and (not wanted or int(wanted) == port) and (host == name or host.endswith("." + name))


class Redirects(HTTPRedirectHandler):
    """Follows 308 too (urllib does since 3.11), refuses https to http, and takes credentials along only to the same scheme, host and port."""

    http_error_308 = HTTPRedirectHandler.http_error_302

    def redirect_request(self, req, fp, code, msg, headers, newurl):  # type: ignore[no-untyped-def]
        old, new = urlsplit(req.full_url), split(newurl)
        if new is None or new.scheme == "file" or (old.scheme == "https" and new.scheme == "http"):
            fp.close()
            what = "A redirect leads to what is not http or https" if new is None or new.scheme == "file" else "A redirect from https to http is refused"
            raise FetchError(what, f"{redact(req.full_url)} -> {redact(newurl)}", status=code)
        # ProxyHandler adds the proxy's own password for each request anew; a host that no_proxy names must not get it.
        kept = {name: value for name, value in req.headers.items() if name.lower() != "proxy-authorization"}
        plain = urlunsplit(new._replace(netloc=new.netloc.rpartition("@")[2]))
        request = Request(plain, headers=kept, origin_req_host=req.origin_req_host, unverifiable=True)
        if (old.scheme, old.hostname, old.port) == (new.scheme, new.hostname, new.port) and "Authorization" in req.unredirected_hdrs:
            request.add_unredirected_header("Authorization", req.unredirected_hdrs["Authorization"])
        return request
