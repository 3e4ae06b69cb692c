"""The data files: what they must hold, and that a language is added without touching code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shared.rules.reading import Reader, Verdict
from shared.rules.reading.language import BadLanguage, own_languages, read_language
from tools.package import ROOT, files

TOY: dict[str, Any] = {
    "language": "eo",
    "name": "Esperanto",
    "keywords": [
        {"verdict": "revoke", "word": "HALTU", "spellings": ["ĉesu"], "source": "a test"},
        {"verdict": "help", "word": "HELPU", "source": "a test"},
    ],
    "otherWords": {"none": ["salutu"]},
    "courtesies": ["bonvolu"],
    "classes": {"end": ["ĉesu", "haltigu"], "ours": ["mesaĝ*", "tekstojn"], "other": ["mendon"]},
    "patterns": [
        {"rule": "stop-texts", "verdict": "revoke", "match": ["<end> la? ~1 <ours>"]},
        {"rule": "elsewhere", "verdict": "none", "match": ["<end> la? <other>"]},
    ],
}


def written(folder: Path, language: Any) -> Path:
    path = folder / "eo.json"
    path.write_text(json.dumps(language), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "verdict", "rule"),
    [
        ("Haltu!", Verdict.REVOKE, "keyword/HALTU"),
        ("bonvolu cesu", Verdict.REVOKE, "keyword/HALTU"),
        ("hatlu", Verdict.REVOKE, "keyword/HALTU"),
        ("helpu", Verdict.HELP, "keyword/HELPU"),
        ("Haltigu la stultajn mesaĝojn", Verdict.REVOKE, "eo/stop-texts"),
        ("haltigu la mendon", Verdict.NONE, "eo/elsewhere"),
        ("saluton al vi", Verdict.NONE, None),
    ],
)
def test_a_language_is_a_file(
    tmp_path: Path, text: str, verdict: Verdict, rule: str | None
) -> None:
    """A file alone teaches a language: keywords, near misses, stems, grammar."""
    reading = Reader([read_language(written(tmp_path, TOY))]).read(text)
    assert (reading.verdict, reading.rule) == (verdict, rule)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"keyword": []}, "no member keyword"),
        ({"keywords": [{"verdict": "revoke", "word": "X", "source": ""}]}, "names no source"),
        ({"keywords": [{"verdict": "stop", "word": "X", "source": "a test"}]}, "stop"),
        ({"classes": {}}, "there is no class <end>"),
        ({"classes": {"end": ["<end>"], "ours": [], "other": []}}, "names itself"),
        (
            {"patterns": [{"rule": "x", "verdict": "revoke", "scope": "some", "match": ["a"]}]},
            "unknown scope some",
        ),
        ({"patterns": [{"rule": "x", "verdict": "ask", "match": ["a b?"]}]}, "always there"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(
    tmp_path: Path, changes: dict[str, Any], told: str
) -> None:
    """A contributor is told which file, and what is wrong in it."""
    with pytest.raises(BadLanguage, match=told) as caught:
        read_language(written(tmp_path, TOY | changes))
    assert "eo.json" in str(caught.value)


def test_each_language_has_the_verdicts() -> None:
    """Every language that comes with Parley revokes, resumes and helps, by words with a source."""
    languages = own_languages()
    assert [language.code for language in languages] == ["en", "de", "es", "fr", "ko", "pt"]
    for language in languages:
        verdicts = {keyword.verdict for keyword in language.keywords}
        assert {Verdict.REVOKE, Verdict.RESUME, Verdict.HELP} <= verdicts, language.code


def test_another_word_is_no_keyword() -> None:
    """What looks like a keyword and is not one is no keyword of the same language."""
    for language in own_languages():
        spellings = {spelling for each in language.keywords for spelling in each.spellings}
        assert not spellings & language.other_words.keys(), language.code


def test_data_files_are_shipped() -> None:
    """The package that is deployed holds every language."""
    shipped = {path.as_posix() for path in files(ROOT)}
    folder = ROOT / "shared" / "rules" / "reading" / "languages"
    wanted = {path.relative_to(ROOT).as_posix() for path in folder.iterdir()}
    assert wanted
    assert wanted <= shipped
