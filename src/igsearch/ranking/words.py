"""Cosine TF-IDF over the texts of a profile: fit, persist, load, query. docs/store-format.md describes the files for other programs.

Fitting is scikit-learn's TfidfVectorizer with its defaults (raw counts, smoothed idf, L2 norm) on the terms of `igsearch.text`. Its fit is kept twice: pickled,
for a notebook, and as plain arrays, from which a query is answered with numpy alone: loading them is fast and runs nobody's code.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np

from igsearch.errors import CacheError, NotIndexedError, StoreError
from igsearch.text import ANALYSERS, DEFAULT_ANALYSER, folded, matched_words, query_terms, stem_of, stemmed_terms

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sklearn.feature_extraction.text import TfidfVectorizer

    from igsearch.paths import ProfilePaths
    from igsearch.records import Description, Photo
    from igsearch.store.reader import Store

FORMAT_VERSION = 2
"""Also of what the terms are, which 2 changed: an index of another version is fitted again from the store."""

ARRAYS, CONTENTS, VECTORIZER = "index.npz", "index.json", "vectorizer.joblib"

DTYPES = {"indptr": np.int64, "documents": np.int32, "weights": np.float32, "idf": np.float64, "rowids": np.int64}
"""The arrays of `index.npz`, all of one dimension."""

ABANDONED_SECONDS = 3600
"""An unfinished folder untouched for this long belongs to a process that was killed."""

N_TRIES = 5
"""A reader looks again this often when the folder it has just found is removed by a writer that published two newer ones."""

MAX_WORDS_CORRECTED = 8
_WORD = re.compile(r"\w{3,}")
_FOLDER = re.compile(r"g(\d{8,18})(?:\.(\d{1,9}))?")


class _OlderFormatError(Exception):
    """An index is whole, and of a format that was left."""


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """The documents that share a term with a query, best first; ties in the order of the documents. `terms` are those of the query that any document has."""

    rowids: NDArray[np.int64]
    scores: NDArray[np.float64]
    terms: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Index:
    """A fit as arrays: the columns of scikit-learn's document-term matrix, whose rows have norm 1, or 0 where a text has no terms.

    The documents with term number t are `documents[indptr[t]:indptr[t + 1]]`, their `weights` lie at the same places; `rowids` gives each document's row in the
    store. `stems` has the term of every word in them, so that a query in those words need not load the stemmer.
    """

    analyser: str
    generation: int
    terms: dict[str, int]
    idf: NDArray[np.float64]
    indptr: NDArray[np.int64]
    documents: NDArray[np.int32]
    weights: NDArray[np.float32]
    rowids: NDArray[np.int64]
    stems: dict[str, str]

    @classmethod
    def load(cls, paths: ProfilePaths, *, analyser: str = DEFAULT_ANALYSER) -> Index:
        """The newest index on disk. Raises NotIndexedError if there is none or an older igsearch fitted it, StoreError if it is damaged."""
        name = paths.root.name
        for _ in range(N_TRIES):
            folders = _published(paths.indexes / analyser)
            if not folders:
                raise NotIndexedError(f"nothing of {name!r} can be searched yet: run igsearch index {name}")
            try:
                return _read(folders[-1], analyser)
            except FileNotFoundError as err:
                missing = err
            except _OlderFormatError as err:
                raise NotIndexedError(f"the index of {name!r} was made by an older igsearch: run igsearch index {name}, which keeps its captions") from err
            except (OSError, ValueError, KeyError, TypeError, EOFError, MemoryError, RecursionError, BadZipFile) as err:
                raise _damaged(paths, folders[-1], err) from err
        raise _damaged(paths, folders[-1], missing) from missing

    def is_current(self, store: Store) -> bool:
        """Whether the store has changed nothing searchable since the fit."""
        return self.generation == store.generation

    def query(self, text: str) -> Ranking:
        """All documents with a cosine similarity to `text` above 0."""
        counts = Counter(term for term in query_terms(text, self.analyser, self.stem) if term in self.terms)
        weights = {term: count * float(self.idf[self.terms[term]]) for term, count in counts.items()}
        norm = math.hypot(*weights.values())
        scores = np.zeros(len(self.rowids))
        for term, weight in weights.items():
            postings = slice(*self.indptr[self.terms[term] : self.terms[term] + 2])
            scores[self.documents[postings]] += weight / norm * self.weights[postings]
        hits = np.flatnonzero(scores > 0)
        ranked = hits[np.argsort(-scores[hits], kind="stable")]
        # Weights of single precision can lift the cosine of equal texts a hair above 1.
        return Ranking(self.rowids[ranked], np.minimum(scores[ranked], 1), tuple(counts))

    def stem(self, word: str) -> str:
        """As `igsearch.text.stem_of`, without the stemmer for a word that a document has."""
        return self.stems.get(word) or stem_of(word)

    def matched_words(self, text: str, query: str) -> tuple[str, ...]:
        """As `igsearch.text.matched_words`."""
        return matched_words(text, query, self.analyser, self.stem)

    def did_you_mean(self, text: str) -> str | None:
        """`text` with each word that no document has replaced by the one most like it that documents have; None where there is none."""
        from igsearch.spelling import did_you_mean

        unknown = [word for word in _WORD.findall(text)[:MAX_WORDS_CORRECTED] if self.stem(folded(word)) not in self.terms]
        others = {word: other for word in unknown if (other := did_you_mean(folded(word), self.stems, self._rarity)) is not None}
        return _WORD.sub(lambda word: others.get(word.group(), word.group()), text) if others else None

    def _rarity(self, word: str) -> float:
        return float(self.idf[self.terms[self.stems[word]]]) if self.stems[word] in self.terms else math.inf


def searched_text(description: Description, photo: Photo) -> str:  # noqa: ARG001 - what the source says of a photo is kept, and not searched yet
    """What a photo is found by: its best caption, counted twice, the runners-up, the labels, and the objects found in it.

    benchmarks/recall.py measures what the first three bring. An object counts once, however many of it there are.
    """
    runners_up = (one.caption for one in description.alternatives)
    labels, objects = (one.name for one in description.labels), (one.name for one in description.objects or ())
    return " ".join([description.caption, description.caption, *runners_up, *labels, *objects])


def fit(store: Store, paths: ProfilePaths, *, analyser: str = DEFAULT_ANALYSER, text_of: Callable[[Description, Photo], str] = searched_text) -> Index:
    """Fit an index on every described photo and publish it, whole or not at all, in place of the one before. Raises CacheError if it cannot be written."""
    generation = store.generation
    documents = ((rowid, text_of(description, photo)) for rowid, description, photo in store.documents())
    vectorizer, index = _fitted(documents, analyser, generation)
    try:
        published = _publish(vectorizer, index, paths.indexes / analyser)
        _tidy(published, newest=store.generation)
    except OSError as err:
        raise CacheError(f"the index of {paths.root.name!r} cannot be written ({err.strerror}): make room, or choose another place with --cache-dir") from err
    return index


def fit_texts(documents: Iterable[tuple[int, str]], *, analyser: str = DEFAULT_ANALYSER) -> Index:
    """An index of (rowid, text) in memory; nothing is written."""
    return _fitted(documents, analyser, generation=0)[1]


def newest_folder(paths: ProfilePaths, *, analyser: str = DEFAULT_ANALYSER) -> Path | None:
    """Where the index that `Index.load` reads lies, if there is one; a new fit never changes a folder, it makes another."""
    return next(reversed(_published(paths.indexes / analyser)), None)


def is_current(store: Store, paths: ProfilePaths, *, analyser: str = DEFAULT_ANALYSER) -> bool:
    """Whether the index on disk is whole and holds everything in the store."""
    try:
        return Index.load(paths, analyser=analyser).is_current(store)
    except (NotIndexedError, StoreError):
        return False


def _fitted(documents: Iterable[tuple[int, str]], analyser: str, generation: int) -> tuple[TfidfVectorizer, Index]:
    """The vectorizer and its arrays; without a single term the vectorizer stays unfitted, since scikit-learn refuses, and the index is empty."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    rowids: list[int] = []
    stems: dict[str, str] = {}
    has_terms = False

    def stem(word: str) -> str:
        return stems.get(word) or stems.setdefault(word, stem_of(word))

    analyse = partial(stemmed_terms, stem=stem) if analyser == "stemmed" else ANALYSERS[analyser]
    vectorizer = TfidfVectorizer(analyzer=analyse)

    def texts() -> Iterator[str]:
        nonlocal has_terms
        for rowid, text in documents:
            rowids.append(rowid)
            has_terms = has_terms or bool(analyse(text))
            yield text

    try:
        matrix = vectorizer.fit_transform(texts()).tocsc()
    except ValueError:
        if has_terms:
            raise
        vectorizer.set_params(analyzer=ANALYSERS[analyser])
        return vectorizer, _index(analyser, generation, {}, stems, indptr=[0], documents=[], weights=[], idf=[], rowids=rowids)
    vectorizer.set_params(analyzer=ANALYSERS[analyser])
    terms = {str(term): number for number, term in enumerate(vectorizer.get_feature_names_out())}
    arrays = {"indptr": matrix.indptr, "documents": matrix.indices, "weights": matrix.data, "idf": vectorizer.idf_, "rowids": rowids}
    return vectorizer, _index(analyser, generation, terms, stems, **arrays)


