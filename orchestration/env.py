"""Read settings from the environment, once, by type; a wrong value stops the start with one clear sentence."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured


def text(name: str, default: str = "") -> str:
    return os.environ.get(name, default).strip()


def number(name: str, default: float) -> float:
    value = text(name)
    try:
        return float(value) if value else default
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a number, not {value!r}.") from None


def flag(name: str, default: bool = False) -> bool:
    value = text(name).lower()
    if value in ("", "0", "false", "no", "off"):
        return default if not value else False
    if value in ("1", "true", "yes", "on"):
        return True
    raise ImproperlyConfigured(f"{name} must be 1 or 0, not {value!r}.")


def words(name: str, default: str = "") -> list[str]:
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def data_folder() -> Path:
    """Give the folder an instance keeps everything in: BATON_DATA, or var/data beside the code."""
    return Path(text("BATON_DATA") or Path(__file__).resolve().parent.parent / "var" / "data").absolute()


def kept_secret(name: str, folder: Path, generate: bool) -> str:
    """Read a secret from the environment, or from a 0600 file of `folder`, made at the first start.

    Without `generate` (the cluster form, where every process must have the same one) a missing secret is refused.
    """
    given = text(name)
    if given:
        return given
    if not generate:
        raise ImproperlyConfigured(f"Set {name}: every process of a cluster needs the same one.")
    file = folder / name.lower()
    if not file.exists():
        _write_private(file, secrets.token_urlsafe(48))
    return file.read_text().strip()


def _write_private(file: Path, content: str) -> None:
    """Create the file for its owner alone; keep what another process wrote a moment before."""
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    except OSError as error:
        raise ImproperlyConfigured(
            f"Can't write {file}: {error.strerror}. Set BATON_DATA to a folder of yours."
        ) from error
    with os.fdopen(handle, "w") as opened:
        opened.write(content)


def postgres(url: str, **options: object) -> dict:
    """Turn postgres://user:password@host:port/name into Django's settings of a database."""
    parts = urlsplit(url)
    if parts.scheme not in ("postgres", "postgresql") or not parts.path.strip("/"):
        raise ImproperlyConfigured("DATABASE_URL must look like postgres://user:password@host:5432/name.")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.strip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or ""),
        "OPTIONS": options,
    }
