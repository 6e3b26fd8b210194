# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
import base64
import errno
import io
import os
import socket
import ssl
import subprocess
import sys
import time
from email.utils import formatdate
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple
from urllib.parse import urlsplit

import pytest

from ansible_collections.gohost.linux.plugins.module_utils.errors import GoHostError
from ansible_collections.gohost.linux.plugins.module_utils.toolchain import web as room
from ansible_collections.gohost.linux.plugins.module_utils.toolchain.download import Downloaded, download, get
from ansible_collections.gohost.linux.plugins.module_utils.toolchain.model import HttpSettings
from ansible_collections.gohost.linux.plugins.module_utils.toolchain.web import Credentials, FetchError, redact
from tests.fakes.web import Answer, Tls, WebServer, make_tls, openssl_missing

FAST = HttpSettings(timeout=5, retries=2, backoff=0.001)
BODY = bytes(range(256)) * 12_000  # 3 MB: more than one piece
LOGIN = ("jo", "s3cret:@/ü")
BASIC = "Basic " + base64.b64encode("{}:{}".format(*LOGIN).encode()).decode()
NO_PAGE = {"Content-Type": "application/octet-stream"}


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name in ("NETRC", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUEST_METHOD"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def web() -> Iterator[WebServer]:
    with WebServer() as server:
        yield server


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    if openssl_missing():
        pytest.skip("the openssl command, which makes a private CA, is missing")
    return make_tls(str(tmp_path_factory.mktemp("tls")))


@pytest.fixture
def secure(tls: Tls) -> Iterator[WebServer]:
    with WebServer(tls=tls) as server:
        yield server


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> List[float]:
    slept: List[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    return slept


def fetched(url: str, settings: HttpSettings = FAST, credentials: Optional[Credentials] = None) -> Tuple[bytes, Downloaded]:
    target = io.BytesIO()
    done = download(url, target, settings, credentials)
    assert done.size == len(target.getvalue())
    return target.getvalue(), done


def equal(one: bytes, other: bytes) -> bool:
    """A plain `assert one == other` of megabytes keeps pytest busy for minutes to show the difference."""
    return one == other


def refused(url: str, settings: HttpSettings = FAST, credentials: Optional[Credentials] = None) -> FetchError:
    with pytest.raises(FetchError) as caught:
        download(url, io.BytesIO(), settings, credentials)
    assert "s3cret" not in str(caught.value)
    assert "\n" not in str(caught.value)
    return caught.value


def test_whole_file(web: WebServer) -> None:
    web.routes["/a"] = [Answer(BODY)]
    told: List[Tuple[int, Optional[int]]] = []
    target = io.BytesIO()
    done = download(web.url("/a"), target, FAST, progress=lambda so_far, total: told.append((so_far, total)))
    assert equal(target.getvalue(), BODY)
    assert (done.size, done.transferred, done.tries) == (len(BODY), len(BODY), 1)
    assert done.seconds > 0
    assert told[-1] == (len(BODY), len(BODY))
    assert 2 <= len(told) <= 4
    assert [so_far for so_far, _total in told] == sorted({so_far for so_far, _total in told})
    headers = web.seen[0].headers
    assert headers["user-agent"] == "gohost.linux"
    assert headers["accept-encoding"] == "identity"
    assert "range" not in headers
    assert "authorization" not in headers


@pytest.mark.parametrize("answer", [Answer(BODY, chunked=True), Answer(BODY, length=-1), Answer(b""), Answer(b"", chunked=True)])
def test_bodies_without_known_length_and_empty_ones(web: WebServer, answer: Answer) -> None:
    web.routes["/a"] = [answer]
    assert equal(fetched(web.url("/a"))[0], answer.body)


def test_content_encoding_is_not_applied(web: WebServer) -> None:
    web.routes["/a.tar.gz"] = [Answer(b"\x1f\x8b raw", headers={"Content-Encoding": "gzip"})]
    assert fetched(web.url("/a.tar.gz"))[0] == b"\x1f\x8b raw"


# --- cut, truncated, resumed ---

MODIFIED = {"Last-Modified": "Wed, 01 Jan 2025 00:00:00 GMT"}
CUT = 2_000_000


@pytest.mark.parametrize(
    ("first", "second", "if_range"),
    [
        (Answer(BODY, etag='"1"', cut=CUT), Answer(BODY, etag='"1"'), '"1"'),
        (Answer(BODY, headers=MODIFIED, cut=CUT), Answer(BODY, headers=MODIFIED), MODIFIED["Last-Modified"]),
        (Answer(BODY, headers=MODIFIED, etag='W/"1"', cut=CUT), Answer(BODY, headers=MODIFIED, etag='W/"1"'), MODIFIED["Last-Modified"]),
        (Answer(BODY, etag='"1"', chunked=True, cut=CUT), Answer(BODY, etag='"1"'), '"1"'),
    ],
    ids=["etag", "last-modified", "weak etag", "chunked"],
)
def test_a_cut_download_is_resumed(web: WebServer, first: Answer, second: Answer, if_range: str) -> None:
    web.routes["/a"] = [first, second]
    body, done = fetched(web.url("/a"))
    assert equal(body, BODY)
    assert (done.transferred, done.tries) == (len(BODY), 2)
    assert web.seen[1].headers["range"] == f"bytes={CUT}-"
    assert web.seen[1].headers["if-range"] == if_range


def test_resumed_more_than_once(web: WebServer) -> None:
    web.routes["/a"] = [Answer(BODY, etag='"1"', cut=CUT), Answer(BODY, etag='"1"', cut=500_000), Answer(BODY, etag='"1"')]
    body, done = fetched(web.url("/a"))
    assert equal(body, BODY)
    assert (done.transferred, done.tries) == (len(BODY), 3)
    assert web.seen[2].headers["range"] == f"bytes={CUT + 500_000}-"


OTHER = BODY[::-1][:1_500_000]


@pytest.mark.parametrize(
    ("answers", "tries"),
    [
        ([Answer(BODY, cut=CUT), Answer(OTHER)], 2),
        ([Answer(BODY, etag='"1"', cut=CUT), Answer(OTHER, etag='"1"', ranges=False)], 2),
        ([Answer(BODY, etag='"1"', cut=CUT), Answer(OTHER, etag='"2"')], 2),
        ([Answer(BODY[: len(OTHER)], etag='"1"', cut=1_000_000), Answer(OTHER, etag='"2"', if_range=False), Answer(OTHER, etag='"2"')], 3),
        ([Answer(BODY, etag='"1"', cut=CUT), Answer(BODY, etag='"1"', content_range=f"bytes 5-9/{len(BODY)}"), Answer(OTHER)], 3),
        ([Answer(BODY, etag='"1"', cut=CUT), Answer(BODY, etag='"1"', content_range=f"bytes {CUT}-{CUT + 9}/99"), Answer(OTHER)], 3),
        ([Answer(BODY, etag='"1"', cut=CUT), Answer(BODY, etag='"1"', content_range="nonsense"), Answer(OTHER)], 3),
        ([Answer(BODY, etag='"1"', cut=CUT), Answer(BODY[:CUT], etag='"1"'), Answer(OTHER)], 3),
        ([Answer(BODY, 206, headers={"Content-Range": "bytes 0-9/10"}), Answer(OTHER)], 2),
    ],
    ids=["no validator", "no ranges", "changed", "changed, If-Range ignored", "other start", "other total", "no Content-Range", "416", "206 unasked"],
)
def test_what_cannot_be_resumed_starts_over(web: WebServer, answers: List[Answer], tries: int) -> None:
    asked_to_resume = tries == 2 and bool(answers[0].etag)
    web.routes["/a"] = answers
    body, done = fetched(web.url("/a"))
    assert equal(body, OTHER)
    assert done.tries == tries
    assert ("range" in web.seen[-1].headers) is asked_to_resume


def test_always_truncated_is_an_error(web: WebServer) -> None:
    web.routes["/a"] = [Answer(b"x" * 90, length=100)]
    error = refused(web.url("/a"))
    assert "truncated (90 of 100 bytes) (3 tries)" in str(error)
    assert web.count("/a") == 3


def test_more_than_content_length_is_not_read(web: WebServer) -> None:
    web.routes["/a"] = [Answer(BODY, length=CUT)]
    assert equal(fetched(web.url("/a"))[0], BODY[:CUT])


def test_a_connection_left_open_after_the_body_is_not_waited_for(web: WebServer) -> None:
    web.routes["/a"] = [Answer(BODY, stall=len(BODY))]
    assert fetched(web.url("/a"), FAST._replace(timeout=0.5))[1].tries == 1


def test_a_stalled_body_times_out_and_is_resumed(web: WebServer) -> None:
    web.routes["/a"] = [Answer(BODY, etag='"1"', stall=CUT), Answer(BODY, etag='"1"')]
    body, done = fetched(web.url("/a"), FAST._replace(timeout=0.3))
    assert equal(body, BODY)
    assert (done.transferred, done.tries) == (len(BODY), 2)


# --- tries ---


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_transient_statuses_are_tried_again(web: WebServer, waits: List[float], status: int) -> None:
    web.routes["/a"] = [Answer(b"sorry", status), Answer(BODY)]
    assert fetched(web.url("/a"))[1].tries == 2
    assert len(waits) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 407, 410, 416, 451])