def _index(analyser: str, generation: int, terms: dict[str, int], stems: dict[str, str], **arrays: Any) -> Index:  # noqa: ANN401 -- lists and arrays of several types
    return Index(analyser, generation, terms, **{name: np.asarray(arrays[name], dtype) for name, dtype in DTYPES.items()}, stems=stems)


def _publish(vectorizer: TfidfVectorizer, index: Index, folder: Path) -> Path:
    """Write the index's files aside and rename them into place at once."""
    import joblib

    unfinished = folder / f".unfinished-{os.getpid()}-{time.time_ns()}"
    unfinished.mkdir(parents=True)
    joblib.dump(vectorizer, unfinished / VECTORIZER)
    packed = io.BytesIO()
    np.savez(packed, allow_pickle=False, **{name: getattr(index, name) for name in DTYPES})
    (unfinished / ARRAYS).write_bytes(packed.getbuffer())
    contents = {
        "format_version": FORMAT_VERSION,
        "analyser": index.analyser,
        "generation": index.generation,
        "n_documents": len(index.rowids),
        "sha256": hashlib.sha256(packed.getbuffer()).hexdigest(),
        "terms": list(index.terms),
        "stems": index.stems,
    }
    (unfinished / CONTENTS).write_text(json.dumps(contents, ensure_ascii=False), encoding="utf-8")
    for path in (*unfinished.iterdir(), unfinished):
        _sync(path)
    published = _put_in_place(unfinished, index.generation)
    _sync(folder)
    return published


