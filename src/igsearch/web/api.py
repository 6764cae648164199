"""The server's own API, below /api/v2; openapi.json describes it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, request
from werkzeug.exceptions import NotFound
from werkzeug.routing import BaseConverter

from igsearch import __version__
from igsearch.errors import FetchError
from igsearch.output import formats
from igsearch.store.reader import thumbnail_path
from igsearch.web import photos
from igsearch.web.answers import json_answer, picture_answer
from igsearch.web.parameters import search_of

if TYPE_CHECKING:
    from igsearch.web.library import Library

OPENAPI = Path(__file__).with_name("openapi.json")


class PhotoId(BaseConverter):
    """The rest of the path, whatever it holds: an id may be an address or a path of its own. Photos are looked up by it, and nothing else is."""

    regex = r"[\s\S]+"
    part_isolating = False


class Api:
    """The views. `tells_paths`: whether answers say where files lie; `cors`: whether pages of other origins may show the pictures."""

    def __init__(self, library: Library, *, tells_paths: bool, cors: bool) -> None:
        self._library, self._cors, self._tells_paths = library, cors, tells_paths

    def blueprint(self) -> Blueprint:
        """The views with their routes."""
        routes = Blueprint("api", __name__)
        views: dict[str, Any] = {
            "/healthz": self.health,
            "/openapi.json": self.openapi,
            f"{photos.API}/profiles": self.profiles,
            f"{photos.API}/search": self.search,
            f"{photos.API}/photos/<profile>/<photo:photo_id>": self.photo,
            f"{photos.API}/thumbnails/<profile>/<photo:photo_id>": self.thumbnail,
            f"{photos.API}/pictures/<profile>/<photo:photo_id>": self.picture,
        }
        for rule, view in views.items():
            routes.add_url_rule(rule, view_func=view)
        return routes

    def health(self) -> Response:
        """That the server answers, and which release it is."""
        return json_answer(formats.to_json({"status": "ok", "version": __version__}))

    def openapi(self) -> Response:
        """The description of all this for programs."""
        return json_answer(OPENAPI.read_text(encoding="utf-8"))

    def profiles(self) -> Response:
        """What is indexed."""
        found = self._library.summaries()
        if not self._tells_paths:
            found = [replace(one, problem=one.problem and f"the store of {one.profile!r} cannot be read") for one in found]
        return json_answer(formats.profiles_json(found))

    def search(self) -> Response:
        """The photos that match."""
        given, wanted = search_of(request.args)
        answer = self._library.search(given, wanted)
        records = map(partial(photos.hit_record, tells_paths=self._tells_paths), answer.hits)
        query, remarks = wanted.text or "", answer.remarks
        return json_answer(formats.search_json(records, query=query, profiles=answer.profiles, total=answer.total, remarks=remarks, indent=None))

    def photo(self, profile: str, photo_id: str) -> Response:
        """All that is known of a photo."""
        paths, found = self._library.paths(profile), self._library.photo(profile, photo_id)
        if found is None:
            raise _no_photo(profile, photo_id)
        return json_answer(formats.to_json(photos.photo_resource(paths.root.name, *found, tells_paths=self._tells_paths)))

    def thumbnail(self, profile: str, photo_id: str) -> Response:
        """The thumbnail of a photo."""
        path = thumbnail_path(self._library.paths(profile), photo_id)
        try:
            if version := photos.version_of(path):
                return picture_answer(version, path.read_bytes, for_other_pages=self._cors)
        except FileNotFoundError:
            pass  # it went with its profile this moment
        raise _no_photo(profile, photo_id)

    def picture(self, profile: str, photo_id: str) -> Response:
        """The picture of a photo that was indexed from a file."""
        found = self._library.photo(profile, photo_id)
        if found is None:
            raise _no_photo(profile, photo_id)
        shown = found[0].photo
        try:
            if shown.path and (version := photos.version_of(shown.path)):
                return picture_answer(version, partial(photos.rendered_picture, shown), for_other_pages=self._cors)
        except FetchError:
            pass  # its text tells where the file lies
        raise NotFound(f"the picture of {photo_id!r} is not in a file that can be read here; its thumbnail may be")


def _no_photo(profile: str, photo_id: str) -> NotFound:
    return NotFound(f"{profile!r} has no photo {photo_id!r}, or no picture of it")
