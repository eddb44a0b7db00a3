"""One round of chaos on one instance: load, kills, rest, answers, checks."""

from __future__ import annotations

import json
import random
import subprocess
import time
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from bench.client import Api, Away, Client, History
from bench.helpdesk import Helpdesk
from bench.instances import Instance
from orchestration.core.states import TERMINAL
from tests.support.tree import ROOT

CALL_SECONDS = "0.4"  # what each change takes at the helpdesk: the window that kills aim at
FAILPOINTS = ("performed", "performed", "committed", "claimed")  # half of them right after an effect
FAILPOINT_WAIT_SECONDS = 20.0
SHORT_LIVES, SHORT_LIFE_SECONDS = 0.25, 3.0  # share of the lives in which nothing need be done
RECOVERY_SECONDS = 25.0  # more than a lease: what was held by the dead is taken up again
REST_SECONDS = 240.0
SCOPES = "runs:read,runs:start,runs:operate,approvals:read,approvals:decide,workflows:read"


@dataclass
class Figures:
    accepted_runs: int = 0
    worker_kills: int = 0
    broker_flushes: int = 0
    lost_runs: int = 0
    double_effects: int = 0
    double_endings: int = 0
    trace_gaps: int = 0
    parked: int = 0
    problems: list[str] = field(default_factory=list)  # anything else that must not be

    def __add__(self, other: Figures) -> Figures:
        return Figures(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)})

    def as_json(self) -> dict[str, int]:
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "problems"}

    @property
    def passed(self) -> bool:
        must_be_none = (self.lost_runs, self.double_effects, self.double_endings, self.trace_gaps)
        return not any(must_be_none) and not self.problems and self.accepted_runs > 0


