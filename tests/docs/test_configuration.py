"""docs/configuration.md has the settings that the code has."""

from __future__ import annotations

import json
import re
from dataclasses import fields

import pytest

from shared.rules.senders import KINDS, parse_senders
from shared.settings import Settings, describe, load
from tests.docs import documents
from tests.support.settings import minimal
from tools import settings_table

TEXT = documents.named("configuration")
SOURCES = [
    documents.read(path)
    for folder in ("functions", "shared")
    for path in (documents.ROOT / folder).rglob("*.py")
    if path.name != "settings.py"
]


def test_tables_are_current() -> None:
    """The tables are those that the code makes: `python -m tools.settings_table --write`."""
    assert settings_table.with_tables(TEXT) == TEXT


def test_every_setting_is_there() -> None:
    """Each setting has a row, with its sentence."""
    listed = {
        row[0].strip("`"): row[1] for row in documents.rows(documents.section(TEXT, "Settings"))
    }
    assert listed == {item.name: item.about for item in describe()}


def test_every_kind_is_explained() -> None:
    """What a kind means for STOP is said of each kind."""
    table = documents.section(TEXT, "What a kind means for STOP")
    said = {cell.split("`")[0] for cell in documents.first_cells(table)}
    assert said == {str(kind) for kind in KINDS}


def test_the_example_is_a_setting() -> None:
    """The example of the senders setting is one that the app would start with."""
    example = next(block for block in documents.blocks(TEXT) if block.language == "json")
    assert len(parse_senders(example.text)) == len(json.loads(example.text))


def test_members_of_a_sender_are_listed() -> None:
    """The table of a sender's members has those that the reader knows, and no others."""
    listed = [
        row[0].strip("`")
        for row in documents.rows(documents.section(TEXT, "Senders").partition("\n### ")[0])
        if len(row) == 3
    ]
    for member in listed:
        with pytest.raises(ValueError, match=member):
            parse_senders(json.dumps([{"sender": "24680", member: {}}]))
    with pytest.raises(ValueError, match="unknown member") as refused:
        parse_senders(json.dumps([{"sender": "24680", "unknown": 1}]))
    known = str(refused.value).partition("known are ")[2]
    assert sorted(listed) == json.loads(known.replace("'", '"'))


def test_what_never_changes_is_said() -> None:
    """A setting whose sentence says that it is never changed is so in the table of changes."""
    table = documents.section(TEXT, "Changing settings during a deployment's life")
    never = {row[0].strip("`") for row in documents.rows(table) if row[1].startswith("never")}
    assert never == {item.name for item in describe() if "never changed" in item.about}


def test_what_nothing_heeds_is_said() -> None:
    """A setting that no code uses yet is named as such, and one that is used is not."""
    said = re.search(r"heeded by nothing yet: (.*?)\.\n", TEXT, re.DOTALL)
    unused = {
        item.metadata["name"]
        for item in fields(Settings)
        if not any(re.search(rf"settings\.{item.name}\b", source) for source in SOURCES)
    }
    assert set(re.findall(r"`(\w+)`", said[1] if said else "")) == unused


def test_a_default_is_what_would_be_typed() -> None:
    """Each default in the table, given as the setting's value, changes nothing."""
    shown = {
        row[0].strip("`"): row[3].strip("`")
        for row in documents.rows(documents.section(TEXT, "Settings"))
        if row[3]
    }
    assert shown
    assert load({**minimal(), **shown}) == load(minimal())


def test_required_settings_have_no_default() -> None:
    """A setting that must be given shows no default, so that nobody relies on one."""
    assert len(describe()) == len(Settings.__dataclass_fields__)
    for row in documents.rows(documents.section(TEXT, "Settings")):
        assert not (row[2] and row[3])
