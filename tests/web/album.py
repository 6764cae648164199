"""What the browser is shown: the sample photos as posts, photos whose every text is an attack, and a profile of thousands."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

from PIL import Image

from igsearch import images
from igsearch.records import DescribedPhoto, Description, DetectedObject, Hypothesis, Label, Photo
from tests.web.shelf import SAMPLE, THUMBNAIL

CAPTIONS = {
    "boats.jpg": "a group of boats floating on a river",
    "bridge.jpg": "a bridge over the water at night",
    "mountains.jpg": "a view of snowy mountains",
    "cat.jpg": "a close up of a cat on a bed",
    "raccoon.jpg": "a raccoon sitting among green leaves",
    "bee.jpg": "a bee sitting on a purple flower",
    "dandelion.jpg": "yellow flowers in a field of grass",
    "coffee.jpg": "a cup of coffee on a wooden table",
    "citrus.jpg": "slices of oranges and lemons on a table",
    "rocket.jpg": "a rocket standing near the water at dusk",
    "astronaut.jpg": "a woman in an orange suit in front of a flag",
    "cameraman.jpg": "a man standing in a field with a camera",
}
"""The sample photos, newest first, and likes in another order."""

NEWEST = datetime(2024, 12, 30, 12, tzinfo=UTC)

EVIL = (
    "<img src=x onerror=alert(1)>",
    "<script>alert(2)</script>",
    "<svg onload=alert(3)><style>*{display:none}</style>",
    '"><iframe srcdoc="<script>parent.alert(4)</script>"></iframe>',
    "' onmouseover='alert(5)' autofocus onfocus='alert(6)",
    "<base href=https://evil.example/><link rel=stylesheet href=https://evil.example/x.css>",
    "</title></style></textarea><script src=https://evil.example/x.js></script>",
    "{{ 7 * 7 }} ${alert(8)} <a href=javascript:alert(9)>here</a>",
    "\u202egnp.exe \x1b]0;owned\x07 😀 <meta http-equiv=refresh content=0;url=https://evil.example>",
)


def posts() -> list[DescribedPhoto]:
    """The sample photos as posts, a month apart, with everything that can be known of them."""
    return [_post(number, name, caption) for number, (name, caption) in enumerate(CAPTIONS.items())]


def _post(number: int, name: str, caption: str) -> DescribedPhoto:
    photo = Photo(
        id=name, path=SAMPLE / name, shortcode=f"Cx{number:02}", taken_at=NEWEST - timedelta(days=31 * number), likes=100 * (number * 5 % 12),
        post_text=f"Post number {number}.\nSecond line.", alt_text="May be an image of outdoors", n_slides=2 if number == 0 else 1,
    )  # fmt: skip
    objects = (DetectedObject("boat", 3, 0.9),) if number == 0 else ()
    labels = (Label("gondola", 0.5),) if number == 0 else ()
    return DescribedPhoto(
        photo,
        Description(caption, -4.0, (Hypothesis(f"{caption} again", -5.0),), labels, objects),
        images.thumbnail(images.decode((SAMPLE / name).read_bytes())),
    )


def attacks() -> list[DescribedPhoto]:
    """Photos of which every text that can come from outside is an attack; each caption has the word `attack` in it."""
    return [_attack(number, evil) for number, evil in enumerate(EVIL)]


def _attack(number: int, evil: str) -> DescribedPhoto:
    addresses = ("javascript:alert(10)", "data:text/html,<script>alert(11)</script>", "https://evil.example/pixel.png")
    photo = Photo(
        id=f"{number}/../{evil}", url=addresses[number % 3], shortcode=None if number % 2 else f"../..//{evil}", taken_at=NEWEST, likes=number,
        post_text=evil * 2, alt_text=evil, location=evil, hashtags=(evil,),
    )  # fmt: skip
    description = Description(f"attack {evil}", None, (Hypothesis(evil, -5.0),), (Label(evil, 0.5),), (DetectedObject(evil, 2, 0.9),))
    return DescribedPhoto(photo, description, THUMBNAIL)


def crowd(n: int) -> list[DescribedPhoto]:
    """So many photos; a picture of each fiftieth only, for the store makes sure of every file that it writes, which takes its time."""
    return [_one_of_many(number) for number in range(n)]


def _one_of_many(number: int) -> DescribedPhoto:
    picture = io.BytesIO()
    Image.new("RGB", (32, 24), (number % 256, 40, 120)).save(picture, "WEBP")
    photo = Photo(id=f"photo-{number:05}", shortcode=f"M{number:05}", taken_at=NEWEST - timedelta(hours=number), likes=number)
    return DescribedPhoto(photo, Description(f"dog number {number} on grass", -3.0), None if number % 50 else picture.getvalue())
