"""The wire: an HTTP proxy on loopback that speaks TLS in Instagram's name and answers itself."""

from __future__ import annotations

import io
import json
import re
import ssl
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, parse_qsl, urlsplit

import trustme

from tests.fake_instagram import answers
from tests.fake_instagram.scenario import FakePost, FakeProfile

INSTAGRAM = "www.instagram.com"
LOGIN_PAGE = f"https://{INSTAGRAM}/accounts/login/?next="
CSRF_TOKEN = "missing0csrf0token"


@dataclass(frozen=True)
class Request:
    """Something that was asked."""

    method: str
    url: str
    cookies: Mapping[str, str]
    form: Mapping[str, str]
    headers: Mapping[str, str]
    at: float = field(default_factory=time.monotonic)

    @property
    def host(self) -> str:
        """Who was asked."""
        return urlsplit(self.url).hostname or ""

    @property
    def path(self) -> str:
        """The path, without the query."""
        return urlsplit(self.url).path

    def variable(self, name: str) -> str:
        """A variable of a GraphQL query, or an empty text."""
        return str(json.loads(self.form.get("variables", "{}")).get(name) or "")


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; one that is cut says how long it is and then ends after so many bytes, a slow one waits before it starts, or after every byte."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cut_after: int | None = None
    delay: float = 0.0
    trickle: float = 0.0
    reason: str | None = None

    @classmethod
    def json(cls, document: object, status: int = 200) -> Answer:
        """A JSON answer; a text is sent as it is."""
        text = document if isinstance(document, str) else json.dumps(document)
        return cls(text.encode(), status, {"Content-Type": "application/json; charset=utf-8"})

    @classmethod
    def page(cls, html: str, status: int = 200) -> Answer:
        """An HTML page, with the cookie that every page of Instagram sets."""
        return cls(
            html.encode(), status, {"Content-Type": "text/html; charset=utf-8", "Set-Cookie": f"csrftoken={CSRF_TOKEN}; Domain=.instagram.com; Path=/; Secure"}
        )

    @classmethod
    def redirect(cls, url: str) -> Answer:
        """A redirection."""
        return cls(status=302, headers={"Location": url})

    @classmethod
    def please_wait(cls) -> Answer:
        """What Instagram says to somebody who asks too much."""
        return cls.json({"message": "Please wait a few minutes before you try again.", "require_login": True, "status": "fail"}, 401)


@dataclass
class Fault:
    """Answers requests in the place of the scenario: those whose `METHOD URL form` matches `pattern`, after the first `after`, at most `times` of them."""

    pattern: str
    answer: Answer
    times: int | None = None
    after: int = 0
    n_matched: int = 0

    def strikes(self, request: Request) -> bool:
        """Whether this request is to be answered so; counts it."""
        if not re.search(self.pattern, f"{request.method} {request.url} {dict(request.form)}"):
            return False
        self.n_matched += 1
        return self.after < self.n_matched and (self.times is None or self.n_matched <= self.after + self.times)


