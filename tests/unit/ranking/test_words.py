"""The index: numpy answers as scikit-learn does, what is on disk is whole or not there, and nothing that was not checked is used."""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import pickle
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import joblib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer

from igsearch.errors import CacheError, NotIndexedError, StoreError
from igsearch.paths import ProfilePaths
from igsearch.ranking import words
from igsearch.ranking.words import Index, fit, fit_texts, is_current
from igsearch.records import DescribedPhoto, Description, Photo
from igsearch.store.writer import StoreWriter
from igsearch.text import ANALYSERS, query_terms, stemmed_terms

if TYPE_CHECKING:
    from igsearch.store.reader import Store

NAME = "natgeo"
CAPTIONS = [
    "a group of people walking down a street",
    "a couple of people walking down a street",
    "a dog running on a beach",
    "two dogs run on the beach",
    "a close up of a plate of food",
]
WORDS = ["a", "dog", "dogs", "runs", "running", "beach", "Beach!", "on", "the", "end", "<end>", "naïve", "x"]
SENTENCES = st.lists(st.sampled_from(WORDS), max_size=7).map(" ".join)


@pytest.fixture
def paths(tmp_path: Path) -> ProfilePaths:
    """A profile that nothing is known of."""
    return ProfilePaths.of(tmp_path, NAME)


@pytest.fixture
def store(paths: ProfilePaths) -> Iterator[StoreWriter]:
    """A store with a few captions."""
    with StoreWriter.create(paths, NAME) as store:
        add(store, *CAPTIONS)
        yield store


def add(store: StoreWriter, *captions: str) -> None:
    """Commit photos whose ids are their captions."""
    described = [DescribedPhoto(Photo(caption, url="u"), Description(caption, 0.0), b"") for caption in captions]
    store.commit(described, [], captioner="lite2")


def found(index: Index, query: str) -> list[int]:
    """The rowids that a query finds."""
    return [int(rowid) for rowid in index.query(query).rowids]


def published_ranking(captions: list[str], query: str) -> list[tuple[int, float]]:
    """The ranking of the 2021 prototype, straight from the formulas of TF-IDF with its settings; at most 100 (place, score), without its flaws."""
    bags = [Counter(re.findall(r"(?u)\b\w\w+\b", re.sub("<(start|end|pad|unk)>", " ", text).lower())) for text in captions]
    frequency = Counter(term for bag in bags for term in bag)
    idf = {term: math.log((1 + len(bags)) / (1 + n)) + 1 for term, n in frequency.items()}

    def unit(bag: Counter[str]) -> dict[str, float]:
        weights = {term: n * idf[term] for term, n in bag.items() if term in idf}
        norm = math.sqrt(sum(weight**2 for weight in weights.values()))
        return {term: weight / norm for term, weight in weights.items()}

    wanted = unit(Counter(re.findall(r"(?u)\b\w\w+\b", re.sub("<(start|end|pad|unk)>", " ", query).lower())))
    scores = [sum(weight * wanted.get(term, 0) for term, weight in unit(bag).items()) for bag in bags]
    return sorted(((place, score) for place, score in enumerate(scores) if score > 0), key=lambda one: -one[1])[:100]


@given(st.lists(SENTENCES, max_size=12), SENTENCES)
def test_the_seed_ranker_is_the_published_one(captions: list[str], query: str) -> None:
    """Same photos, same scores, same order; a caption without terms is no NaN, and markers are no words."""
    ranking = fit_texts(enumerate(captions), analyser="seed").query(query)
    expected = published_ranking(captions, query)

    assert {int(rowid): pytest.approx(float(score), abs=1e-6) for rowid, score in zip(ranking.rowids, ranking.scores, strict=True)} == dict(expected)
    assert [score for _, score in expected] == pytest.approx(ranking.scores.tolist(), abs=1e-6)


def test_the_seed_ranker_repeats_the_blog() -> None:
    """Its example: a group of people and a couple of people come first, equally good but for one word."""
    ranking = fit_texts(enumerate(CAPTIONS), analyser="seed").query("people walking on street")

    assert ranking.rowids[:2].tolist() == [0, 1]
    assert ranking.scores[0] == pytest.approx(ranking.scores[1])


