"""A high risk asks for the password again: a browser left open must not be enough to let money go."""

from __future__ import annotations

import time
from typing import cast

from django.contrib.auth import logout
from django.http import HttpRequest

from orchestration.models import User

FRESH_SECONDS = 15 * 60
MAX_WRONG = 5  # then the session ends, so that a stolen one can't be used to guess
CONFIRMED_AT = "password_confirmed_at"  # session: seconds since 1970
WRONG = "password_wrong"  # session: how often in a row


def is_fresh(request: HttpRequest) -> bool:
    """Tell whether this session gave the password within the last FRESH_SECONDS."""
    confirmed_at: int = request.session.get(CONFIRMED_AT, 0)
    return 0 <= time.time() - confirmed_at < FRESH_SECONDS


def confirm(request: HttpRequest, password: str) -> bool:
    """Check the password of the person who is signed in and remember when. Signs them out after MAX_WRONG failures."""
    if password and cast(User, request.user).check_password(password):
        request.session[CONFIRMED_AT] = int(time.time())
        request.session.pop(WRONG, None)
        return True
    request.session[WRONG] = request.session.get(WRONG, 0) + 1
    if request.session[WRONG] >= MAX_WRONG:
        logout(request)
    return False
