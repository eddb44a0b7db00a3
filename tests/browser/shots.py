"""Take pictures of the pages into var/screenshots: `python -m tests.browser.shots [words of a page's name]`.

Pages are seeded by the builders into a database of its own, so that nothing real is touched.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from tools import services

FOLDER = Path("var/screenshots")
SIZES = {"": (1440, 900), "-390": (390, 844)}
PASSWORD = "a long enough password"


def main(words: list[str]) -> None:
    with tempfile.TemporaryDirectory(prefix="baton-shots-") as data:
        os.environ.update(BATON_DATA=data, DJANGO_SETTINGS_MODULE="tests.settings", DJANGO_ALLOW_ASYNC_UNSAFE="1")
        pages = _seeded()
        wanted = {name: url for name, url in pages.items() if all(word in name for word in words)}
        _shoot(wanted)


def _seeded() -> dict[str, str]:
    """Prepare a database with full, empty and hostile pages; give the pages by name."""
    import django

    django.setup()
    from django.db import connection

    connection.creation.create_test_db(verbosity=0, autoclobber=True)
    from tests.support import runs
    from tests.support.cast import a_person, a_workspace

    full, empty = a_workspace("main", "Customer operations"), a_workspace("empty", "Nothing yet")
    ada = a_person("administrator", full, "ada.okafor")
    long = a_workspace("long", runs.LONG[:200])
    for other in (empty, long):
        _join(ada, other)
    workflow = runs.an_escalation(full)
    runs.a_workflow(full, "name: PR review\nsteps: []\nedges: []", "pr-review")
    runs.many_runs(workflow, ada, 160)
    failed, waiting, running = (
        make(workflow, ada) for make in (runs.a_failed_run, runs.a_waiting_run, runs.a_running_run)
    )
    odd = runs.an_escalation(long, slug="odd")
    odd.name, odd.description = runs.LONG[:200], runs.HOSTILE * 3
    odd.save()
    odd_run = runs.a_failed_run(odd, ada)
    return {
        "sign-in": "/sign-in/", "runs": "/w/main/runs/", "runs-empty": "/w/empty/runs/", "runs-long": "/w/long/runs/",
        "runs-nothing-found": "/w/main/runs/?q=nothing-like-this&state=failed", "workflows": "/w/main/workflows/",
        "workflows-empty": "/w/empty/workflows/", "workflows-long": "/w/long/workflows/",
        "workflow": f"/w/main/workflows/{workflow.slug}/", "workflow-long": f"/w/long/workflows/{odd.slug}/",
        "start": f"/w/main/workflows/{workflow.slug}/runs/new/", "run-failed": f"/w/main/runs/{failed.id}/",
        "run-failed-step": f"/w/main/runs/{failed.id}/?step=tag_intent",
        "run-events": f"/w/main/runs/{failed.id}/?view=events&tab=effects",
        "run-graph": f"/w/main/runs/{failed.id}/?view=graph&step=credit", "run-waiting": f"/w/main/runs/{waiting.id}/",
        "run-running": f"/w/main/runs/{running.id}/?step=credit", "run-long": f"/w/long/runs/{odd_run.id}/?step=score",
        "not-found": "/w/main/runs/0195aaaa-0000-7000-8000-000000000000/", "approvals": "/w/main/approvals/",
        "tokens": "/w/main/tokens/", "audit": "/w/main/audit/", "tools": "/w/main/tools/",
    }  # fmt: skip


def _join(user: object, workspace: object) -> None:
    from orchestration import members
    from orchestration.models import Role

    members.add(None, user, Role.objects.get(workspace=workspace, slug="administrator"))


def _shoot(pages: dict[str, str]) -> None:
    from playwright.sync_api import sync_playwright

    FOLDER.mkdir(parents=True, exist_ok=True)
    with _Serving() as address, sync_playwright() as running:
        browser = running.chromium.launch(executable_path=services.chromium(), args=["--no-sandbox", "--disable-gpu"])
        for theme in ("light", "dark"):
            for suffix, (width, height) in SIZES.items():
                viewport = {"width": width, "height": height}
                context = browser.new_context(base_url=address, viewport=viewport, color_scheme=theme)
                _each(context, pages, f"{suffix}-{theme}")
                context.close()
        browser.close()


def _each(context, pages: dict[str, str], ending: str) -> None:
    page = context.new_page()
    page.on("console", lambda said: print("console:", page.url, said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: print("error:", page.url, error))
    if "sign-in" in pages:
        page.goto(pages["sign-in"])
        page.screenshot(path=FOLDER / f"sign-in{ending}.png")
    page.goto("/sign-in/")
    page.fill("#id_username", "ada.okafor")
    page.fill("#id_password", PASSWORD)
    page.click("button.primary")
    page.wait_for_url("**/w/**")
    for name, url in pages.items():
        if name == "sign-in":
            continue
        page.goto(url)
        page.screenshot(path=FOLDER / f"{name}{ending}.png")
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        if wide > 0:
            print(f"{name}{ending}: {wide} px wider than the screen")


class _Serving:
    """Django's own live server on a free port."""

    def __enter__(self) -> str:
        from django.db import connections
        from django.test.testcases import LiveServerThread, _StaticFilesHandler

        for connection in connections.all():
            connection.inc_thread_sharing()
        self.thread = LiveServerThread("127.0.0.1", _StaticFilesHandler)
        self.thread.daemon = True
        self.thread.start()
        self.thread.is_ready.wait()
        if self.thread.error:
            raise self.thread.error
        return f"http://127.0.0.1:{self.thread.port}"

    def __exit__(self, *_: object) -> None:
        self.thread.terminate()


if __name__ == "__main__":
    main(sys.argv[1:])