@pytest.mark.parametrize("analyser", ANALYSERS)
@given(captions=st.lists(SENTENCES | st.text(), min_size=1, max_size=12).map(lambda texts: [*texts, "dog"]), query=SENTENCES | st.text())
def test_the_arrays_answer_as_scikit_learn_does(analyser: str, captions: list[str], query: str) -> None:
    """The cosine of scikit-learn's own transform, in single precision."""
    vectorizer = TfidfVectorizer(analyzer=ANALYSERS[analyser])
    matrix = vectorizer.fit_transform(captions)
    cosines = (matrix @ vectorizer.set_params(analyzer=lambda text: query_terms(text, analyser)).transform([query]).T).toarray().ravel()
    ranking = fit_texts(enumerate(captions), analyser=analyser).query(query)
    scores = np.zeros(len(captions))
    scores[ranking.rowids] = ranking.scores

    assert scores == pytest.approx(cosines, abs=1e-6)
    assert set(ranking.rowids.tolist()) == set(np.flatnonzero(cosines).tolist())


@given(st.lists(SENTENCES, max_size=12), SENTENCES)
def test_answers_are_ranked(captions: list[str], query: str) -> None:
    """Scores fall within (0, 1], and equal captions stand in the order of the documents."""
    ranking = fit_texts(enumerate(captions)).query(query)

    assert np.all(np.diff(ranking.scores) <= 0)
    assert np.all((ranking.scores > 0) & (ranking.scores <= 1))
    for text in captions:
        places = [int(rowid) for rowid in ranking.rowids if captions[rowid] == text]
        assert places == sorted(places)


def test_stems_meet() -> None:
    """The default ranker finds other forms of a word, the seed ranker does not."""
    assert set(found(fit_texts(enumerate(CAPTIONS)), "walks with dog")) == {0, 1, 2, 3}
    assert found(fit_texts(enumerate(CAPTIONS), analyser="seed"), "walks with dog") == [2]


def test_a_longer_word_is_found_whole() -> None:
    """Of a script without blanks a query's single characters find nothing, unless it has one alone."""
    index = fit_texts(enumerate(["東京都", "京都", "東の山"]))

    assert (found(index, "東京"), set(found(index, "東"))) == ([0], {0, 2})


def test_each_index_keeps_its_own_stems(store: StoreWriter, paths: ProfilePaths, tmp_path: Path) -> None:
    """What another one says of a word, loaded before or after, changes no answer."""
    fit(store, paths)
    others = ProfilePaths.of(tmp_path / "others", NAME)
    shutil.copytree(paths.root, others.root)
    rewritten(stems=lambda stems: stems | {"dogs": "beach", "zeppelins": "beach"})(others.indexes / "stemmed" / "g00000001")
    theirs, ours = Index.load(others), Index.load(paths)

    assert (set(found(ours, "dogs")), set(found(theirs, "dogs"))) == ({3, 4}, {3, 4})
    assert (ours.query("dogs").terms, theirs.query("dogs").terms) == (("dog",), ("beach",))
    assert (ours.matched_words("dogs on the beach", "dog"), theirs.matched_words("dogs on the beach", "beach")) == (("dogs",), ("dogs", "beach"))
    assert (found(ours, "zeppelins"), stemmed_terms("zeppelins")) == ([], ["zeppelin"])
    assert found(fit_texts(enumerate(CAPTIONS)), "dogs") == [2, 3]


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("bech", "beach"),
        ("two dgos running", "two dogs running"),
        ("Walkng down the steret!", "walking down the street!"),
        ("dogs on a beach", None),
        ("runs", None),
        ("zeppelin", None),
        ("xq 7 犬", None),
        ("", None),
    ],
)
def test_a_slip_of_the_pen_is_seen(asked: str, meant: str | None) -> None:
    """A word that no caption has becomes the one most like it, if one is like it at all."""
    assert fit_texts(enumerate(CAPTIONS)).did_you_mean(asked) == meant


def test_a_ranking_names_the_known_terms_of_the_query() -> None:
    """A caller can tell a query of unknown words from one that merely finds nothing more."""
    index = fit_texts(enumerate(CAPTIONS))

    assert index.query("Dogs on zeppelins, dogs!").terms == ("dog", "on")
    unknown = index.query("zeppelins")
    assert (unknown.terms, unknown.rowids.tolist(), unknown.scores.tolist()) == ((), [], [])


@pytest.mark.parametrize("captions", [[], [""], ["a", "<start> <end>"]], ids=["none", "empty", "no terms"])
def test_an_index_without_terms_answers_nothing(captions: list[str]) -> None:
    """A profile whose captions say nothing is no error."""
    assert found(fit_texts(enumerate(captions)), "dog") == []


