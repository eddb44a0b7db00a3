"""The main job in a real browser: start the sample by its form, see it wait, approve it, see it end."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

expect = pytest.importorskip("playwright.sync_api", reason="needs requirements/browser.txt").expect

REFUND = "Our November invoice lists the plan twice: 890.00 and 890.00. Could you refund the second charge?"


def start(page: Page, ticket: str, body: str = REFUND) -> None:
    page.goto("/")
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Workflows").click()
    page.get_by_role("link", name="Support escalation", exact=True).click()
    page.get_by_role("link", name="Start a run").click()
    page.get_by_label("Ticket", exact=True).fill(ticket)
    page.get_by_label("Customer").fill("it@birkholz.example")
    page.get_by_label("Subject").fill("Charged twice on November invoice")
    page.get_by_label("Message").fill(body)
    page.get_by_role("button", name="Start the run").click()


def test_the_sample_is_started_waits_is_approved_and_ends(signed_in: Page) -> None:
    page = signed_in

    start(page, "TCK-7001")
    expect(page.locator(".runhead .pill")).to_have_text("Needs approval")
    run_url = page.url
    page.get_by_role("link", name="Open request").click()
    page.get_by_role("button", name="Approve").click()
    page.wait_for_load_state()

    page.goto(run_url)
    expect(page.locator(".runhead .pill")).to_have_text("Succeeded")
    expect(page.locator("#run")).not_to_have_attribute("hx-trigger", re.compile("every"))
    page.get_by_role("link", name="Effects").click()
    expect(page.get_by_text("What this run changed in the world")).to_be_visible()


def test_a_chosen_step_stays_chosen_while_the_page_refreshes(signed_in: Page) -> None:
    page = signed_in
    start(page, "TCK-7002")
    expect(page.locator(".runhead .pill")).to_have_text("Needs approval")

    page.locator(".wf").get_by_role("link").first.click()
    chosen = page.locator(".insp-head h2").inner_text()
    page.wait_for_event("response", lambda answer: "step=" in answer.url and "seen=" in answer.url)

    expect(page.locator(".insp-head h2")).to_have_text(chosen)
    assert "step=" in page.url


def test_a_run_is_cancelled_after_a_question(signed_in: Page) -> None:
    page = signed_in
    start(page, "TCK-7003")
    expect(page.locator(".runhead .pill")).to_have_text("Needs approval")

    page.get_by_role("button", name="Cancel…").click()
    page.get_by_label("Reason").fill("a duplicate")
    page.get_by_role("button", name="Cancel the run").click()

    expect(page.locator(".runhead .pill")).to_have_text("Cancelled")


def test_a_form_that_is_wrong_says_so_at_the_field(signed_in: Page) -> None:
    page = signed_in

    start(page, "")

    expect(page.get_by_role("alert")).to_contain_text("Ticket")
    expect(page.get_by_label("Customer")).to_have_value("it@birkholz.example")
