"""Terms are made once: the index, the query and the highlighter must agree on them."""

# ruff: noqa: RUF001 -- letters that look alike are what much of this is about

from __future__ import annotations

import pickle
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer

from igsearch.text import ANALYSERS, MAX_CHARS, matched_words, matching_spans, query_terms, seed_terms, stem_of, stemmed_terms

WRITTEN = st.text(st.sampled_from("abcdefgs AZÉéßﬁ'-.,!\n0_"), max_size=40)
SEVERAL = """dog Dogs café cafe\u0301s 白い犬が走る 犬 白 東京 ネコ ｶﾞｲﾄﾞ ー 강아지가 강아지 강 각 ㅋㅏ หมา น้ำ น้ํา หมาสีดำ ໝາ ឆ្កែ 🐶 👍🏽 👩🏽\u200d🚒 🇫🇷 🇫 ❤️ दौड़
    रहा می\u200cخواهم ۷ 7 7️⃣ <start> <END> ß _ ㎏ © é"""
SCRIPTS = st.lists(st.sampled_from([*SEVERAL.split(), " ", ", ", "\u200b", "\u200d", "\ufe0f", "\u0301"]), max_size=8).map("".join)


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("A man WALKS down the street", ["man", "walks", "down", "the", "street"]),
        (" <start> a group of people <end> ", ["group", "of", "people"]),
        ("the end of the start", ["the", "end", "of", "the", "start"]),
        ("<unk><pad>", []),
        ("snow_white 4k x", ["snow_white", "4k"]),
        ("", []),
    ],
    ids=["case and single letters", "markers", "words that look like markers", "markers only", "underscores and digits", "empty"],
)
def test_seed_terms_are_plain_tokens(text: str, terms: list[str]) -> None:
    """Lower-case tokens of two or more word characters, without the captioner's markers."""
    assert seed_terms(text) == terms


@given(st.text())
def test_seed_terms_are_those_of_scikit_learn(text: str) -> None:
    """Without markers the seed analyser is TfidfVectorizer's default one."""
    assert seed_terms(text.replace("<", " ")) == TfidfVectorizer().build_analyzer()(text.replace("<", " "))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("walking", "walks", id="endings"),
        pytest.param("Ponies", "pony", id="plural"),
        pytest.param("women", "Woman", id="irregular plural"),
        pytest.param("STRASSE", "straße", id="sharp s"),
        pytest.param("ﬁshes", "fish", id="ligature"),
        pytest.param("cafe\u0301s", "CAFÉ", id="combining accent"),
        pytest.param("\uff43\uff41\uff54", "cats", id="full width"),
        pytest.param("cafe", "café", id="no accent"),
        pytest.param("Smørrebrød in Łódź", "smorrebrod in lodz", id="stroked letters"),
        pytest.param("Đà Nẵng", "Da Nang", id="two marks"),
        pytest.param("Æther, œuvre, þing", "aether oeuvre thing", id="two letters in one"),
        pytest.param("İstanbul ışık", "ISTANBUL IŞIK", id="Turkish i"),
        pytest.param("foot\u00adball", "football", id="soft hyphen"),
        pytest.param("Hawaiʻi", "hawaii", id="okina"),
        pytest.param("ΚΑΦΈΣ", "καφες", id="Greek accent and last letter"),
        pytest.param("ЁЛКА", "елка", id="Cyrillic"),
        pytest.param("שָׁלוֹם", "שלום", id="Hebrew points"),
        pytest.param("مُحَمَّد", "محمد", id="Arabic vowels"),
        pytest.param("أحـــمد", "احمد", id="Arabic hamza and long strokes"),
        pytest.param("کتاب", "كتاب", id="Persian keyboard"),
        pytest.param("می\u200cخواهم", "میخواهم", id="Persian joiner"),
        pytest.param("दौड़ना", "दौडना", id="Hindi nukta"),
        pytest.param("क़लम", "क\u093cलम", id="Hindi decomposed"),
        pytest.param("क्\u200dष", "क्ष", id="Hindi joiner"),
        pytest.param("が", "か\u3099", id="kana decomposed"),
        pytest.param("ｶﾞｲﾄﾞ", "ガイド", id="kana of half width"),
        pytest.param("\u1100\u1161\u11bc\u110b\u1161", "강아", id="Korean decomposed"),
        pytest.param("น้ำ", "น้ํา", id="Thai decomposed"),
        pytest.param("7", "７", id="full-width digit"),
        pytest.param("७", "7️⃣", id="digits of other scripts, and a key"),
        pytest.param("❤️", "❤", id="emoji presentation"),
        pytest.param("👍🏽", "👍", id="skin tone"),
        pytest.param("👩🏽\u200d🚒", "👩\u200d🚒", id="skin tone inside"),
        pytest.param("🏃\u200d♀️", "🏃", id="gender"),
    ],
)
def test_stemmed_terms_meet(one: str, other: str) -> None:
    """Words that differ in ending, case, accents or encoding alone have one term."""
    assert stemmed_terms(one) == stemmed_terms(other) != []


