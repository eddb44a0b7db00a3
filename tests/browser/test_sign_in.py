"""Signing in, in a real browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.conftest import Site


def test_an_administrator_who_signs_in_stays_in_until_the_cookie_is_gone(signed_in: Page) -> None:
    signed_in.goto("/")
    inside = signed_in.url

    signed_in.context.clear_cookies()
    signed_in.goto("/")

    assert "/sign-in" not in inside
    assert "/sign-in" in signed_in.url


def test_a_wrong_password_stays_on_the_page_and_says_so(page: Page, site: Site) -> None:
    page.goto("/sign-in/")
    page.fill("input[name=username]", site.username)
    page.fill("input[name=password]", "not the password")
    page.press("input[name=password]", "Enter")

    page.get_by_role("alert").wait_for()

    assert "/sign-in" in page.url