class FakeInstagram:
    """Profiles, their pictures, and whatever other `files` (address without query → bytes or answer) are wanted on other hosts.

    `sessions` are the session ids of logged-in users, by name. A context manager: the server runs inside the `with` block.
    """

    def __init__(
        self,
        profiles: Sequence[FakeProfile] = (),
        *,
        sessions: Mapping[str, str] | None = None,
        files: Mapping[str, bytes | Answer] | None = None,
        faults: Sequence[Fault] = (),
    ) -> None:
        self.profiles = {profile.username: profile for profile in profiles}
        self.sessions = dict(sessions or {})
        self.files = dict(files or {})
        self.faults = list(faults)
        self.requests: list[Request] = []
        self.mistakes: list[BaseException] = []
        self._lock = threading.Lock()
        self._authority = trustme.CA()
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="fake-instagram")
        self._folder = tempfile.TemporaryDirectory(prefix="fake-instagram-")

    def __enter__(self) -> Self:
        self._authority.cert_pem.write_to_path(str(self._bundle))
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._folder.cleanup()
        if self.mistakes:
            raise AssertionError("the fake Instagram itself failed") from self.mistakes[0]

    @property
    def _bundle(self) -> Path:
        return Path(self._folder.name) / "ca.pem"

    def env(self) -> dict[str, str]:
        """The environment variables that lead a program here."""
        proxy = f"http://127.0.0.1:{self._server.server_address[1]}"
        proxies = {name: proxy for scheme in ("http_proxy", "https_proxy", "all_proxy") for name in (scheme, scheme.upper())}
        return proxies | {"NO_PROXY": "", "no_proxy": "", "REQUESTS_CA_BUNDLE": str(self._bundle), "SSL_CERT_FILE": str(self._bundle)}

    def count(self, pattern: str) -> int:
        """How many requests have an address in which `pattern` is found."""
        return sum(re.search(pattern, request.url) is not None for request in self.requests)

    def counts(self) -> Counter[str]:
        """How often each path was asked for, on all hosts together."""
        return Counter(request.path for request in self.requests)

    def context_for(self, host: str) -> ssl.SSLContext:
        """TLS in the name of `host`."""
        with self._lock:
            if host not in self._contexts:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                self._authority.issue_cert(host).configure_cert(context)
                self._contexts[host] = context
            return self._contexts[host]

    def answer(self, request: Request) -> Answer:
        """What is answered; the request is logged."""
        with self._lock:
            self.requests.append(request)
            for fault in self.faults:
                if fault.strikes(request):
                    return fault.answer
        if request.host == INSTAGRAM:
            return self._instagram(request)
        return self._file(request)

    def _instagram(self, request: Request) -> Answer:
        if request.cookies.get("sessionid") and self._user(request) is None:
            return Answer.redirect(LOGIN_PAGE)
        if request.path in ("/api/graphql", "/graphql/query"):
            return self._graphql(request)
        if request.path == "/web/search/topsearch/":
            return Answer.json({"users": [], "status": "ok"})
        if request.path == "/":
            user = self._user(request)
            return Answer.page(answers.start_page(user_pk=FakeProfile(user).pk if user else None))
        return self._profile_page(request.path.strip("/"))

    def _profile_page(self, username: str) -> Answer:
        profile = self.profiles.get(username)
        if profile is None:
            return Answer.page("<html>Sorry, this page isn't available.</html>", 404)
        if profile.is_login_only:
            return Answer.redirect(f"{LOGIN_PAGE}/{username}/")
        return Answer.page(answers.profile_page(profile))

    def _graphql(self, request: Request) -> Answer:
        """The queries that instaloader 4.16 sends, by their `doc_id`."""
        queries = {
            "27128499623469141": self._post,
            "27937681195819736": self._user_by_id,
            "28904005159232689": self._posts_for_visitor,
            "29104886249145907": self._posts_for_user,
        }
        query = queries.get(request.form.get("doc_id", ""))
        if query is None or (request.path == "/api/graphql" and request.form.get("lsd") != answers.LSD_TOKEN):
            return Answer.json({"message": "invalid request", "status": "fail"}, 400)
        return Answer.json({"data": query(request), "status": "ok"})

    def _post(self, request: Request) -> answers.Json:
        found = [
            answers.media(post, profile)
            for profile in self.profiles.values()
            for post in profile.posts
            if post.shortcode == request.variable("shortcode") and not profile.is_private
        ]
        return {"xdt_api__v1__media__shortcode__web_info": {"items": found}}

    def _user_by_id(self, request: Request) -> answers.Json:
        user = self._user(request)
        profile = next((profile for profile in self.profiles.values() if profile.pk == request.variable("id")), None)
        if profile is None:
            return {"user": None}
        return {"user": answers.user_of(profile) | {"friendship_status": {"following": user in profile.followers}}}

    def _posts_for_visitor(self, request: Request) -> answers.Json:
        profile = self.profiles[request.variable("id").removeprefix("graph:")]
        nodes = [answers.listed(post) for post in profile.posts]
        return {"node": {"polaris_ordered_timeline_connection": answers.connection(nodes, after=request.variable("after"))}}

    def _posts_for_user(self, request: Request) -> answers.Json:
        profile = self.profiles[request.variable("username")]
        may_see = not profile.is_private or self._user(request) in {profile.username, *profile.followers}
        nodes = [answers.media_when_logged_in(post, profile) for post in profile.posts if may_see]
        return {"xdt_api__v1__feed__user_timeline_graphql_connection": answers.connection(nodes, after=request.variable("after"))}

    def _user(self, request: Request) -> str | None:
        """Who asks, by the session cookie."""
        return next((user for user, session in self.sessions.items() if session == request.cookies.get("sessionid")), None)

    def _file(self, request: Request) -> Answer:
        """A picture, by the name of its file, or one of `files`."""
        found = self.files.get(request.url.split("?")[0]) or self._pictures().get(request.path.rsplit("/", 1)[-1])
        if found is None:
            return Answer(b"", 404)
        expires = parse_qs(urlsplit(request.url).query).get("oe")
        if expires and int(expires[0], 16) < datetime.now(UTC).timestamp():
            return Answer(b"URL signature expired", 403)
        return found if isinstance(found, Answer) else Answer(found, headers={"Content-Type": "image/jpeg"})

    def _pictures(self) -> dict[str, bytes]:
        posts: list[FakePost] = [post for profile in self.profiles.values() for post in profile.posts]
        return {post.file_name(number): slide.data for post in posts for number, slide in enumerate(post.slides, start=1)}


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, instagram: FakeInstagram) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.instagram = instagram