def test_other_statuses_are_not(web: WebServer, waits: List[float], status: int) -> None:
    web.routes["/a?token=s3cret"] = [Answer(b"no", status)]
    error = refused(web.url("/a?token=s3cret"))
    assert f"HTTP {status}" in str(error)
    assert error.status == status
    assert error.not_found == (status in (404, 410))
    assert len(web.seen) == 1
    assert waits == []
    with pytest.raises(FetchError, match=f"HTTP {status}"):
        get(web.url("/a?token=s3cret"), FAST)


def test_backoff_doubles_with_jitter(web: WebServer, waits: List[float]) -> None:
    web.routes["/a"] = [Answer(b"", 500)]
    error = refused(web.url("/a"), HttpSettings(timeout=5))
    assert error.status == 500
    assert not error.not_found
    assert "(5 tries)" in str(error)
    assert web.count("/a") == 5
    for wait, middle in zip(waits, (1, 2, 4, 8)):
        assert 0.75 * middle <= wait <= 1.25 * middle
    assert len(waits) == 4
    assert waits != [1, 2, 4, 8]


def test_no_retries(web: WebServer, waits: List[float]) -> None:
    web.routes["/a"] = [Answer(b"", 503)]
    refused(web.url("/a"), FAST._replace(retries=0))
    assert waits == []


