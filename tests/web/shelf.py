"""Indexes for the server to serve, written by the real store and fitted by the real fit; only the captions are made up, so that no network has to run."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from PIL import Image

from igsearch import images
from igsearch.paths import ProfilePaths
from igsearch.ranking.words import fit
from igsearch.records import DescribedPhoto, Description, DetectedObject, Hypothesis, Label, Photo
from igsearch.store.writer import StoreWriter

SAMPLE = Path(__file__).resolve().parents[2] / "assets" / "sample"
THUMBNAIL = images.thumbnail(Image.new("RGB", (64, 48), "teal"))


def described(photo: Photo, caption: str, *, thumbnail: bytes | None = THUMBNAIL) -> DescribedPhoto:
    """A photo with a caption, a runner-up and a label."""
    return DescribedPhoto(photo, Description(caption, -3.5, (Hypothesis(f"perhaps {caption}", -4.25),), (Label("tabby", 0.75),)), thumbnail)


def put(cache: Path, profile: str, photos: Sequence[DescribedPhoto], *, fitted: bool = True) -> ProfilePaths:
    """Add photos to a profile, as `igsearch index` does."""
    paths = ProfilePaths.of(cache, profile)
    with StoreWriter.create(paths, profile) as store:
        store.commit(photos, [], captioner="lite2-test")
        if fitted:
            fit(store, paths)
    return paths


def post(shortcode: str, caption: str, day: int | None = None, likes: int | None = None) -> DescribedPhoto:
    """A photo of a post on Instagram, taken on a day of June 2024."""
    taken_at = None if day is None else datetime(2024, 6, day, 12, tzinfo=UTC)
    return described(Photo(shortcode, url=f"https://scontent.cdninstagram.com/{shortcode}.jpg", shortcode=shortcode, taken_at=taken_at, likes=likes), caption)


def natgeo() -> list[DescribedPhoto]:
    """Posts on Instagram: dated and undated, liked and not, one with objects, one whose picture was never had."""
    objects = (DetectedObject("dog", 2, 0.9), DetectedObject("frisbee"))
    frisbee = post("Cfrisbee", "a dog catches a frisbee", 20, 30)
    lost = post("Clost", "a dog swims", 10)
    return [
        post("Cold", "a dog runs on a beach", 1, 500),
        replace(frisbee, description=replace(frisbee.description, objects=objects)),
        post("Ccity", "people walking down a street", 15, 40),
        post("Cundated", "a dog sleeps", None, 7),
        replace(lost, thumbnail=None, photo=replace(lost.photo, url=None)),
    ]


def holiday(folder: Path) -> list[DescribedPhoto]:
    """Files of one's own, one of them inside a ZIP file."""
    archive = folder / "export.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.write(SAMPLE / "coffee.jpg", "media/coffee.jpg")
    thumbnail = images.thumbnail(images.decode((SAMPLE / "cat.jpg").read_bytes()))
    return [
        described(Photo("2024/cat.jpg", path=SAMPLE / "cat.jpg"), "a cat lies on a carpet", thumbnail=thumbnail),
        described(Photo("media/coffee.jpg", path=archive, member="media/coffee.jpg"), "a cup of coffee"),
    ]
