# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents and archives over http, https and file:// URLs: complete or an error, resumed where they were cut, secrets never shown."""

import base64
import io
import os
import random
import re
import socket
import ssl
import time
from email.utils import mktime_tz, parsedate_tz
from http.client import HTTPException, HTTPResponse, IncompleteRead, responses
from typing import BinaryIO, Callable, Iterator, NamedTuple, NoReturn, Optional
from urllib.error import HTTPError, URLError
from urllib.parse import SplitResult, unquote, urlunsplit
from urllib.request import HTTPSHandler, Request, build_opener

from .model import HttpSettings
from .web import Credentials, FetchError, Proxies, Redirects, login, redact, split, tls_context

_CHUNK = 1 << 20
_LONGEST_WAIT = 60.0  # seconds; also what a Retry-After may ask for at most
_HINTS = {
    401: "Give username and password, or a netrc entry.",
    403: "Is the username or the netrc entry right, and may it read this?",
    407: "Put user:password@ into http_proxy/https_proxy.",
}
_Progress = Optional[Callable[[int, Optional[int]], None]]


class Downloaded(NamedTuple):
    """size: bytes of the document; transferred: bytes that came over the wire in all tries (0 for file://); seconds: with the waits."""

    size: int
    transferred: int
    tries: int
    seconds: float


class _Transient(FetchError):
    """Another try might help, after `wait` seconds at least."""

    wait = 0.0


def get(url: str, settings: HttpSettings, credentials: Optional[Credentials] = None, limit: int = 16 << 20) -> bytes:
    """A small document of at most `limit` bytes. Raises FetchError."""
    target = io.BytesIO()
    _Transfer(url, target, settings, credentials, None, limit).run()
    return target.getvalue()


def download(url: str, target: BinaryIO, settings: HttpSettings, credentials: Optional[Credentials] = None, progress: _Progress = None) -> Downloaded:
    """An archive into `target` (seekable, at 0). progress(bytes so far, bytes in all or None) is called about once in a MiB.

    Raises FetchError for what is wrong with the source; what `target` raises (OSError: disk full) passes through.
    """
    return _Transfer(url, target, settings, credentials, progress).run()