def test_retry_after_is_honoured_and_capped(web: WebServer, waits: List[float]) -> None:
    in_20 = formatdate(time.time() + 20, usegmt=True)
    answers = [Answer(b"", 429, {"Retry-After": value}) for value in ("7", "86400", in_20, "soon", formatdate(1, usegmt=True))]
    web.routes["/a"] = [*answers, Answer(BODY)]
    assert fetched(web.url("/a"), FAST._replace(retries=5))[1].tries == 6
    assert waits[0] == 7
    assert waits[1] == 60
    assert 17 < waits[2] <= 20
    assert max(waits[3:]) < 0.1


def test_a_refused_connection_is_tried_again(waits: List[float]) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        error = refused(f"http://127.0.0.1:{closed.getsockname()[1]}/a")
    assert "refused" in str(error)
    assert len(waits) == 2


@pytest.mark.parametrize(("answer", "count"), [(b"", 2), (b"HTTP/1.1 200 OK\r\nContent-Le", 2), (b"220 smtp ready\r\n", 0)])
def test_connections_that_answer_nothing_or_nonsense(waits: List[float], answer: bytes, count: int) -> None:
    # A cut amid the headers looks to http.client like headers that end: no length, an empty body. Only a Content-Length shows what is missing.
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(5)
        code = (
            "import socket,sys\ns=socket.socket(fileno=int(sys.argv[1]))\nwhile 1:\n c=s.accept()[0]; c.recv(9999); c.sendall(sys.argv[2].encode()); c.close()"
        )
        child = subprocess.Popen([sys.executable, "-c", code, str(listener.fileno()), answer.decode()], pass_fds=[listener.fileno()])
        try:
            if answer.startswith(b"HTTP"):
                assert fetched(f"http://127.0.0.1:{listener.getsockname()[1]}/a")[0] == b""
            else:
                error = refused(f"http://127.0.0.1:{listener.getsockname()[1]}/a")
                assert ("cut" if count else "not HTTP") in str(error)
                assert len(waits) == count
        finally:
            child.kill()
            child.wait()


