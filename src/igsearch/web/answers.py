"""What leaves the server: JSON, one line for an error, bytes that a browser may keep."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from flask import Response, request

if TYPE_CHECKING:
    from collections.abc import Callable

KEEP_FOR_GOOD, ASK_AGAIN = "private, max-age=31536000, immutable", "private, no-cache"


def json_answer(text: str) -> Response:
    """A JSON document."""
    return Response(text, mimetype="application/json")


def error_answer(reason: str, status: int, **headers: str) -> Response:
    """`{"error": reason}`."""
    return Response(json.dumps({"error": reason}), status, {name.replace("_", "-"): value for name, value in headers.items()}, mimetype="application/json")


def picture_answer(version: str, picture: Callable[[], bytes], *, for_other_pages: bool) -> Response:
    """A WebP picture, made only if the asker does not have this version of it. An address with the version in it may be kept for good."""
    is_known = request.if_none_match.contains(version)
    response = Response(status=304) if is_known else Response(picture(), mimetype="image/webp")
    response.set_etag(version)
    response.headers["Cache-Control"] = KEEP_FOR_GOOD if request.args.get("v") == version else ASK_AGAIN
    if for_other_pages:
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response
