# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A web server on loopback that misbehaves as told, over http or https, and is a forward and CONNECT proxy too.

with WebServer() as web:
    web.routes["/a.tar.gz"] = [Answer(b"...", cut=100), Answer(b"...")]
    ... web.url("/a.tar.gz") ... web.count("/a.tar.gz") ... web.seen[0].headers["range"]

python -m tests.fakes.web --root DIR [--port N] [--log FILE] [--tls DIR]   # prints its URL first
"""

import argparse
import base64
import contextlib
import hashlib
import json
import os
import re
import select
import shutil
import socket
import ssl
import subprocess
import threading
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import ThreadingMixIn
from types import TracebackType
from typing import Dict, List, Mapping, NamedTuple, Optional, Tuple, Type
from urllib.parse import unquote, urlsplit

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Answer(NamedTuple):
    """What a route says. A route's answers are taken in turn, the last one for ever.

    cut, stall: after so many bytes of the body the connection is dropped, or nothing more comes; length: another Content-Length than the true one,
    -1 for none; auth: (user, password) it asks for; ranges: False ignores Range; if_range: False honours Range whatever If-Range says;
    content_range: a lie in its place.
    """

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = {}
    etag: str = ""
    cut: Optional[int] = None
    stall: Optional[int] = None
    length: Optional[int] = None
    chunked: bool = False
    auth: Optional[Tuple[str, str]] = None
    ranges: bool = True
    if_range: bool = True
    content_range: str = ""


class Seen(NamedTuple):
    """One request: header names in lower case; proxied: it came with a full URL or CONNECT."""

    method: str
    path: str
    headers: Dict[str, str]
    proxied: bool


class Tls(NamedTuple):
    """PEM files of a private CA and of a server for localhost, 127.0.0.1 and ::1."""

    ca: str
    certificate: str
    key: str


def make_tls(directory: str) -> Tls:
    """Make a private CA and a server's certificate by the openssl command, which must be there (see `openssl_missing`).

    The CA lacks a keyUsage, as those of many companies do: Python 3.13's own strictness would refuse it.
    """
    ca, ca_key, certificate, key, request, extensions = (
        os.path.join(directory, name) for name in ("ca.pem", "ca.key", "server.pem", "server.key", "csr", "ext")
    )
    config = os.path.join(directory, "openssl.cnf")
    with open(config, "w") as file:
        file.write("[req]\ndistinguished_name=dn\n[dn]\n[ca]\nbasicConstraints=critical,CA:true\nsubjectKeyIdentifier=hash\n")
    with open(extensions, "w") as file:
        file.write("subjectAltName=DNS:localhost,IP:127.0.0.1,IP:0:0:0:0:0:0:0:1\nextendedKeyUsage=serverAuth\nauthorityKeyIdentifier=keyid\n")
    new = ["openssl", "req", "-config", config, "-newkey", "rsa:2048", "-nodes"]
    for command in (
        [*new, "-x509", "-days", "2", "-subj", "/CN=a private CA", "-extensions", "ca", "-keyout", ca_key, "-out", ca],
        [*new, "-subj", "/CN=localhost", "-keyout", key, "-out", request],
        ["openssl", "x509", "-req", "-days", "2", "-in", request, "-CA", ca, "-CAkey", ca_key, "-set_serial", "7", "-extfile", extensions, "-out", certificate],
    ):
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return Tls(ca, certificate, key)


def openssl_missing() -> bool:
    return shutil.which("openssl") is None


class WebServer:
    """Started by `with`. routes: path with query → answers; root: a directory served below /; hosts: name → the port on loopback that the proxy takes for it.

    proxy_auth: (user, password) that the proxy asks for; refuse_connect: a status CONNECT is answered with; log: a file that gets a line of JSON per request.
    """

    def __init__(self, root: Optional[str] = None, tls: Optional[Tls] = None, port: int = 0, log: Optional[str] = None) -> None:
        self.root, self.tls, self.log = root, tls, log
        self.routes: Dict[str, List[Answer]] = {}
        self.seen: List[Seen] = []
        self.hosts: Dict[str, int] = {}
        self.proxy_auth: Optional[Tuple[str, str]] = None
        self.refuse_connect: Optional[int] = None
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.web = self
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls.certificate, tls.key)
            self._server.tls = context
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> "WebServer":
        self._thread.start()
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def url(self, path: str = "", host: str = "127.0.0.1", login: str = "") -> str:
        return f"{'http' if self.tls is None else 'https'}://{login + '@' if login else ''}{host}:{self.port}{path}"

    def count(self, path: str) -> int:
        return sum(seen.path == path for seen in self.seen)

    def answer(self, seen: Seen) -> Answer:
        """Note the request and take its answer."""
        with self._lock:
            self.seen.append(seen)
            if self.log is not None:
                with open(self.log, "a") as file:
                    file.write(json.dumps({"method": seen.method, "path": seen.path, "headers": seen.headers}) + "\n")
            answers = self.routes.get(seen.path)
            if answers:
                return answers.pop(0) if len(answers) > 1 else answers[0]
        return self._file(unquote(urlsplit(seen.path).path))

    def _file(self, path: str) -> Answer:
        if self.root is not None:
            root = os.path.realpath(self.root)
            name = os.path.realpath(root + path)
            if name.startswith(root + os.sep) and os.path.isfile(name):
                with open(name, "rb") as file:
                    body = file.read()
                return Answer(body, etag=f'"{hashlib.sha256(body).hexdigest()[:16]}"')
        return Answer(b"not here\n", 404)


class _Server(ThreadingMixIn, HTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    web: WebServer
    tls: Optional[ssl.SSLContext] = None

    def handle_error(self, request: object, client_address: object) -> None:
        """Dropped connections are this server's business: no traceback."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        if self.server.tls is not None:
            self.request.settimeout(5)  # the handshake is made in this connection's thread, so that a client that breaks it off holds up nobody
            self.request = self.server.tls.wrap_socket(self.request, server_side=True)
            self.request.settimeout(None)
        super().setup()

    def finish(self) -> None:
        super().finish()
        if self.server.tls is not None:
            self.request.close()  # socketserver closes the plain one only

    def log_message(self, format: str, *args: object) -> None:
        """Requests are in `seen` and the log file."""

    def do_GET(self) -> None:
        self.close_connection = True
        web, proxied = self.server.web, "://" in self.path
        answer = web.answer(Seen(self.command, self.path, {name.lower(): value for name, value in self.headers.items()}, proxied))
        if proxied and not web.routes.get(self.path):
            if self._let_through():
                self._forward()
        elif answer.auth is not None and self.headers.get("Authorization") != _basic(answer.auth):
            self._send(Answer(b"who are you?\n", 401, {"WWW-Authenticate": "Basic"}))
        else:
            self._send(answer)

    do_HEAD = do_GET

    def do_CONNECT(self) -> None:
        self.close_connection = True
        web = self.server.web
        web.answer(Seen("CONNECT", self.path, {name.lower(): value for name, value in self.headers.items()}, True))
        if web.refuse_connect is not None:
            self._send(Answer(b"", web.refuse_connect))
        elif self._let_through():
            address = self._resolve(self.path)
            if address is not None:
                with socket.create_connection(address) as other:
                    self.send_response(200)
                    self.end_headers()
                    self._tunnel(other)

    def _let_through(self) -> bool:
        wanted = self.server.web.proxy_auth
        if wanted is None or self.headers.get("Proxy-Authorization") == _basic(wanted):
            return True
        self._send(Answer(b"", 407, {"Proxy-Authenticate": "Basic"}))
        return False

    def _resolve(self, authority: str) -> Optional[Tuple[str, int]]:
        """Loopback only: another name is answered with 502."""
        name, _colon, port = authority.rpartition(":") if re.search(r":\d+$", authority) else (authority, "", "80")
        if name in self.server.web.hosts:
            return "127.0.0.1", self.server.web.hosts[name]
        if name in _LOOPBACK:
            return name, int(port)
        self._send(Answer(b"", 502))
        return None

    def _forward(self) -> None:
        parts = urlsplit(self.path)
        address = self._resolve(parts.netloc)
        if address is None:
            return
        other = HTTPConnection(*address)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        hop = ("proxy-authorization", "connection")
        other.request(self.command, target, headers={name: value for name, value in self.headers.items() if name.lower() not in hop})
        response = other.getresponse()
        body = response.read()
        kept = {
            name: value for name, value in response.getheaders() if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server")
        }
        self._send(Answer(body, response.status, kept, ranges=False))
        other.close()

    def _tunnel(self, other: socket.socket) -> None:
        ends = {self.connection: other, other: self.connection}
        while not self.server.web.closing.is_set():
            for ready in select.select(list(ends), [], [], 0.1)[0]:
                data = ready.recv(1 << 16)
                if not data:
                    return
                ends[ready].sendall(data)

    def _send(self, answer: Answer) -> None:
        body, status, headers = answer.body, answer.status, dict(answer.headers)
        if answer.etag:
            headers["ETag"] = answer.etag
        if answer.ranges and status == 200:
            headers["Accept-Ranges"] = "bytes"
            span = re.match(r"bytes=(\d+)-$", self.headers.get("Range", ""))
            validators = (answer.etag, answer.headers.get("Last-Modified", ""))
            if span and (not answer.if_range or self.headers.get("If-Range", answer.etag) in validators):
                start = int(span.group(1))
                headers["Content-Range"] = answer.content_range or f"bytes {start}-{len(body) - 1}/{len(body)}"
                body, status = body[start:], 206
                if not body:
                    status, headers["Content-Range"] = 416, f"bytes */{len(answer.body)}"
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if answer.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif answer.length != -1:
            self.send_header("Content-Length", str(len(body) if answer.length is None else answer.length))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command == "HEAD":
            return
        stop = answer.cut if answer.cut is not None else answer.stall
        part = body if stop is None else body[:stop]
        if answer.chunked:
            part = b"".join(b"%x\r\n%s\r\n" % (len(part[at : at + 1000]), part[at : at + 1000]) for at in range(0, len(part), 1000))
            part += b"" if stop is not None else b"0\r\n\r\n"
        self.wfile.write(part)
        self.wfile.flush()
        if answer.stall is not None:
            self.server.web.closing.wait(20)


def _basic(login: Tuple[str, str]) -> str:
    return "Basic " + base64.b64encode("{}:{}".format(*login).encode()).decode()


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve a directory on loopback until a signal comes.")
    parser.add_argument("--root", required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--log", help="a line of JSON per request")
    parser.add_argument("--tls", metavar="DIR", help="speak https; the private CA is made as DIR/ca.pem")
    options = parser.parse_args()
    with WebServer(options.root, make_tls(options.tls) if options.tls else None, options.port, options.log) as web:
        print(web.url("/"), flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