def test_rowids_need_not_be_consecutive() -> None:
    """Answers name rows of the store, not places in the index."""
    assert found(fit_texts([(10**12, "dog"), (7, "cat")]), "dog") == [10**12]


def test_what_is_loaded_is_what_was_fitted(store: StoreWriter, paths: ProfilePaths) -> None:
    """Every array, every term."""
    fitted, loaded = fit(store, paths), Index.load(paths)

    assert (loaded.analyser, loaded.generation, loaded.terms) == (fitted.analyser, fitted.generation, fitted.terms)
    for name, dtype in words.DTYPES.items():
        assert getattr(loaded, name).dtype == dtype
        np.testing.assert_array_equal(getattr(loaded, name), getattr(fitted, name))


def test_the_pickled_vectorizer_answers_as_the_arrays_do(store: StoreWriter, paths: ProfilePaths) -> None:
    """The two forms of one fit agree."""
    index = fit(store, paths)
    vectorizer = joblib.load(paths.indexes / "stemmed" / "g00000001" / "vectorizer.joblib")
    cosines = (vectorizer.transform(CAPTIONS) @ vectorizer.transform(["people on a beach"]).T).toarray().ravel()
    ranking = index.query("people on a beach")

    assert dict(zip(ranking.rowids.tolist(), ranking.scores.tolist(), strict=True)) == {
        place: pytest.approx(score) for place, score in enumerate(cosines, start=1) if score
    }


def test_another_text_can_be_indexed(store: StoreWriter, paths: ProfilePaths) -> None:
    """What of a photo is searched is the caller's choice."""
    fit(store, paths, text_of=lambda description, photo: f"{description.caption} zebra" if photo.id == CAPTIONS[2] else "")

    assert found(Index.load(paths), "zebras") == [3]


def test_rankers_lie_side_by_side(store: StoreWriter, paths: ProfilePaths) -> None:
    """Fitting one leaves the other."""
    for analyser in ANALYSERS:
        fit(store, paths, analyser=analyser)

    assert {analyser: found(Index.load(paths, analyser=analyser), "dog") for analyser in ANALYSERS} == {"seed": [3], "stemmed": [3, 4]}


def test_an_index_is_current_until_something_new_is_described(store: StoreWriter, paths: ProfilePaths) -> None:
    """It knows the generation that it was fitted on."""
    assert not is_current(store, paths)
    fit(store, paths)
    assert is_current(store, paths)
    add(store, "a cat")
    assert not is_current(store, paths)
    assert not Index.load(paths).is_current(store)


def test_an_index_of_an_older_igsearch_is_fitted_again(store: StoreWriter, paths: ProfilePaths) -> None:
    """Its terms are others. A search says what to do in one line; a run fits it from the captions that are there."""
    fit(store, paths)
    rewritten(format_version=1)(paths.indexes / "stemmed" / "g00000001")

    with pytest.raises(NotIndexedError, match=r"^the index of 'natgeo' was made by an older igsearch: run igsearch index natgeo, which keeps its captions$"):
        Index.load(paths)
    assert not is_current(store, paths)
    fit(store, paths)
    assert is_current(store, paths)
    assert found(Index.load(paths), "dog") == [3, 4]


@pytest.mark.usefixtures("store")
def test_a_profile_without_index_says_what_to_do(paths: ProfilePaths) -> None:
    """A run that was killed before its first fit."""
    with pytest.raises(NotIndexedError, match="run igsearch index natgeo"):
        Index.load(paths)


def test_the_index_before_stays_for_readers(store: StoreWriter, paths: ProfilePaths) -> None:
    """One generation back is kept, older ones go; a refit of the same generation takes its place."""
    folder = paths.indexes / "stemmed"
    for _ in range(3):
        fit(store, paths)
        add(store, f"cat {store.generation}")
    assert sorted(path.name for path in folder.iterdir()) == ["g00000002", "g00000003"]

    for _ in range(12):
        fit(store, paths)
    assert sorted(path.name for path in folder.iterdir()) == ["g00000004.10", "g00000004.11"]
    assert Index.load(paths).generation == 4