@pytest.mark.parametrize(("code", "count"), [(socket.EAI_NONAME, 0), (socket.EAI_AGAIN, 2)])
def test_unknown_names_are_not_tried_again(monkeypatch: pytest.MonkeyPatch, waits: List[float], code: int, count: int) -> None:
    def fail(*_args: Any, **_named: Any) -> None:
        raise socket.gaierror(code, "no such name")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    error = refused("http://u:s3cret@nowhere.example.test/a")
    assert "name cannot be resolved" in str(error)
    assert "http://nowhere.example.test/a" in str(error)
    assert len(waits) == count


def test_no_route_is_said_at_once(monkeypatch: pytest.MonkeyPatch, waits: List[float]) -> None:
    def fail(*_args: Any, **_named: Any) -> None:
        raise OSError(errno.ENETUNREACH, "Network is unreachable")

    monkeypatch.setattr(socket, "create_connection", fail)
    assert "Network is unreachable" in str(refused("http://host.example.test/a"))
    assert waits == []


# --- what comes instead ---


@pytest.mark.parametrize(
    "answer",
    [
        Answer(b"hello", headers={"Content-Type": "text/html; charset=utf-8"}),
        Answer(b"\xef\xbb\xbf \r\n<!DOCTYPE html><p>log in", headers=NO_PAGE),
        Answer(b"<HTML><body>", headers=NO_PAGE),
    ],
)
def test_a_web_page_is_no_archive(web: WebServer, waits: List[float], answer: Answer) -> None:
    web.routes["/a.zip"] = [answer]
    error = refused(web.url("/a.zip"))
    assert "A web page came instead of an archive" in str(error)
    assert "login page" in str(error)
    assert error.status == 200
    assert waits == []
    assert equal(get(web.url("/a.zip"), FAST), answer.body)


@pytest.mark.parametrize("answer", [Answer(b"x" * 101), Answer(b"x" * 101, chunked=True)])
def test_get_has_a_limit(web: WebServer, answer: Answer) -> None:
    web.routes["/a"] = [answer]
    assert equal(get(web.url("/a"), FAST, limit=101), answer.body)
    with pytest.raises(FetchError, match="larger than 100 bytes"):
        get(web.url("/a"), FAST, limit=100)


def test_a_full_disk_is_the_caller_s(web: WebServer) -> None:
    class Full(io.BytesIO):
        def write(self, _data: Any) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    web.routes["/a"] = [Answer(BODY)]
    with pytest.raises(OSError) as caught:
        download(web.url("/a"), Full(), FAST)
    assert caught.value.errno == errno.ENOSPC
    assert web.count("/a") == 1


# --- redirects ---


