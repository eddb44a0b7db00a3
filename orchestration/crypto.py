"""Secrets at rest: encrypted with keys of the instance, bound to the place they belong to."""

from __future__ import annotations

import base64

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings


class CannotDecrypt(Exception):
    """The secret can't be decrypted: BATON_ENCRYPTION_KEYS changed, or it belongs elsewhere. Enter it again."""

    def __init__(self) -> None:
        super().__init__(type(self).__doc__)


def encrypt(text: str, context: str) -> bytes:
    """Encrypt with the first key. `context` names the owner, as in "connection:<workspace id>:<id>"."""
    return _keys(context).encrypt(text.encode())


def decrypt(secret: bytes, context: str) -> str:
    """Decrypt with whichever key fits; raise CannotDecrypt where none does or the context is another one."""
    try:
        return _keys(context).decrypt(bytes(secret)).decode()
    except InvalidToken as error:
        raise CannotDecrypt from error


def rotate(secret: bytes, context: str) -> bytes:
    """Encrypt again with the first key, after a new one was put in front of BATON_ENCRYPTION_KEYS."""
    try:
        return _keys(context).rotate(bytes(secret))
    except InvalidToken as error:
        raise CannotDecrypt from error


def _keys(context: str) -> MultiFernet:
    return MultiFernet([Fernet(_derive(key, context)) for key in settings.BATON_ENCRYPTION_KEYS])


def _derive(key: str, context: str) -> bytes:
    """Make a Fernet key of any string. Each context has a key of its own, so a secret moved elsewhere stays shut."""
    derivation = HKDF(algorithm=SHA256(), length=32, salt=b"baton", info=context.encode())
    return base64.urlsafe_b64encode(derivation.derive(key.strip().encode()))
