"""The connection to Instagram below instaloader: whole answers within a time and a size, and none after which asking again is of no use."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

from igsearch.sources.instagram_refusals import Answer, NotShownError, Why, in_short, sent_to

DEADLINE = 120.0
"""Seconds for a whole answer, whatever the server trickles."""

MAX_ANSWER_BYTES = 32 * 2**20
"""A profile's page has about 1 MB, twelve posts about as much."""

UNEXPECTED = (ArithmeticError, AssertionError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What parsing trips over when an answer has another shape than it was written for."""

CHUNK_BYTES = 2**16


class Gate(HTTPAdapter):
    """Lets questions out and answers in, but for redirections, and pages where data was asked for, which it raises as NotShownError.

    `method` is that of the last question, and `last` the answer to it. Sessions come and go with every question of instaloader's; the gate stays, with its
    connections, until it is shut.
    """

    def __init__(self) -> None:
        super().__init__()
        self.method: str | None = None
        self.last: Answer | None = None

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,  # noqa: ARG002, FBT001, FBT002  # the library's signature
        timeout: float | tuple[float, float] | tuple[float, None] | None = None,
        verify: bool | str = True,  # noqa: FBT001, FBT002  # the library's signature
        cert: bytes | str | tuple[bytes | str, bytes | str] | None = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Ask, and wait for the whole answer."""
        self.method, self.last = request.method, None
        give_up = time.monotonic() + DEADLINE
        asked = super().send
        response = _within(DEADLINE, lambda: _whole(asked(request, True, timeout, verify, cert, proxies), give_up))
        is_page = response.headers.get("Content-Type", "").startswith("text/html")
        self.last = Answer(response.status_code, is_page, not response.content.strip())
        if response.is_redirect:
            raise sent_to(response.url, response.headers["location"])
        if request.method == "POST" and response.status_code == 200 and is_page and not self.last.is_empty:
            raise NotShownError(Why.PAGE)
        return response

    def close(self) -> None:
        """A session that used the gate was closed: others will."""

    def shut(self) -> None:
        """Close the connections."""
        super().close()


def _within(seconds: float, task: Callable[[], requests.Response]) -> requests.Response:
    """What `task` comes to, if it does in that time.

    It has a thread of its own, since a name that is looked up and a header that trickles heed no time-out of requests', nor the former Ctrl-C. A thread that
    is too late is left behind, and does not hold up the end of the program.
    """
    result = Future[requests.Response]()

    def run() -> None:
        try:
            result.set_result(task())
        except (OSError, HTTPError, NotShownError, *UNEXPECTED) as err:
            result.set_exception(err)

    threading.Thread(target=run, name="ask-instagram", daemon=True).start()
    try:
        return result.result(timeout=seconds)
    except TimeoutError as err:
        if result.done():
            raise
        raise _too_slow() from err


def _whole(response: requests.Response, give_up: float) -> requests.Response:
    """The answer with all of its body read; `give_up` is when, on the monotonic clock."""
    body = bytearray()
    with response:
        for chunk in response.iter_content(CHUNK_BYTES):
            body += chunk
            if len(body) > MAX_ANSWER_BYTES:
                raise NotShownError(Why.STRANGE, f"more than {MAX_ANSWER_BYTES // 2**20} MiB")
            if time.monotonic() > give_up:
                raise _too_slow()
    response._content = bytes(body)  # noqa: SLF001  # requests has no other way to bound what it reads
    response.reason = in_short(response.reason or "")
    return response


def _too_slow() -> NotShownError:
    return NotShownError(Why.SLOW, f"{DEADLINE:.0f} s")