@pytest.mark.parametrize(
    ("text", "query"),
    [
        pytest.param("एक कुत्ता घास पर दौड़ रहा है", "कुत्ता", id="Hindi"),
        pytest.param("ஒரு நாய் ஓடுகிறது", "நாய்", id="Tamil"),
        pytest.param("একটি কুকুর", "কুকুর", id="Bengali"),
        pytest.param("หมาสีดำวิ่งบนหญ้า", "หมา", id="Thai"),
        pytest.param("แมวดื่มน้ำ", "น้ำ", id="Thai at the end"),
        pytest.param("งูกินหนู", "งู", id="Thai of one character"),
        pytest.param("ໝາດຳແລ່ນ", "ໝາ", id="Lao"),
        pytest.param("ឆ្កែធំកំពុងរត់", "ឆ្កែ", id="Khmer"),
        pytest.param("ខ្ញុំ\u200bស្រឡាញ់\u200bឆ្កែ", "ស្រឡាញ់ឆ្កែ", id="Khmer with invisible blanks"),
        pytest.param("ခွေးကြီးပြေးနေတယ်", "ခွေး", id="Burmese"),
        pytest.param("一只白色的狗在草地上奔跑", "狗", id="Chinese of one character"),
        pytest.param("一只白色的狗在草地上奔跑", "草地", id="Chinese"),
        pytest.param("iPhone手机", "手机", id="Chinese after Latin"),
        pytest.param("白い犬が走る", "犬", id="Japanese of one character"),
        pytest.param("公園のベンチ", "ベンチ", id="Japanese"),
        pytest.param("강아지가 풀밭에서 뛴다", "강아지", id="Korean with a particle"),
        pytest.param("개가 뛴다", "개", id="Korean of one character"),
        pytest.param("7 dogs", "7", id="digit"),
        pytest.param("犬7匹", "7", id="digit between"),
        pytest.param("my 🐶!", "🐶", id="emoji"),
        pytest.param("🐶🐱", "🐱", id="emoji side by side"),
        pytest.param("犬🐶", "犬", id="emoji beside a word"),
        pytest.param("Tour de 🇫🇷", "🇫🇷", id="flag"),
        pytest.param(
            "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
            "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
            id="flag of letters",
        ),
        pytest.param("👩\u200d🚒", "🚒", id="part of an emoji"),
    ],
)
def test_a_word_of_any_script_is_found(text: str, query: str) -> None:
    """Also inside a run without blanks, and where it has one character."""
    assert set(stemmed_terms(text)) & set(query_terms(query))
    assert matched_words(text, query)


@pytest.mark.parametrize(
    ("text", "query"),
    [
        pytest.param("A dog I like, it's", "a I s", id="single letters"),
        pytest.param("és à ø", "a s o", id="single letters with accents"),
        pytest.param("я и ты", "я и", id="single Cyrillic letters"),
        pytest.param("京都", "東京", id="a shared character"),
        pytest.param("แม่มา", "หมา", id="a shared syllable"),
        pytest.param("🇫🇷", "🇫🇮", id="flags"),
        pytest.param("がき", "かき", id="kana"),
        pytest.param("की", "का", id="Hindi vowels"),
        pytest.param("70", "7", id="digits"),
    ],
)
def test_a_query_finds_no_less_than_its_words(text: str, query: str) -> None:
    """A part of a word is no match, nor is a letter that stands alone."""
    assert not set(stemmed_terms(text)) & set(query_terms(query))
    assert matched_words(text, query) == ()


@pytest.mark.parametrize(("one", "other"), [("universe", "unicycle"), ("news", "new"), ("boat", "goat")])
def test_stemmed_terms_keep_words_apart(one: str, other: str) -> None:
    """A stem is no prefix."""
    assert stemmed_terms(one) != stemmed_terms(other)


@pytest.mark.parametrize("analyser", ANALYSERS)
@given(text=st.text(st.characters()))
def test_any_text_is_analysed(analyser: str, text: str) -> None:
    """Surrogates, control characters and every script pass; no term is empty."""
    assert all(ANALYSERS[analyser](text))


