"""What the keys of the inbox decide, without a browser: the pure part of its module, run by node."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

MODULE = Path(__file__).parents[2] / "static" / "js" / "approvals.js"
node = shutil.which("node")


@pytest.mark.skipif(node is None, reason="needs node")
@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("target(0, -1, 1)", "-1"),
        ("target(3, -1, 1)", "0"),
        ("target(3, -1, -1)", "2"),
        ("target(3, 0, 1)", "1"),
        ("target(3, 2, 1)", "2"),
        ("target(3, 0, -1)", "0"),
        ("isTyping({closest: (what) => what.includes('textarea')})", "true"),
        ("isTyping({closest: () => null})", "false"),
        ("isTyping(null)", "false"),
    ],
)
def test_a_key_goes_where_it_should(expression: str, expected: str, tmp_path: Path) -> None:
    script = tmp_path / "try.mjs"
    copy = tmp_path / "approvals.mjs"
    copy.write_text(MODULE.read_text())
    script.write_text(f'import {{ isTyping, target }} from "./approvals.mjs"; console.log({expression});')

    done = subprocess.run([str(node), script], capture_output=True, text=True, check=True, timeout=30)

    assert done.stdout.strip() == expected
