"""The page marks in a caption what the search matched: words.js and igsearch.text tell words apart alike."""

# ruff: noqa: RUF001 -- letters that look alike are what this is about

from __future__ import annotations

import json
import shutil
import subprocess
from itertools import product
from pathlib import Path

import pytest

import igsearch
from igsearch.text import matched_words, matching_spans

NODE = shutil.which("node")
SOURCE = Path(igsearch.__file__).parent / "web" / "static" / "words.js"
SCRIPT = """
import { readFileSync } from "node:fs";
const [source, cases] = JSON.parse(readFileSync(0, "utf8"));
const { marked } = await import(`data:text/javascript,${encodeURIComponent(source)}`);
globalThis.document = { createElement: () => ({}) };
const told = (node) => (typeof node === "string" ? [node, false] : [node.textContent, true]);
console.log(JSON.stringify(cases.map(([caption, matched]) => marked(caption, matched).map(told))));
"""

CAPTIONS = (
    "a dog, two Dogs and an undogged dog's cafe\u0301",
    "<start> the end <end> of the start",
    "7 dogs, 7️⃣ and 70 of ٧",
    "白い犬が走る、白犬と犬。iPhone手机7匹",
    "ｶﾞｲﾄﾞとガイド、がぎ",
    "강아지가 강과 \u1100\u1161\u11bc ㅋㅏ",
    "หมาสีดำกับแม่มา ดื่มน้ำ น้ํา ໝາດຳ ខ្ញុំ\u200bស្រឡាញ់\u200bឆ្កែ ခွေး",
    "दौड़ना, दौडना क्\u200dष क्ष तमिल தமிழ்",
    "🐶🐱 👍🏽👍 👩🏽\u200d🚒 🇫🇷🇫🇮🇫 ❤️❤ ㎏ © ♀",
    "می\u200cخواهم میخواهم مُحَمَّد שָׁלוֹם",
    "犬" * 500 + "\U00020000犬",
)
QUERIES = (
    *(
        "dogs",
        "CAFE",
        "start end",
        "7",
        "犬",
        "白い犬",
        "犬が走",
        "手机",
        "ガイド",
        "がぎ",
        "강아지",
        "강",
        "หมา ดำ",
        "มา",
        "น้ำ",
        "ໝາ",
        "ឆ្កែ",
        "ខ្ញុំស្រឡាញ់",
        "ခွေး",
    ),
    *("दौडना", "क्ष", "தமிழ்", "🐶", "👍", "🚒", "🇫🇮", "❤", "kg", "میخواهم", "محمد", "שלום", "nothing"),
)


@pytest.mark.skipif(NODE is None, reason="no Node on the path: apt install nodejs (Debian), or brew install node")
def test_the_page_marks_what_was_matched() -> None:
    """For every caption and query, the same stretches as `matching_spans` names."""
    asked = list(product(CAPTIONS, QUERIES))
    given = json.dumps([SOURCE.read_text(encoding="utf-8"), [(caption, matched_words(caption, query)) for caption, query in asked]])
    done = subprocess.run([str(NODE), "--input-type=module", "-e", SCRIPT], input=given, capture_output=True, encoding="utf-8", check=True)
    n_marked = 0
    for (caption, query), nodes in zip(asked, json.loads(done.stdout), strict=True):
        assert "".join(text for text, _ in nodes) == caption
        starts = [sum(len(text) for text, _ in nodes[:place]) for place in range(len(nodes))]
        marks = [(start, start + len(text)) for start, (text, is_marked) in zip(starts, nodes, strict=True) if is_marked]
        assert marks == matching_spans(caption, query), (caption, query)
        n_marked += len(marks)
    assert n_marked > 50