def test_redirects_are_followed_and_resumed(web: WebServer) -> None:
    for status in (301, 302, 303, 307, 308):
        web.routes["/a"] = [Answer(b"", status, {"Location": "/b"})]
        web.routes["/b"] = [Answer(BODY, etag='"1"', cut=CUT), Answer(BODY, etag='"1"')]
        body, done = fetched(web.url("/a"))
        assert equal(body, BODY)
        assert done.transferred == len(BODY)


def test_credentials_stay_with_their_origin(web: WebServer) -> None:
    web.routes["/a"] = [Answer(b"", 302, {"Location": "/same"})]
    web.routes["/same"] = [Answer(b"", 302, {"Location": web.url("/other", host="localhost")}, auth=LOGIN)]
    web.routes["/other"] = [Answer(BODY)]
    assert equal(fetched(web.url("/a"), credentials=Credentials(*LOGIN))[0], BODY)
    assert [seen.headers.get("authorization") for seen in web.seen] == [BASIC, BASIC, None]


def test_a_netrc_default_is_not_asked_for_a_redirect(web: WebServer, tmp_path: Path) -> None:
    write_netrc(tmp_path / ".netrc", "default login jo password s3cret\n")
    web.routes["/a"] = [Answer(b"", 302, {"Location": web.url("/other", host="localhost", login="eve:pw")})]
    web.routes["/other"] = [Answer(BODY)]
    fetched(web.url("/a"))
    assert "authorization" in web.seen[0].headers
    assert "authorization" not in web.seen[1].headers


def test_redirects_that_lead_nowhere(web: WebServer, waits: List[float]) -> None:
    web.routes["/a"] = [Answer(b"", 302, {"Location": "/a"})]
    web.routes["/n"] = [Answer(b"", 302)]
    for path in ("/a", "/n"):
        error = refused(web.url(path))
        assert "Redirects lead nowhere" in str(error)
        assert error.status == 302
    assert len(web.seen) < 20
    assert waits == []


@pytest.mark.parametrize("where", ["file:///etc/passwd", "ftp://127.0.0.1/a", "http://u:s3cret@127.0.0.1:s3cret/"])
def test_redirects_to_what_is_not_http(web: WebServer, waits: List[float], where: str) -> None:
    web.routes["/a"] = [Answer(b"", 302, {"Location": where})]
    error = refused(web.url("/a"))
    assert "redirect" in str(error).lower()
    assert error.status == 302
    assert waits == []


def test_https_does_not_lead_to_http(secure: WebServer, web: WebServer, tls: Tls) -> None:
    web.routes["/a"] = [Answer(BODY)]
    secure.routes["/a"] = [Answer(b"", 302, {"Location": web.url("/a")})]
    assert "from https to http is refused" in str(refused(secure.url("/a"), FAST._replace(ca_path=tls.ca)))
    assert web.seen == []
    secure.routes["/b"] = [Answer(BODY)]
    web.routes["/b"] = [Answer(b"", 302, {"Location": secure.url("/b")})]
    assert equal(fetched(web.url("/b"), FAST._replace(ca_path=tls.ca))[0], BODY)


# --- TLS ---


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_private_ca(secure: WebServer, tls: Tls, host: str) -> None:
    secure.routes["/a"] = [Answer(BODY, etag='"1"', cut=CUT), Answer(BODY, etag='"1"')]
    body, done = fetched(secure.url("/a", host), FAST._replace(ca_path=tls.ca))
    assert equal(body, BODY)
    assert (done.transferred, done.tries) == (len(BODY), 2)


def test_ssl_cert_file(secure: WebServer, tls: Tls, monkeypatch: pytest.MonkeyPatch) -> None:
    secure.routes["/a"] = [Answer(BODY)]
    monkeypatch.setenv("SSL_CERT_FILE", tls.ca)
    assert equal(fetched(secure.url("/a"))[0], BODY)


