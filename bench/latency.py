"""How long one run takes through REST, asked by one client on one kept connection."""

from __future__ import annotations

import http.client
import json
import statistics
import time

WARM_UP = 30  # requests that don't count


class Latency:
    def __init__(self, port: int, secret: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}

    def measure(self, slug: str, requests: int) -> dict[int, float]:
        """Start runs one after the other, each waited for; give the percentiles 1 to 99 in milliseconds."""
        for _ in range(WARM_UP):
            self._once(slug)
        taken = [self._once(slug) for _ in range(requests)]
        return dict(enumerate(statistics.quantiles(taken, n=100, method="inclusive"), start=1))

    def _once(self, slug: str) -> float:
        began = time.perf_counter()
        self._connection.request("POST", f"/api/v1/workflows/{slug}/runs?wait=10s", '{"input": {}}', self._headers)
        answer = self._connection.getresponse()
        said = answer.read()
        taken = (time.perf_counter() - began) * 1000
        if answer.status not in (200, 202) or json.loads(said)["state"] != "succeeded":
            raise RuntimeError(f"{slug}: {answer.status} {said[:500]!r}")
        return taken