class _Handler(BaseHTTPRequestHandler):
    """One connection: first the proxy's CONNECT, then, through TLS, requests to the host that was named there. Plain http comes with the whole address."""

    protocol_version = "HTTP/1.1"
    server: _Server
    origin = ""

    def do_CONNECT(self) -> None:
        host = self.path.rsplit(":", 1)[0]
        context = self.server.instagram.context_for(host)
        self.send_response_only(200, "Connection established")
        self.end_headers()
        self.connection = context.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", buffering=0)
        self.origin = f"https://{host}"
        self.close_connection = False

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length") or 0) if self.command == "POST" else 0
        form = dict(parse_qsl(self.rfile.read(length).decode(), keep_blank_values=True))
        cookies = {name: cookie.value for name, cookie in SimpleCookie(self.headers.get("Cookie", "")).items()}
        self._send(self.server.instagram.answer(Request(self.command, self.origin + self.path, cookies, form, dict(self.headers))))

    do_POST = do_GET
    do_HEAD = do_GET

    def _send(self, answer: Answer) -> None:
        time.sleep(answer.delay)
        wire, whole = self.wfile, io.BytesIO()
        self.wfile = whole
        self.send_response(answer.status, answer.reason)
        for name, value in {**answer.headers, "Content-Length": str(len(answer.body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile = wire
        if self.command != "HEAD":
            whole.write(answer.body[: answer.cut_after])
        sent = whole.getvalue()
        for start in range(0, len(sent), 1 if answer.trickle else len(sent)):
            wire.write(sent[start : start + 1] if answer.trickle else sent)
            time.sleep(answer.trickle)
        self.close_connection = self.close_connection or answer.cut_after is not None

    def handle(self) -> None:
        """Serve the connection. A client may hang up at any time; anything else is a mistake of the fake's own."""
        try:
            super().handle()
        except (ConnectionError, ssl.SSLError, TimeoutError):
            pass
        except Exception as err:  # noqa: BLE001  # whatever it is, the test has to hear of it
            self.server.instagram.mistakes.append(err)

    def finish(self) -> None:
        super().finish()
        self.connection.close()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the library's name
        """Say nothing: the log is `FakeInstagram.requests`."""