def test_an_index_of_a_store_that_is_gone_is_replaced(store: StoreWriter, paths: ProfilePaths) -> None:
    """A store restored from a backup counts lower than the index that was left."""
    fit(store, paths)
    (paths.indexes / "stemmed" / "g00000001").rename(paths.indexes / "stemmed" / "g00000042")
    fit(store, paths)

    assert [path.name for path in (paths.indexes / "stemmed").iterdir()] == ["g00000001"]


def test_what_killed_fits_left_is_removed(store: StoreWriter, paths: ProfilePaths) -> None:
    """An hour later; a fit under way in another process is left alone."""
    folder = paths.indexes / "stemmed"
    for name, age in (("old", 2 * words.ABANDONED_SECONDS), ("young", 0)):
        (folder / f".unfinished-{name}").mkdir(parents=True)
        (folder / f".unfinished-{name}" / "index.npz").touch()
        os.utime(folder / f".unfinished-{name}", (time.time() - age,) * 2)
    fit(store, paths)

    assert sorted(path.name for path in folder.iterdir()) == [".unfinished-young", "g00000001"]


class Killed(BaseException):
    """The end of the process, as far as a test can play it."""


def killed(*_: object, **__: object) -> None:
    """Instead of a step."""
    raise Killed


@pytest.mark.parametrize(
    ("step", "is_published"),
    [
        ("joblib.dump", False),
        ("numpy.savez", False),
        ("pathlib.Path.write_text", False),
        ("os.fsync", False),
        ("pathlib.Path.rename", False),
        ("shutil.rmtree", True),
    ],
    ids=str,
)
def test_a_kill_between_any_two_steps_leaves_a_whole_index(
    store: StoreWriter, paths: ProfilePaths, monkeypatch: pytest.MonkeyPatch, step: str, is_published: bool
) -> None:
    """The one before, until the new one is published."""
    for caption in ("a cat", "an owl"):
        fit(store, paths)
        add(store, caption)
    with monkeypatch.context() as patch:
        patch.setattr(step, killed)
        with pytest.raises(Killed):
            fit(store, paths)

    assert Index.load(paths).generation == (3 if is_published else 2)
    fit(store, paths)
    assert found(Index.load(paths), "owl") == [7]