def test_an_unknown_ca_is_refused_at_once(secure: WebServer, waits: List[float]) -> None:
    error = refused(secure.url("/a"))
    assert "not trusted" in str(error)
    assert "ca_path" in str(error)
    assert secure.seen == []
    assert waits == []


def test_another_host_s_certificate_is_refused_at_once(secure: WebServer, tls: Tls, waits: List[float], monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _host, *args, **named: real("127.0.0.1", *args, **named))
    error = refused(f"https://other.example.test:{secure.port}/a", FAST._replace(ca_path=tls.ca))
    assert "other.example.test" in str(error)
    assert "not trusted" in str(error)
    assert waits == []


def test_http_where_https_is_asked(web: WebServer, waits: List[float]) -> None:
    assert "TLS failed" in str(refused(web.url("/a").replace("http:", "https:")))
    assert waits == []


def test_a_bad_ca_path(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("nothing")
    for name in ("empty.pem", "missing.pem"):
        error = refused("https://127.0.0.1/a", FAST._replace(ca_path=str(tmp_path / name)))
        assert "ca_path" in str(error)
        assert name in str(error)


def test_certificates_are_always_verified() -> None:
    context = room.tls_context(None)
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname


# --- credentials ---


def write_netrc(path: Path, text: str) -> str:
    path.write_text(text)
    path.chmod(0o600)
    return str(path)


def test_basic_authentication_by_each_way(web: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    web.routes["/a"] = [Answer(BODY, auth=LOGIN)]
    error = refused(web.url("/a"))
    assert error.status == 401
    assert "netrc" in str(error)
    fetched(web.url("/a", login="jo:s3cret%3A%40%2F%C3%BC"))
    fetched(web.url("/a"), credentials=Credentials(*LOGIN))
    web.routes["/a"] = [Answer(BODY, auth=("jo", "plain"))]
    mine = write_netrc(tmp_path / "mine", "machine 127.0.0.1 login jo password plain\n")
    fetched(web.url("/a"), FAST._replace(netrc_path=mine))
    monkeypatch.setenv("NETRC", mine)
    fetched(web.url("/a"))
    monkeypatch.delenv("NETRC")
    os.rename(mine, str(tmp_path / ".netrc"))
    fetched(web.url("/a"))


def test_which_credentials_win(web: WebServer, tmp_path: Path) -> None:
    write_netrc(tmp_path / ".netrc", "machine 127.0.0.1 login n password n\n")
    web.routes["/a"] = [Answer(BODY, auth=("u", "u"))]
    fetched(web.url("/a", login="u:u"))
    web.routes["/a"] = [Answer(BODY, auth=("c", "c"))]
    fetched(web.url("/a", login="u:u"), credentials=Credentials("c", "c"))


def test_a_bad_netrc_is_named_and_not_shown(web: WebServer, tmp_path: Path) -> None:
    bad = write_netrc(tmp_path / "bad", "machine h login jo s3cret s3cret\n")
    for path in (bad, str(tmp_path / "missing")):
        error = refused(web.url("/a"), FAST._replace(netrc_path=path))
        assert path in str(error)
    assert web.seen == []


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://jo:s3cret@h.test:8/a/@v/b.zip", "https://h.test:8/a/@v/b.zip"),
        ("https://s3cret@h.test/a", "https://h.test/a"),
        ("https://jo:s3@cret@h.test/a", "https://h.test/a"),
        ("https://h.test/a?X-Sig=s3cret&mode=json#s3cret", "https://h.test/a?X-Sig=***&mode=json"),
        ("https://h.test/a?s3cret", "https://h.test/a?***"),
        ("https://go.dev/dl/?mode=json&include=all", "https://go.dev/dl/?mode=json&include=all"),
        ("file:///a/b.zip", "file:///a/b.zip"),
        ("http://jo:s3cret/x@h.test/", "(not a http, https or file URL)"),
        ("jo:s3cret@h.test:80", "(not a http, https or file URL)"),
        ("http://[s3cret", "(not a http, https or file URL)"),
    ],
)
def test_redact(url: str, shown: str) -> None:
    assert redact(url) == shown


