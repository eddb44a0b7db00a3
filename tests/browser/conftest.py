"""A real browser and a real Baton: the system's Chromium against `manage.py serve` on data of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import processes
from tools import services

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

PASSWORD = "a-long-enough-password"
# As root there is no sandbox to be had; the rest keeps the browser from calling anybody by itself.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE_MS = 15_000  # how long a page may take on a busy machine before a test gives up


@dataclass(frozen=True)
class Site:
    """A running Baton: where it answers, who may sign in, where its data is, and what it has printed."""

    url: str
    username: str
    password: str
    env: dict[str, str]
    process: processes.Process

    def manage(self, *arguments: str) -> str:
        """Run a management command on the same data and return what it printed."""
        done = processes.manage(*arguments, env=self.env)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Start one Baton for the whole session; a test that must not share its runs makes names of its own."""
    folder = tmp_path_factory.mktemp("site")
    port = services.free_port()
    url = f"http://127.0.0.1:{port}"
    settings = {"BATON_DATA": str(folder / "data"), "PORT": str(port), "BATON_ADMIN_PASSWORD": PASSWORD}
    env = processes.environment(**settings)
    with processes.started(["python", "manage.py", "serve"], env, folder / "serve.log") as process:
        process.wait_for(f"{url}/healthz")
        yield Site(url, "admin", PASSWORD, env, process)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    playwright = pytest.importorskip("playwright.sync_api", reason="needs requirements/browser.txt: run `make test`")
    chromium = services.chromium()
    if not chromium:
        pytest.skip("needs Chromium: no chromium or google-chrome on the PATH")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser, site: Site) -> Iterator[BrowserContext]:
    """A browser profile of its own for each test: no cookie and no cache of another."""
    context = browser.new_context(base_url=site.url, viewport={"width": 1280, "height": 860}, reduced_motion="reduce")
    context.set_default_timeout(PATIENCE_MS)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page that fails the test if a script failed in it or the content policy refused something."""
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    yield page
    refused = [text for text in complaints if "Failed to load resource" not in text]  # a 4xx that a test provokes
    assert not refused, refused


@pytest.fixture
def signed_in(page: Page, site: Site) -> Page:
    """The page of the administrator, signed in by the form."""
    page.goto("/sign-in/")
    page.fill("input[name=username]", site.username)
    page.fill("input[name=password]", site.password)
    page.press("input[name=password]", "Enter")
    page.wait_for_url(lambda url: "/sign-in" not in url)
    return page
