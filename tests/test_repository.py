"""What is committed: locks that any index may serve, no trace of one machine, the files that people look for."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.support import tree

# Written in pieces, so that this file does not name them either.
REGISTRY_HOSTS = re.compile(
    r"(py"
    r"pi|python"
    r"hosted|npm"
    r"js|yarn"
    r"pkg|debi"
    r"an|pyp"
    r"a)\.(org|com|io|net)|(quay|ghcr|gcr|docker)\.io",
    re.IGNORECASE,
)
MACHINE_PATHS = re.compile(r"/(wo" r"rk|ro" r"ot|fa" r"rm|tmp/st" r"udio|home/\w+)/")
LOCKS = ("runtime", "test", "browser")
PIN = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)", re.MULTILINE)


def pins(lock: str) -> dict[str, str]:
    return dict(PIN.findall(tree.text(Path("requirements") / f"{lock}.txt")))


def text_files() -> list[Path]:
    return [file for file in tree.files() if b"\0" not in (tree.ROOT / file).read_bytes()[:1024]]


def test_no_file_names_a_package_registry() -> None:
    named = [f"{file}: {match[0]}" for file in text_files() if (match := REGISTRY_HOSTS.search(tree.text(file)))]

    assert not named, named


def test_no_file_names_a_path_of_the_machine_it_was_written_on() -> None:
    named = [f"{file}: {match[0]}" for file in text_files() if (match := MACHINE_PATHS.search(tree.text(file)))]

    assert not named, named


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_of_a_lock_has_a_hash(lock: str) -> None:
    blocks = re.split(r"\n(?=[A-Za-z0-9])", tree.text(Path("requirements") / f"{lock}.txt"))

    bare = [block.splitlines()[0] for block in blocks if PIN.match(block) and "--hash=sha256:" not in block]

    assert pins(lock)
    assert not bare, bare


@pytest.mark.parametrize(("smaller", "larger"), [("runtime", "test"), ("test", "browser")])
def test_a_larger_lock_holds_the_smaller_one_at_the_same_versions(smaller: str, larger: str) -> None:
    assert pins(smaller).items() <= pins(larger).items()


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_what_its_in_file_asks_for(lock: str) -> None:
    asked = re.findall(r"^([A-Za-z0-9][A-Za-z0-9-]*)", tree.text(Path("requirements") / f"{lock}.in"), re.MULTILINE)

    missing = [name for name in asked if name.lower() not in {pin.lower() for pin in pins(lock)}]

    assert not missing, f"run `make lock`: {missing} of {lock}.in"


def test_the_running_product_brings_its_own_time_zones() -> None:
    assert "tzdata" in pins("runtime")


def test_no_other_lock_format_is_committed() -> None:
    others = {"uv.lock", "poetry.lock", "Pipfile.lock", "package-lock.json", "yarn.lock", "pnpm-lock.yaml"}

    assert not others & {file.name for file in tree.files()}


@pytest.mark.parametrize("target", ["run", "test", "check", "bench", "chaos", "lock", "help"])
def test_make_knows_the_target(target: str) -> None:
    assert re.search(rf"^{target}:.*## \S", tree.text(Path("Makefile")), re.MULTILINE)


def test_the_licence_is_apache_2() -> None:
    project = tomllib.loads(tree.text(Path("pyproject.toml")))["project"]

    assert project["license"] == "Apache-2.0"
    assert "Apache License" in tree.text(Path("LICENSE"))
    assert "END OF TERMS AND CONDITIONS" in tree.text(Path("LICENSE"))


def test_every_file_a_document_links_to_exists() -> None:
    documents = [file for file in tree.files() if file.suffix == ".md" and file.parts[0] in ("README.md", "docs")]
    links = [
        (file, link) for file in documents for link in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", tree.text(file))
    ]

    broken = [f"{file}: {link}" for file, link in links if not (tree.ROOT / file.parent / link).exists()]

    assert documents
    assert not broken, broken


def test_the_image_runs_as_an_ordinary_user_and_builds_nothing() -> None:
    lines = tree.text(Path("Dockerfile")).splitlines()

    users = [line.split()[1] for line in lines if line.startswith("USER ")]

    assert users
    assert users[-1] not in ("root", "0")
    assert any("--require-hashes" in line and "--only-binary" in line for line in lines)
    assert not any("apt-get" in line or "gcc" in line for line in lines)


def test_compose_keeps_no_secret_and_refuses_to_start_without_one() -> None:
    compose = tree.text(Path("docker-compose.yml"))
    example = dict(
        line.split("=", 1) for line in tree.text(Path(".env.example")).splitlines() if re.match(r"[A-Z_]+=", line)
    )

    secrets = {name for name in example if re.search(r"PASSWORD|SECRET|KEYS", name)}

    assert {"POSTGRES_PASSWORD", "BATON_SECRET_KEY", "BATON_ENCRYPTION_KEYS"} <= secrets
    assert not [name for name in secrets if example[name]], "the example must hold no secret"
    for name in ("POSTGRES_PASSWORD", "BATON_SECRET_KEY", "BATON_ENCRYPTION_KEYS"):
        assert f"${{{name}:?" in compose
    assert {"postgres", "redis", "migrate", "web", "worker", "clock"} <= set(yaml.safe_load(compose)["services"])


def test_the_environment_file_of_compose_is_never_committed() -> None:
    assert ".env" in tree.text(Path(".gitignore")).splitlines()
    assert ".env" in tree.text(Path(".dockerignore")).splitlines()