class _Transfer:
    """One document on its way into a file, over as many tries as it takes."""

    def __init__(
        self, url: str, target: BinaryIO, settings: HttpSettings, credentials: Optional[Credentials], progress: _Progress, limit: Optional[int] = None
    ) -> None:
        self.url, self.target, self.settings, self.credentials, self.progress, self.limit = url, target, settings, credentials, progress, limit
        self.archive = limit is None
        self.shown = redact(url)
        self.offset = self.transferred = self.told = 0
        self.total: Optional[int] = None
        self.etag = self.modified = ""
        self.head = b""

    def run(self) -> Downloaded:
        started = time.monotonic()
        parts = split(self.url)
        if parts is None:
            raise FetchError("This cannot be fetched", self.shown)
        tries = 1
        if parts.scheme == "file":
            self._copy(unquote(parts.path))
        else:
            self._prepare(parts)
            while not self._attempt(tries):
                tries += 1
        if self.progress is not None and self.told < self.offset:
            self.progress(self.offset, self.total)
        return Downloaded(self.offset, self.transferred, tries, time.monotonic() - started)

    def _copy(self, path: str) -> None:
        try:
            source = open(path, "rb")  # noqa: SIM115 - reading fails as FetchError, writing as OSError: two scopes
        except OSError as trouble:
            missing = isinstance(trouble, (FileNotFoundError, NotADirectoryError))
            raise FetchError(f"The file cannot be read ({trouble.strerror})", self.shown, not_found=missing) from None
        with source:
            self.total = os.fstat(source.fileno()).st_size
            while True:
                try:
                    piece = source.read(_CHUNK)
                except OSError as trouble:
                    raise FetchError(f"The file cannot be read ({trouble.strerror})", self.shown) from None
                if not piece:
                    return
                self._write(piece)

    def _prepare(self, parts: SplitResult) -> None:
        if self.credentials is None:
            self.credentials = login(parts, self.settings.netrc_path)
        self.plain_url = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment=""))
        self.proxies = Proxies()
        self.via = self.proxies.via(parts)
        self.opener = build_opener(self.proxies, HTTPSHandler(context=tls_context(self.settings.ca_path)), Redirects())

    def _attempt(self, tries: int) -> bool:
        """True when the document is complete, False after the wait before a further try."""
        try:
            with self._open() as response:
                self._begin(response)
                for piece in self._pieces(response):
                    self._write(piece)
            if self.total is not None and self.offset < self.total:
                raise _Transient(f"The answer is truncated ({self.offset} of {self.total} bytes)", self.shown)
            return True
        except _Transient as error:
            if tries > self.settings.retries:
                error.what += f" ({tries} tries)"
                raise
            delay = self.settings.backoff * 2 ** (tries - 1) * random.uniform(0.75, 1.25)
            time.sleep(min(max(delay, error.wait), _LONGEST_WAIT))
            return False

    def _open(self) -> HTTPResponse:
        headers = {"User-Agent": "gohost.linux", "Accept-Encoding": "identity"}
        # RFC 9110 13.1.5: only a strong validator may stand in If-Range; without one the whole is asked again.
        validator = self.etag if self.etag and not self.etag.startswith("W/") else self.modified
        if self.offset and validator:
            headers.update({"Range": f"bytes={self.offset}-", "If-Range": validator})
        try:
            request = Request(self.plain_url, headers=headers)
            if self.credentials is not None:
                token = base64.b64encode("{}:{}".format(*self.credentials).encode()).decode()
                request.add_unredirected_header("Authorization", f"Basic {token}")
            response: HTTPResponse = self.opener.open(request, timeout=self.settings.timeout)
            return response
        except (OSError, HTTPException, ValueError) as trouble:
            self._fail(trouble)

    def _begin(self, response: HTTPResponse) -> None:
        """Set the file to where this answer's body goes."""
        etag, modified = response.headers.get("ETag", ""), response.headers.get("Last-Modified", "")
        if response.status == 206:
            span = re.match(r"bytes (\d+)-\d+/(\d+|\*)$", response.headers.get("Content-Range", ""))
            same = (not etag or etag == self.etag) and (not modified or modified == self.modified)
            if self.offset and span and same and int(span.group(1)) == self.offset and span.group(2) in ("*", str(self.total or span.group(2))):
                self.total = self.total if span.group(2) == "*" else int(span.group(2))
                return
            self._start_over()
            raise _Transient("The server answered with another part than asked", self.shown, status=206)
        if response.status != 200:
            raise self._refused(response.status, "The server", "")
        self._start_over()
        self.total, self.etag, self.modified = response.length, etag, modified
        if self.archive and response.headers.get_content_type() in ("text/html", "application/xhtml+xml"):
            self._web_page()

    def _start_over(self) -> None:
        self.target.seek(0)
        self.target.truncate()
        self.offset = self.told = 0
        self.total, self.etag, self.modified, self.head = None, "", "", b""

    def _pieces(self, response: HTTPResponse) -> Iterator[bytes]:
        while True:
            try:
                piece = response.read1(_CHUNK)  # what came so far: a timeout or a cut loses none of it
            except (OSError, HTTPException) as trouble:
                self._fail(trouble)
            if not piece:
                return
            self.transferred += len(piece)
            yield piece

    def _write(self, piece: bytes) -> None:
        if self.limit is not None and max(self.total or 0, self.offset + len(piece)) > self.limit:
            raise FetchError(f"The answer is larger than {self.limit} bytes", self.shown)
        if self.archive and len(self.head) < 64:
            self.head += piece[:64]
            if self.head.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith((b"<html", b"<!doctype")):
                self._web_page()
        self.target.write(piece)
        self.offset += len(piece)
        if self.progress is not None and self.offset - self.told >= _CHUNK:
            self.progress(self.offset, self.total)
            self.told = self.offset

    def _web_page(self) -> NoReturn:
        raise FetchError("A web page came instead of an archive", self.shown, "Is a proxy or login page in between?", status=200)

    def _fail(self, trouble: BaseException) -> NoReturn:
        """Raise what urllib met as FetchError. Its own texts stay out where they could carry a piece of a URL or of a password."""
        raise self._explained(trouble) from None

    def _explained(self, trouble: BaseException) -> FetchError:
        if isinstance(trouble, HTTPError):
            trouble.close()
            return self._refused(trouble.code, "The server", trouble.headers.get("Retry-After", "") if trouble.headers else "")
        if isinstance(trouble, URLError) and isinstance(trouble.reason, BaseException):
            trouble = trouble.reason
        text = str(trouble)
        tunnel = re.match(r"Tunnel connection failed: (\d{3})", text)
        if tunnel:
            return self._refused(int(tunnel.group(1)), "The proxy", "")
        if isinstance(trouble, ssl.CertificateError) or "CERTIFICATE_VERIFY_FAILED" in text:
            detail = getattr(trouble, "verify_message", "") or text
            hint = "If a private CA signs it, give that CA's PEM file as ca_path."
            return FetchError(f"The server's certificate is not trusted ({detail})", self.shown, hint)
        if isinstance(trouble, (socket.timeout, TimeoutError)):
            return _Transient(f"No byte came for {self.settings.timeout:g} seconds{self.via}", self.shown)
        if isinstance(trouble, socket.gaierror):
            kind = _Transient if trouble.errno == socket.EAI_AGAIN else FetchError
            return kind(f"A host name cannot be resolved{self.via}", self.shown, "Check DNS, and http_proxy/https_proxy.")
        cut = (ConnectionError, IncompleteRead, ssl.SSLEOFError, ssl.SSLZeroReturnError)
        if isinstance(trouble, cut) or "unexpected eof" in text.lower():  # SSLError itself where an old Python meets OpenSSL 3
            reason = "refused" if isinstance(trouble, ConnectionRefusedError) else "cut"
            return _Transient(f"The connection was {reason}{self.via}", self.shown)
        if isinstance(trouble, ssl.SSLError):
            hint = "Does an https server answer there? A private CA's PEM file goes to ca_path."
            return FetchError(f"TLS failed ({trouble.reason})", self.shown, hint)
        if isinstance(trouble, OSError):
            return FetchError(f"The host cannot be reached{self.via} ({trouble.strerror or type(trouble).__name__})", self.shown)
        if isinstance(trouble, ValueError) or type(trouble).__name__ == "InvalidURL":
            return FetchError("The URL is not valid", self.shown)
        return FetchError(f"The answer is not HTTP{self.via}", self.shown)

    def _refused(self, status: int, who: str, retry_after: str) -> FetchError:
        if status == 416 and self.offset:
            self._start_over()
            return _Transient("The server cannot continue the download", self.shown, status=status)
        if status in (301, 302, 303, 307, 308):
            return FetchError("Redirects lead nowhere, in a circle or to a URL that is not http or https", self.shown, status=status)
        what = f"{who} answered with HTTP {status} {responses.get(status, '')}".rstrip()
        if status in (408, 425, 429) or 500 <= status <= 599:
            error = _Transient(what, self.shown, status=status)
            error.wait = _seconds(retry_after)
            return error
        server = who == "The server"
        return FetchError(what, self.shown, _HINTS.get(status) if server or status == 407 else None, status, server and status in (404, 410))


def _seconds(retry_after: str) -> float:
    """A Retry-After header: seconds or a date (RFC 9110 10.2.3)."""
    if re.match(r"\d+$", retry_after):
        return float(retry_after)
    date = parsedate_tz(retry_after)
    return 0.0 if date is None else mktime_tz(date) - time.time()