def _put_in_place(unfinished: Path, generation: int) -> Path:
    """Rename to the generation's folder; to the next free `.1`, `.2`, … if that generation was fitted before."""
    taken = [attempt for number, attempt in map(_key, _published(unfinished.parent)) if number == generation]
    attempt = max(taken, default=-1) + 1
    return unfinished.rename(unfinished.with_name(f"g{generation:08d}.{attempt}" if attempt else f"g{generation:08d}"))


def _tidy(published: Path, *, newest: int) -> None:
    """Remove what nobody can still want.

    Those are all indexes older than the one before `published`, which a reader may just have opened; those of a generation above `newest`, fitted on a store
    that is no longer there; and what killed processes left behind.
    """
    import shutil

    folders = _published(published.parent)
    older = [path for path in folders if _key(path) < _key(published)]
    foreign = [path for path in folders if _key(path)[0] > newest]
    left_behind = [path for path in published.parent.glob(".unfinished-*") if time.time() - path.stat().st_mtime > ABANDONED_SECONDS]
    for path in (*older[:-1], *foreign, *left_behind):
        shutil.rmtree(path, ignore_errors=True)


def _published(folder: Path) -> list[Path]:
    """The folders of whole indexes, oldest first."""
    try:
        return sorted((path for path in folder.glob("g*") if _FOLDER.fullmatch(path.name)), key=_key)
    except FileNotFoundError:  # it was removed this moment
        return []


def _key(path: Path) -> tuple[int, int]:
    """The generation, and which of its fits, of a published folder."""
    generation, _, attempt = path.name.removeprefix("g").partition(".")
    return int(generation), int(attempt or 0)


def _sync(path: Path) -> None:
    """Have the disk keep a file or a folder before the next step; Windows cannot do it for folders."""
    if os.name == "nt" and path.is_dir():
        return
    number = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _read(folder: Path, analyser: str) -> Index:
    """The index in `folder`. Raises OSError, ValueError or anything that numpy and zipfile raise for damaged bytes."""
    contents = json.loads((folder / CONTENTS).read_text(encoding="utf-8"))
    if (version := contents["format_version"]) != FORMAT_VERSION:
        raise _OlderFormatError if version in range(1, FORMAT_VERSION) else ValueError(f"format {version}, known here: {FORMAT_VERSION}")
    packed = (folder / ARRAYS).read_bytes()
    if hashlib.sha256(packed).hexdigest() != contents["sha256"]:
        raise ValueError("its checksum differs")
    with np.load(io.BytesIO(packed), allow_pickle=False) as arrays:
        named = {name: arrays[name] for name in DTYPES}
    terms = {term: number for number, term in enumerate(contents["terms"])}
    if len(terms) != len(contents["terms"]) or contents["analyser"] != analyser or contents["n_documents"] != len(named["rowids"]):
        raise ValueError("its contents do not match its arrays")
    _check(named, n_terms=len(terms))
    stems = dict(contents["stems"])
    if not all(isinstance(word, str) for pair in stems.items() for word in pair):
        raise ValueError("a stem is no word")
    return Index(analyser, int(contents["generation"]), terms, **named, stems=stems)


def _check(arrays: dict[str, NDArray[Any]], *, n_terms: int) -> None:
    """Every place that a query will look at lies inside its array. Raises ValueError."""
    indptr, documents, weights = arrays["indptr"], arrays["documents"], arrays["weights"]
    if any(arrays[name].dtype != dtype or arrays[name].ndim != 1 for name, dtype in DTYPES.items()):
        raise ValueError("its arrays are of other types")
    if len(indptr) != n_terms + 1 or len(arrays["idf"]) != n_terms or len(documents) != len(weights):
        raise ValueError("its arrays differ in length")
    if indptr[0] != 0 or indptr[-1] != len(documents) or np.any(np.diff(indptr) < 0):
        raise ValueError("its postings overlap")
    if len(documents) and (documents.min() < 0 or documents.max() >= len(arrays["rowids"])):
        raise ValueError("a posting names no document")
    if not (np.isfinite(weights).all() and np.isfinite(arrays["idf"]).all() and (arrays["idf"] > 0).all()):
        raise ValueError("a weight is no number")


def _damaged(paths: ProfilePaths, folder: Path, err: Exception) -> StoreError:
    name = paths.root.name
    return StoreError(f"the index of {name!r} in {folder.name} is damaged ({err}): run igsearch index {name} to rebuild it")