def test_a_full_disk_is_told(store: StoreWriter, paths: ProfilePaths, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old index stays in use."""
    fit(store, paths)

    def full(_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CacheError, match="No space left on device"):
        fit(store, paths)
    assert found(Index.load(paths), "dog") == [3, 4]


def test_a_reader_survives_the_removal_of_what_it_found(store: StoreWriter, paths: ProfilePaths, monkeypatch: pytest.MonkeyPatch) -> None:
    """It looks again and reads the newer one."""
    fit(store, paths)
    read = Path.read_bytes

    def overtaken(path: Path) -> bytes:
        if path.parent.name == "g00000001":
            for caption in ("a cat", "an owl"):
                add(store, caption)
                fit(store, paths)
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", overtaken)
    assert Index.load(paths).generation == 3


def rewritten(**changes: object) -> Callable[[Path], None]:
    """A forger who changes arrays, or lines of index.json, and corrects the checksum."""

    def spoil(folder: Path) -> None:
        with np.load(folder / "index.npz") as arrays:
            named = dict(arrays)
        contents = json.loads((folder / "index.json").read_text())
        for name, value in changes.items():
            target = named if name in named else contents
            target[name] = value(target[name]) if callable(value) else value
        packed = io.BytesIO()
        np.savez(packed, **named)
        contents["sha256"] = hashlib.sha256(packed.getvalue()).hexdigest()
        (folder / "index.npz").write_bytes(packed.getvalue())
        (folder / "index.json").write_text(json.dumps(contents))

    return spoil


def changed(array: np.ndarray, place: int, value: float) -> np.ndarray:
    """A copy with one element changed."""
    array = array.copy()
    array[place] = value
    return array


def written(name: str, change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    """A file whose bytes change."""

    def spoil(folder: Path) -> None:
        (folder / name).write_bytes(change((folder / name).read_bytes()))

    return spoil


class Trap:
    """Unpickled, it would leave a file behind."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        """What unpickling runs."""
        return Path.touch, (Path("sprung"),)


DAMAGES: dict[str, Callable[[Path], None]] = {
    "arrays cut": written("index.npz", lambda data: data[:-100]),
    "one bit": written("index.npz", lambda data: data[:200] + bytes([data[200] ^ 1]) + data[201:]),
    "arrays empty": written("index.npz", lambda _: b""),
    "arrays gone": lambda folder: (folder / "index.npz").unlink(),
    "contents gone": lambda folder: (folder / "index.json").unlink(),
    "contents cut": written("index.json", lambda data: data[: len(data) // 2]),
    "contents a list": written("index.json", lambda _: b"[1]"),
    "contents nested": written("index.json", lambda _: b"[" * 100_000),
    "contents no text": written("index.json", lambda _: b"\xff\xfe\x00"),
    "newer format": rewritten(format_version=99),
    "other analyser": rewritten(analyser="seed"),
    "term twice": rewritten(terms=lambda terms: [*terms[:-1], terms[0]]),
    "term missing": rewritten(terms=lambda terms: terms[:-1]),
    "fewer documents": rewritten(rowids=lambda rowids: rowids[:-1]),
    "document too high": rewritten(documents=lambda documents: changed(documents, 0, 5)),
    "document negative": rewritten(documents=lambda documents: changed(documents, 0, -1)),
    "weights too few": rewritten(weights=lambda weights: weights[:-1]),
    "weight is no number": rewritten(weights=lambda weights: changed(weights, 0, math.nan)),
    "idf is infinite": rewritten(idf=lambda idf: changed(idf, 0, math.inf)),
    "idf is zero": rewritten(idf=lambda idf: changed(idf, 0, 0)),
    "idf too long": rewritten(idf=lambda idf: np.append(idf, 1.0)),
    "postings overlap": rewritten(indptr=lambda indptr: changed(indptr, 1, 1000)),
    "postings too many": rewritten(indptr=lambda indptr: changed(indptr, -1, indptr[-1] + 1)),
    "other type": rewritten(documents=lambda documents: documents.astype(float)),
    "two dimensions": rewritten(weights=lambda weights: weights[:, None]),
    "pickled array": rewritten(rowids=np.array([Trap()] * 5, dtype=object)),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_index_is_told_in_one_line_and_rebuilt(
    store: Store, paths: ProfilePaths, damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing in the files can send a query outside its arrays or run code; a new fit mends it."""
    monkeypatch.chdir(tmp_path)
    fit(store, paths)
    DAMAGES[damage](paths.indexes / "stemmed" / "g00000001")

    with pytest.raises(StoreError, match="run igsearch index natgeo to rebuild it") as caught:
        Index.load(paths)
    assert "\n" not in str(caught.value)
    assert not Path("sprung").exists()
    assert not is_current(store, paths)
    fit(store, paths)
    assert found(Index.load(paths), "dog") == [3, 4]


def test_the_trap_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above would see code that ran."""
    monkeypatch.chdir(tmp_path)
    pickle.loads(pickle.dumps(Trap()))  # noqa: S301 -- made one line above

    assert Path("sprung").exists()


SEARCH = """
import sys
from pathlib import Path
from igsearch.paths import ProfilePaths
from igsearch.store.reader import Store
from igsearch.ranking.words import Index
paths = ProfilePaths.of(Path(sys.argv[1]), "natgeo")
with Store.open(paths) as store:
    index = Index.load(paths)
    ranking = index.query("dogs")
    print([one.photo.id for one in store.photos_by_rowid(ranking.rowids).values()])
    print(index.matched_words("two dogs run", "dogs"))
print({"sklearn", "scipy", "joblib", "torch", "pandas", "PIL", "snowballstemmer", "regex"} & {name.partition(".")[0] for name in sys.modules})
"""


def test_a_search_imports_numpy_alone(store: StoreWriter, paths: ProfilePaths) -> None:
    """Neither scikit-learn nor what it brings, nor the stemmer for words that captions use; and it needs no right to write."""
    fit(store, paths)
    done = subprocess.run([sys.executable, "-c", SEARCH, str(paths.root.parent.parent)], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines() == [str([CAPTIONS[2], CAPTIONS[3]]), "('dogs',)", "set()"]


def test_many_documents_are_answered() -> None:
    """Tens of thousands of captions, most of them matching: every one is ranked once."""
    index = fit_texts((number, f"dog {number % 97} {'beach' if number % 3 else ''}") for number in range(20_000))
    ranking = index.query("a dog on the beach 42")

    assert sorted(ranking.rowids.tolist()) == list(range(20_000))
    assert {int(rowid) % 97 for rowid in ranking.rowids[:100]} == {42}
