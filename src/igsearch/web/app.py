"""The WSGI application: who may ask, the routes, and what an error looks like, whatever raised it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from igsearch.errors import IgsearchError
from igsearch.output.formats import plain
from igsearch.web.answers import error_answer
from igsearch.web.api import Api, PhotoId
from igsearch.web.library import Library
from igsearch.web.page import Page
from igsearch.web.security import Guard, protect

if TYPE_CHECKING:
    from igsearch.web.settings import Settings

log = logging.getLogger(__name__)


def create_app(settings: Settings) -> Flask:
    """The application. Raises UsageError for a token that is missing or cannot be one, and for a name that is no profile's."""
    app = Flask(__name__, static_folder=None)
    app.url_map.merge_slashes = False
    app.url_map.converters["photo"] = PhotoId
    library, guard = Library(settings.cache, settings.profiles), Guard(settings.host, settings.token)
    app.before_request(lambda: _refusal(guard))
    app.after_request(_logged)
    app.after_request(protect)
    app.register_error_handler(IgsearchError, lambda err: error_answer(str(err), err.http_status))
    app.register_error_handler(HTTPException, lambda err: error_answer(err.description or err.name, err.code or 500))
    app.register_error_handler(Exception, _fault)
    app.register_blueprint(Page(library, cors=settings.cors).blueprint())
    app.register_blueprint(Api(library, tells_paths=guard.is_local, cors=settings.cors).blueprint())
    return app


def _refusal(guard: Guard) -> Response | None:
    """What is answered in place of the route; None lets the request pass."""
    if not guard.knows_host(request.headers.get("Host", "")):
        return error_answer("this server goes by another name: use the address that igsearch serve printed", 421)
    if request.method not in {"GET", "HEAD"}:
        return error_answer(f"{request.method[:20]!r} is not answered here, only GET and HEAD", 405, Allow="GET, HEAD")
    cookie_name = f"igsearch-{request.environ['SERVER_PORT']}"
    if request.path == "/" and guard.is_token(request.args.get("token", "")):
        return _admission(cookie_name, guard.cookie)
    if request.path == "/healthz" or guard.is_allowed(request, cookie_name):
        return None
    return error_answer("this server asks for its token: open /?token=TOKEN, or send the header Authorization: Bearer TOKEN", 401, WWW_Authenticate="Bearer")


def _admission(name: str, value: str) -> Response:
    """The cookie that opens every later page, and away from the address with the token in it."""
    others = [(key, one) for key, one in request.args.items(multi=True) if key != "token"]
    response = Response(status=303, headers={"Location": f"/?{urlencode(others)}" if others else "/"})
    response.set_cookie(name, value, httponly=True, samesite="Strict")
    return response


def _logged(response: Response) -> Response:
    """One line for `igsearch -v serve`; what stands behind the path, such as a token, is left out."""
    log.info("%s %s %d", plain(request.method), plain(request.path), response.status_code)
    return response


def _fault(err: Exception) -> Response:
    """A fault of ours: its details are for whoever runs the server."""
    log.error("a fault in igsearch, please report it: %s: %s", type(err).__name__, plain(str(err)), exc_info=log.isEnabledFor(logging.INFO))
    return error_answer(f"a fault in igsearch, please report it: {type(err).__name__}", 500)