@pytest.mark.parametrize("analyser", ANALYSERS)
def test_length_is_bounded(analyser: str) -> None:
    """What lies behind the limit is not read, and one endless word is no problem."""
    assert ANALYSERS[analyser]("word " * MAX_CHARS)[-1] == "word"
    assert len(ANALYSERS[analyser]("word " * MAX_CHARS)) == MAX_CHARS // len("word ")
    assert ANALYSERS[analyser]("ing" * MAX_CHARS) == [("ing" * MAX_CHARS)[:MAX_CHARS]]


@pytest.mark.parametrize("analyser", ANALYSERS)
def test_analysers_can_be_pickled(analyser: str) -> None:
    """A pickled vectorizer finds its analyser again by name."""
    assert pickle.loads(pickle.dumps(ANALYSERS[analyser])) is ANALYSERS[analyser]  # noqa: S301 -- pickled in the same line


@pytest.mark.parametrize(
    ("text", "query", "marked"),
    [
        ("A man's walk, walking home.", "walks", ["walk", "walking"]),
        ("two cafe\u0301s!", "café", ["cafe\u0301s"]),
        ("<start> a dog <end>", "start the end of dogs", ["dog"]),
        ("a ﬁsh", "fishes", ["ﬁsh"]),
        ("白い犬が走る", "白い犬", ["白い犬"]),
        ("หมาสีดำ", "ดำ หมา", ["หมา", "ดำ"]),
        ("ໝາດຳ", "ໝາ", ["ໝາ"]),
        ("go 👩🏽\u200d🚒!", "👩", ["👩🏽\u200d🚒"]),
        ("a dog", "cat", []),
        ("a dog", "", []),
    ],
    ids=["stems and punctuation", "combining accent", "markers", "ligature", "run", "two in a run", "letter of two", "emoji", "no match", "no query"],
)
def test_spans_cover_the_words_that_match(text: str, query: str, marked: list[str]) -> None:
    """Whole words as written are marked, without the punctuation beside them."""
    assert [text[start:end] for start, end in matching_spans(text, query)] == marked


def test_seed_spans_need_the_very_word() -> None:
    """The seed ranker's highlights show what the seed ranker matched."""
    assert matched_words("walk walking", "walk", "seed") == ("walk",)


def test_matched_words_are_listed_once() -> None:
    """A word that stands twice is one word, in the order of first appearance."""
    assert matched_words("dogs and a cat and dogs and a dog", "cat dog") == ("dogs", "cat", "dog")


@pytest.mark.parametrize("analyser", ANALYSERS)
@given(text=WRITTEN | SCRIPTS, query=WRITTEN | SCRIPTS)
def test_spans_agree_with_terms(analyser: str, text: str, query: str) -> None:
    """A caption shares a term with a query exactly when something in it is marked, and the marked words hold all the terms they share."""
    spans = matching_spans(text, query, analyser)
    marked = {term for start, end in spans for term in ANALYSERS[analyser](text[start:end])}
    shared = set(ANALYSERS[analyser](text)) & set(query_terms(query, analyser))

    assert shared <= marked
    assert bool(shared) == bool(spans)
    assert spans == sorted(spans)


def test_import_is_light() -> None:
    """The stemmer is loaded with the first English word, and what knows scripts with the first word of another."""
    code = "import sys; from igsearch.text import stemmed_terms; stemmed_terms('7'); print({'snowballstemmer', 'numpy', 'regex'} & {*sys.modules})"

    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "set()\n"


@pytest.mark.parametrize("text", ["犬" * MAX_CHARS, "หมา" * MAX_CHARS, "a" + "\u0301" * MAX_CHARS, "👩\u200d" * MAX_CHARS, "ㅏ" * MAX_CHARS, "a犬" * MAX_CHARS])
def test_time_is_bounded(text: str) -> None:
    """One endless run, word or emoji costs no more than its length."""
    started = time.process_time()
    matching_spans(text, text)

    assert time.process_time() - started < 5


def test_a_stem_is_asked_for_where_it_is_kept() -> None:
    """Whoever knows the words' terms is asked, in texts, queries and highlights alike."""
    kept = {"dogs": "cat", "cat": "cat"}.get

    def stem(word: str) -> str:
        return kept(word) or stem_of(word)

    assert stemmed_terms("dogs", stem) == query_terms("cat", stem=stem) == ["cat"]
    assert matched_words("two dogs", "cat", stem=stem) == ("dogs",)
    assert stemmed_terms("dogs") == ["dog"]
