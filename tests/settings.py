"""Settings of the tests: folders, database name and Redis number of their own; safe beside a running Baton."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

DATA = Path(tempfile.mkdtemp(prefix="baton-tests-"))
atexit.register(shutil.rmtree, DATA, ignore_errors=True)
os.environ["BATON_DATA"] = str(DATA)
os.environ["BATON_SECRET_KEY"] = "only-for-tests-" + "0" * 50
os.environ["BATON_ENCRYPTION_KEYS"] = "only-for-tests-first,only-for-tests-second"
os.environ["DATABASE_URL"] = os.environ.get("TEST_DATABASE_URL", "")
os.environ["REDIS_URL"] = os.environ.get("TEST_REDIS_URL", "")
os.environ.setdefault("BATON_USE_BROKER", "0")
for name in ("BATON_URL", "BATON_HOSTS", "BATON_ORIGINS", "BATON_BEHIND_PROXY", "BATON_MCP_SERVERS", "PORT"):
    os.environ.pop(name, None)

from orchestration.settings import *  # noqa: E402, F403
from orchestration.settings import ALLOWED_HOSTS, DATABASES  # noqa: E402

ALLOWED_HOSTS = [*ALLOWED_HOSTS, "testserver"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

database: dict[str, Any] = dict(DATABASES["default"])
DATABASES = {"default": database}
if database["ENGINE"].endswith("postgresql"):
    # Unique to this process, so that two checkouts on one server never meet.
    database["TEST"] = {"NAME": f"test_baton_{os.getpid()}"}
    database["OPTIONS"].pop("pool", None)  # Django can't drop a test database while a pool holds connections
else:
    database["TEST"] = {"NAME": str(DATA / "test.sqlite3")}
    database["OPTIONS"]["init_command"] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; PRAGMA foreign_keys=ON;"
BATON_EXTRA_KINDS = {"noop": "tests.support.noop.Noop"}