class Round:
    def __init__(
        self, instance: Instance, runs: int, kills: int, flushes: int, seed: int, armed: float = 1 / 3
    ) -> None:
        """`armed`: the share of kills that a failpoint makes."""
        self._instance, self._runs, self._kills, self._seed = instance, runs, kills, seed
        self._share = armed
        self._dice = random.Random(f"{seed} {instance.form}")
        self._flush_at = set(self._dice.sample(range(kills), min(flushes, kills)))
        self._history = History(instance.folder / "history.jsonl")
        self._helpdesk = Helpdesk(instance.data)
        self._unsettled: set[str] = set()  # `once` calls in doubt at a kill: exactly these must be parked
        self._armed = False
        self.figures = Figures()

    def play(self) -> Figures:
        """Play the round to its end and give the figures."""
        self._history.note("round", form=self._instance.form, seed=self._seed, runs=self._runs, kills=self._kills)
        self._set_the_stage()
        api = Api(self._instance.url, self._token())
        accepted = self._instance.folder / "accepted.jsonl"
        client = Client(api, self._history, accepted, self._runs, self._seed)
        client.start()
        try:
            self._wait(lambda: client.open() >= self._runs * 0.8, 20)
            for number in range(self._kills):
                self._kill(number, client)
                client.most += self._runs
        finally:
            client.stop()
        self._come_to_rest(client)
        self._answer_the_parked(api, client)
        self._tell_failures(api, client)
        self._check(client, accepted)
        return self.figures

    # The stage

    def _set_the_stage(self) -> None:
        servers = json.loads((ROOT / "samples" / "mcp_servers.json").read_text())
        for server in servers["servers"].values():
            server["cwd"] = str(ROOT)
        servers["servers"]["helpdesk"]["command"] += ["--delay", CALL_SECONDS]
        file = self._instance.folder / "mcp_servers.json"
        file.write_text(json.dumps(servers))
        self._instance.env["BATON_MCP_SERVERS"] = str(file)
        self._instance.start()
        self._instance.wait_until_ready()
        self._done(self._instance.manage("workflows", "push", str(ROOT / "bench" / "chaos.yaml")))

    def _token(self) -> str:
        return self._done(self._instance.manage("token", "admin", "--scopes", SCOPES)).strip()

    def _done(self, process: subprocess.CompletedProcess[str]) -> str:
        if process.returncode:
            raise RuntimeError(f"{process.args} failed:\n{process.stdout}{process.stderr}")
        return process.stdout

    # Kills

    def _kill(self, number: int, client: Client) -> None:
        """Let the instance live for a random while, or until its failpoint, then kill some of it and start it again."""
        instance, dice = self._instance, self._dice
        if number in self._flush_at and instance.flush():
            self.figures.broker_flushes += 1
            self._history.note("flushall")
        victims = instance.victims(number)
        if self._armed:
            self._wait(lambda: any(not p.alive for p in instance.processes.values()), FAILPOINT_WAIT_SECONDS)
            victims = [name for name, process in instance.processes.items() if not process.alive] or victims
        else:
            self._live()
        going = client.open()
        for name in victims:
            instance.processes[name].kill()
        in_doubt = instance.unsettled(victims)
        self._unsettled |= in_doubt
        self.figures.worker_kills += 1
        self._history.note("kill", number=number, victims=victims, armed=self._armed, in_doubt=sorted(in_doubt))
        print(f"   kill {number + 1:2}: {', '.join(victims)}{' (failpoint)' if self._armed else ''}, "
              f"{going} runs going, {len(in_doubt)} calls in doubt", flush=True)  # fmt: skip
        time.sleep(dice.uniform(0.0, 1.0))
        self._armed = dice.random() < self._share and number + 1 < self._kills
        instance.revive(f"{dice.choice(FAILPOINTS)}:{dice.randint(1, 30)}" if self._armed else "")
        if not self._armed:
            instance.wait_until_ready()

    def _live(self) -> None:
        """Most lives last until something has been done in them and a random while more; some end before that."""
        if self._dice.random() < SHORT_LIVES:
            time.sleep(self._dice.uniform(0.2, SHORT_LIFE_SECONDS))
            return
        before = self._helpdesk.count()
        self._wait(lambda: self._helpdesk.count() > before, RECOVERY_SECONDS)
        time.sleep(self._dice.uniform(0.0, SHORT_LIFE_SECONDS))

    def _wait(self, until: Any, seconds: float) -> bool:
        end = time.monotonic() + seconds
        while not until():
            if time.monotonic() > end:
                return False
            time.sleep(0.05)
        return True

    # Afterwards

    def _come_to_rest(self, client: Client) -> None:
        """Wait until every run has ended or waits for a person."""
        if not self._wait(lambda: self._looked(client) and client.open() == 0, REST_SECONDS):
            left = [f"{run} {state}" for run, state in client.runs.items() if state not in TERMINAL]
            self.figures.problems.append(f"{client.open()} runs neither ended nor parked: {left[:5]}")

    def _looked(self, client: Client) -> bool:
        try:
            client.look()
        except Away:
            return False
        time.sleep(0.3)
        return True

    def _answer_the_parked(self, api: Api, client: Client) -> None:
        """Answer each question about a call from the helpdesk's own log, as a careful person would."""
        if not self._wait(lambda: not self._instance.orphans(), 30):
            self.figures.problems.append(f"tool servers outlive their workers: {self._instance.orphans()}")
        asked: set[str] = set()
        for _ in range(10):  # an answer lets a run go on; without kills nothing new is in doubt
            items = api.until("GET", "/approvals?state=open&limit=200")["items"]
            if not items:
                break
            asked |= {self._answer(api, line["id"]) for line in items}
            self._come_to_rest(client)
        self.figures.parked = len(asked)
        for key in asked ^ self._unsettled:
            said = (
                "parked, though no kill left it in doubt" if key in asked else "in doubt at a kill, never asked about"
            )
            self.figures.problems.append(f"the call {key[:16]} was {said}")
        open_ones = [f"{run} {state}" for run, state in client.runs.items() if state not in TERMINAL]
        self.figures.problems += [f"not ended after all was answered: {one}" for one in open_ones]

    def _answer(self, api: Api, request_id: str) -> str:
        request = api.until("GET", f"/approvals/{request_id}")
        action = request["action"]
        happened = self._helpdesk.answer_for(action["effect_key"], action["tool"], action["arguments"])
        said = {"verdict": "happened", "answer": happened} if happened else {"verdict": "try_again"}
        body = {**said, "digest": request["digest"], "comment": "Looked it up in the helpdesk's log."}
        api.until("POST", f"/approvals/{request_id}/decision", body)
        self._history.note("answered", request=request_id, key=action["effect_key"], **said)
        return str(action["effect_key"])

    def _tell_failures(self, api: Api, client: Client) -> None:
        """Say why runs ended badly. That is an end, but with every step tried again it should be a rare one."""
        bad = [run for run, state in client.runs.items() if state in TERMINAL and state != "succeeded"]
        for run in bad:
            error = api.until("GET", f"/runs/{run}")["error"]
            self._history.note("ended badly", run=run, error=error)
            print(f"   {run} {client.runs[run]}: {json.dumps(error)}")

    # Checks

    def _check(self, client: Client, accepted: Path) -> None:
        figures = self.figures
        figures.accepted_runs = len({json.loads(line)["run"] for line in accepted.read_text().splitlines()})
        doubles = self._helpdesk.doubles()
        figures.double_effects = len(doubles)
        figures.problems += [*doubles, *client.changed_endings]
        counts = self._invariants(accepted)
        known = {json.loads(line)["run"] for line in accepted.read_text().splitlines()}
        figures.problems += [f"a run that nobody was told of: {run}" for run in sorted(set(client.runs) - known)]
        figures.lost_runs = counts.get("I1", 0)
        figures.double_endings = len(client.changed_endings)
        figures.trace_gaps = counts.get("I4", 0) + counts.get("I10", 0)
        self._check_audit()
        self._say(client)

    def _invariants(self, accepted: Path) -> dict[str, int]:
        report = self._instance.folder / "invariants.json"
        done = self._instance.manage(
            "check_invariants", "--strict", "--accepted", str(accepted), "--effects", str(self._helpdesk.log()),
            "--report", str(report), seconds=300,
        )  # fmt: skip
        print(done.stdout.rstrip())
        if done.returncode:
            self.figures.problems += done.stderr.strip().splitlines()[-60:]
        counts: dict[str, int] = json.loads(report.read_text()) if report.exists() else {}
        return counts

    def _check_audit(self) -> None:
        done = self._instance.manage("audit", "verify")
        if done.returncode:
            self.figures.problems.append(f"the audit log: {done.stdout}{done.stderr}")

    def _say(self, client: Client) -> None:
        codes = self._instance.stop()
        self.figures.problems += [f"{name} stopped with {code}" for name, code in codes.items() if code]
        states = {state: list(client.runs.values()).count(state) for state in sorted(set(client.runs.values()))}
        print(f"   runs by state: {states}; {self._helpdesk.count()} effects; {client.server_errors} answers were 5xx")
        print(f"   {json.dumps(self.figures.as_json())}")
        for problem in self.figures.problems:
            print(f"   ! {problem}")
        if not self.figures.passed:
            self._instance.dump()
        self._history.note("figures", **self.figures.as_json(), problems=self.figures.problems)
        self._history.close()
