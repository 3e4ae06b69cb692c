"""Key parts: any text becomes one that Table Storage takes, and no two texts the same one."""

import re
from hashlib import sha256
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.azure.table_keys import key_part

FORBIDDEN = re.compile(r"[/\\#?\x00-\x1f\x7f-\x9f\ud800-\udfff]")
# Near misses of our own output beside arbitrary text: collisions would hide there.
awkward = st.text(st.sampled_from("%/25sS73ha256-~é\x00\ud800😀"), max_size=250)
lookalikes = st.text().map(lambda text: "sha256-" + sha256(repr(text).encode()).hexdigest())
texts = st.text() | st.text(st.characters(), max_size=250) | awkward | lookalikes


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", ""),
        ("+14255550123", "+14255550123"),
        ("Contoso 24", "Contoso 24"),
        ("a+b|c:d'e~f", "a+b|c:d'e~f"),
        ("Müller 😀", "Müller 😀"),
        ("a/b", "a%2Fb"),
        ("a\\b", "a%5Cb"),
        ("a#b?c", "a%23b%3Fc"),
        ("100%", "100%25"),
        ("%2F", "%252F"),
        ("a\nb\x00", "a%0Ab%00"),
        ("\x7f\x80\x9f\xa0", "%7F%C2%80%C2%9F\xa0"),
        ("\ud800", "%ED%A0%80"),
        ("sha256-", "%73ha256-"),
        ("sha256", "sha256"),
        ("a" * 200, "a" * 200),
        ("/" * 66, "%2F" * 66),
    ],
)
def test_what_storage_refuses_is_encoded(text: str, part: str) -> None:
    """Only what has to be encoded is; keys stay readable for whoever looks at the table."""
    assert key_part(text) == part


@pytest.mark.parametrize("text", ["a" * 201, "/" * 67, "😀" * 101, "sha256-" + "a" * 192])
def test_what_is_too_long_is_hashed(text: str) -> None:
    """The limit holds after encoding, in UTF-16 units."""
    assert re.fullmatch(r"sha256-[0-9a-f]{64}", key_part(text))


@given(texts)
def test_a_part_is_a_valid_key(text: str) -> None:
    """No forbidden character is left, and two parts and what is ours fit into 512 characters."""
    part = key_part(text)
    assert not FORBIDDEN.search(part)
    assert len(part.encode("utf-16-le")) // 2 <= 200


@given(texts)
def test_a_part_can_be_read_back(text: str) -> None:
    """What is not hashed has an inverse, and never looks hashed: so no two texts share a part."""
    part = key_part(text)
    if part.startswith("sha256-"):
        assert re.fullmatch(r"sha256-[0-9a-f]{64}", part)
        assert len(text) > 200 // 6
    else:
        assert unquote_to_bytes(part).decode("utf-8", "surrogatepass") == text


@given(texts, texts)
def test_different_texts_have_different_parts(one: str, other: str) -> None:
    """Two senders or tags never share a row."""
    assert (key_part(one) == key_part(other)) == (one == other)


def test_a_text_cannot_pretend_to_be_a_long_one() -> None:
    """Whoever sends the hash of a long tag as a tag gets a row of their own."""
    long = key_part("a" * 300)
    assert key_part(long) not in {long, key_part("a" * 300)}