@pytest.mark.parametrize("url", ["", "a/b", "ftp://h/a", "http://", "http://h:s3cret/", "file://other/a", "file:///a%00b", "http://h/a\x7f \n", "http://h/ü"])
def test_urls_that_cannot_be_fetched(url: str, waits: List[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "create_connection", lambda *_args, **_named: pytest.fail("no connection is wanted"))
    assert isinstance(refused(url), GoHostError)
    assert waits == []


# --- proxies ---


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY"])
def test_a_forward_proxy(web: WebServer, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    with WebServer() as proxy:
        proxy.hosts["mirror.example.test"] = web.port
        proxy.proxy_auth = LOGIN
        web.routes["/a"] = [Answer(BODY)]
        monkeypatch.setenv(name, proxy.url(login="jo:s3cret%3A%40%2F%C3%BC"))
        assert equal(fetched("http://mirror.example.test/a")[0], BODY)
        assert proxy.seen[0].proxied
        assert proxy.seen[0].headers["proxy-authorization"] == BASIC
        assert "proxy-authorization" not in web.seen[0].headers
        monkeypatch.setenv(name, proxy.url(login="jo:s3cret"))
        error = refused("http://mirror.example.test/a")
        assert error.status == 407
        assert "http_proxy" in str(error)


def test_a_connect_proxy(secure: WebServer, tls: Tls, monkeypatch: pytest.MonkeyPatch, waits: List[float]) -> None:
    trusting = FAST._replace(ca_path=tls.ca)
    with WebServer() as proxy:
        proxy.proxy_auth = LOGIN
        secure.routes["/a"] = [Answer(BODY, auth=("me", "too"))]
        monkeypatch.setenv("https_proxy", proxy.url(login="jo:s3cret%3A%40%2F%C3%BC"))
        assert equal(fetched(secure.url("/a", "localhost", "me:too"), trusting)[0], BODY)
        assert (proxy.seen[0].method, proxy.seen[0].path) == ("CONNECT", f"localhost:{secure.port}")
        assert "authorization" not in proxy.seen[0].headers
        assert "proxy-authorization" not in secure.seen[0].headers
        proxy.refuse_connect = 404
        error = refused(secure.url("/a"), trusting)
        assert "The proxy answered with HTTP 404" in str(error)
        assert not error.not_found
        proxy.refuse_connect = 407
        assert "http_proxy" in str(refused(secure.url("/a"), trusting))
        assert waits == []
        proxy.refuse_connect = 503
        assert refused(secure.url("/a"), trusting).status == 503
        assert len(waits) == 2


def test_the_proxy_s_password_does_not_follow_a_redirect_past_it(web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with WebServer() as proxy:
        proxy.hosts["mirror.example.test"] = web.port
        monkeypatch.setenv("http_proxy", proxy.url(login="jo:s3cret"))
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        web.routes["/a"] = [Answer(b"", 302, {"Location": web.url("/b")})]
        web.routes["/b"] = [Answer(BODY)]
        assert equal(fetched("http://mirror.example.test/a")[0], BODY)
        assert len(proxy.seen) == 1
        assert "proxy-authorization" not in web.seen[1].headers


@pytest.mark.parametrize("setting", ["http://jo:s3cret@", "http://jo:s3/cret@h:80", "http://jo:12/s3cret@h:80", "socks5://jo:s3cret@h:80", "http://h:s3cret"])
def test_a_bad_proxy_setting_is_named_and_not_shown(monkeypatch: pytest.MonkeyPatch, setting: str) -> None:
    monkeypatch.setenv("https_proxy", setting)
    assert "https_proxy" in str(refused("https://127.0.0.1:9/a"))


def test_a_dead_proxy_is_named_without_its_password(monkeypatch: pytest.MonkeyPatch, waits: List[float]) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("http_proxy", f"http://jo:s3cret@127.0.0.1:{closed.getsockname()[1]}/")
        assert f"(proxy 127.0.0.1:{closed.getsockname()[1]}) (3 tries): http://h.test/a" in str(refused("http://h.test/a"))


@pytest.mark.parametrize(
    ("entry", "host", "port", "matches"),
    [
        ("*", "a.test", 80, True),
        ("a.test", "a.test", 80, True),
        ("a.test", "b.a.test", 80, True),
        ("a.test", "ba.test", 80, False),
        (".a.test", "b.a.test", 80, True),
        ("*.a.test", "b.a.test", 80, True),
        ("a.test:8080", "a.test", 8080, True),
        ("a.test:8080", "a.test", 80, False),
        ("10.0.0.0/8", "10.9.8.7", 80, True),
        ("10.0.0.0/8", "11.9.8.7", 80, False),
        ("10.0.0.0/8", "a.test", 80, False),
        ("10.1.2.3", "10.1.2.3", 80, True),
        ("10.1.2.3:81", "10.1.2.3", 80, False),
        ("::1", "::1", 80, True),
        ("[::1]:81", "::1", 81, True),
        ("[::1]:81", "::1", 80, False),
        ("fd00::/8", "fd00::1", 80, True),
        ("fd00::/8", "10.1.2.3", 80, False),
    ],
)
def test_no_proxy(entry: str, host: str, port: int, matches: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    assert room._matches(entry, host, port) is matches
    monkeypatch.setenv("http_proxy", "http://proxy.test:3128")
    monkeypatch.setenv("NO_PROXY", f"first.test, {entry.upper()}")
    parts = urlsplit(f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/")
    assert (room.Proxies().via(parts) == "") is matches


def test_no_proxy_by_network_goes_past_the_proxy(web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    web.routes["/a"] = [Answer(BODY)]
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.0/8")
    assert equal(fetched(web.url("/a"))[0], BODY)
    assert not web.seen[0].proxied


# --- file URLs ---


def test_file_urls(tmp_path: Path) -> None:
    (tmp_path / "a b.tar.gz").write_bytes(BODY)
    url = (tmp_path / "a b.tar.gz").as_uri()
    told: List[Tuple[int, Optional[int]]] = []
    target = io.BytesIO()
    done = download(url, target, FAST, progress=lambda so_far, total: told.append((so_far, total)))
    assert equal(target.getvalue(), BODY)
    assert (done.size, done.transferred, done.tries) == (len(BODY), 0, 1)
    assert told[-1] == (len(BODY), len(BODY))
    assert equal(get(url.replace("file://", "file://localhost"), FAST), BODY)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "page").write_bytes(b"<html>")
    facts: Dict[str, Tuple[bool, str]] = {
        "missing": (True, "No such file"),
        "page/below": (True, "Not a dir"),
        "": (False, "Is a directory"),
        "page": (False, "web page"),
    }
    for name, (not_found, text) in facts.items():
        error = refused(f"file://{tmp_path}/{name}")
        assert error.not_found is not_found
        assert text in str(error)


# --- the server itself, for others ---


def test_the_server_as_a_command(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "a.zip").write_bytes(BODY)
    (tmp_path / "secret").write_text("x")
    command = [sys.executable, "-m", "tests.fakes.web", "--root", str(tmp_path / "root"), "--log", str(tmp_path / "log")]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, universal_newlines=True)
    try:
        assert child.stdout is not None
        url = child.stdout.readline().strip()
        assert equal(fetched(url + "a.zip")[0], BODY)
        assert refused(url + "%2e%2e/secret").not_found
    finally:
        child.terminate()
        child.wait()
        if child.stdout is not None:
            child.stdout.close()
    assert [line.split('"path": ')[1].split(",")[0] for line in (tmp_path / "log").read_text().splitlines()] == ['"/a.zip"', '"/%2e%2e/secret"']
