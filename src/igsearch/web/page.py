"""The page and its files, and the two routes that the page of the 2021 prototype asks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from flask import Blueprint, Response, request, send_from_directory

from igsearch.errors import IgsearchError, UsageError
from igsearch.paths import EVERY_PROFILE
from igsearch.web import seed
from igsearch.web.answers import ASK_AGAIN, error_answer, json_answer
from igsearch.web.parameters import checked_query

if TYPE_CHECKING:
    from igsearch.web.library import Library

STATIC = Path(__file__).with_name("static")


class Page:
    """The views. `cors`: whether pages of other origins may read the seed's two routes, as that page does."""

    def __init__(self, library: Library, *, cors: bool) -> None:
        self._library, self._cors = library, cors

    def blueprint(self) -> Blueprint:
        """The views with their routes."""
        routes = Blueprint("page", __name__)
        routes.add_url_rule("/", view_func=self.home)
        routes.add_url_rule("/api/v1/search", view_func=self.seed_search)
        routes.add_url_rule("/static/<path:name>", view_func=self.static_file)
        return routes

    def home(self) -> Response:
        """The page; or, asked as the seed's server was, an answer."""
        return self.seed_search() if "str" in request.args else self.static_file("index.html")

    def seed_search(self) -> Response:
        """`[[score, url, text], …]`, the best hundred."""
        try:
            response = self._rows()
        except IgsearchError as err:
            response = error_answer(str(err), err.http_status)
        if self._cors:
            response.headers["Access-Control-Allow-Origin"] = "*"
        return response

    def static_file(self, name: str) -> Response:
        """A file of the page."""
        response = send_from_directory(STATIC, name)
        response.headers["Cache-Control"] = ASK_AGAIN
        return response

    def _rows(self) -> Response:
        text, name = request.args.get("str"), request.args.get("name")
        if text is None or name is None:
            raise UsageError("a search takes two parameters: str, what to look for, and name, the profile")
        if name == EVERY_PROFILE or "," in name:  # other sites' pages may ask here, and are to know what they ask for
            raise UsageError(f"name is one profile here, not {name!r}: /api/v2/search takes several")
        answer = self._library.search(name, seed.question(checked_query(text)))
        return json_answer(seed.rows(answer.hits, request.url_root))
