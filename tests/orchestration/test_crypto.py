"""Secrets at rest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration import crypto


@given(st.text(), st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=50))
def test_a_secret_comes_back_in_its_own_context(text: str, context: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        return

    assert crypto.decrypt(crypto.encrypt(text, context), context) == text


def test_the_ciphertext_does_not_show_the_secret_and_differs_each_time() -> None:
    first, second = (crypto.encrypt("sk-1234567890", "connection:1:1") for _ in range(2))

    assert b"sk-1234567890" not in first
    assert first != second


@pytest.mark.parametrize("context", ["connection:1:2", "connection:2:1", "", "connection:1:1 "])
def test_a_secret_copied_to_another_place_stays_shut(context: str) -> None:
    secret = crypto.encrypt("sk-1234567890", "connection:1:1")

    with pytest.raises(crypto.CannotDecrypt):
        crypto.decrypt(secret, context)


def test_a_changed_byte_is_noticed() -> None:
    secret = bytearray(crypto.encrypt("sk", "c"))
    secret[20] ^= 1

    with pytest.raises(crypto.CannotDecrypt, match="Enter it again"):
        crypto.decrypt(bytes(secret), "c")


def test_an_old_key_still_opens_until_the_secret_is_rotated(settings) -> None:
    settings.BATON_ENCRYPTION_KEYS = ["old"]
    secret = crypto.encrypt("sk", "c")

    settings.BATON_ENCRYPTION_KEYS = ["new", "old"]
    rotated = crypto.rotate(secret, "c")
    settings.BATON_ENCRYPTION_KEYS = ["new"]

    assert crypto.decrypt(rotated, "c") == "sk"
    with pytest.raises(crypto.CannotDecrypt):
        crypto.decrypt(secret, "c")
    with pytest.raises(crypto.CannotDecrypt):
        crypto.rotate(secret, "c")
