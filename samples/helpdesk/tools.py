"""The help desk's tools: what they take, what they give, what they change."""

from __future__ import annotations

import re
import sqlite3
import unicodedata
from typing import Any

from samples.effects import now
from samples.serving import Arguments, Refused, SampleTool, closed

_NAME = {"type": "string", "minLength": 1, "maxLength": 200}
_TEXT = {"type": "string", "minLength": 1, "maxLength": 20000}
_TICKET_ID = {"type": "string", "minLength": 1, "maxLength": 100, "description": "HD-1001, or the sender's reference"}
_PRIORITIES = ["low", "normal", "high", "urgent"]
_TEAMS = ["support", "billing", "infrastructure", "security"]
_ACCOUNT = {
    "id": {"type": "string"}, "name": {"type": "string"}, "email": {"type": "string"}, "plan": {"type": "string"},
    "region": {"type": "string"}, "monthly_usd": {"type": "number"}, "since": {"type": "string"},
    "language": {"type": "string"}, "note": {"type": "string"},
}  # fmt: skip
_INCIDENT = {name: {"type": "string"} for name in
             ("id", "title", "region", "status", "severity", "started_at", "message")}  # fmt: skip
_TICKET = {
    "ticket_id": {"type": "string"}, "reference": {"type": "string"}, "customer": {"type": "string"},
    "subject": {"type": "string"}, "body": {"type": "string"}, "priority": {"type": "string"},
    "team": {"type": "string"}, "state": {"type": "string"}, "opened_at": {"type": "string"},
}  # fmt: skip
_FOUND = {"type": "boolean"}


def get_account(connection: sqlite3.Connection, arguments: Arguments) -> dict[str, Any]:
    row = _account(connection, arguments["customer"])
    if row is None:
        empty = {name: 0.0 if name == "monthly_usd" else "" for name in _ACCOUNT}
        return {"found": False, **empty, "plan": "unknown"}
    return {"found": True, **dict(row)}


def find_incident(connection: sqlite3.Connection, arguments: Arguments) -> dict[str, Any]:
    asked, region = _words(arguments.get("text", "")), arguments.get("region", "")
    rows = connection.execute("SELECT * FROM incidents WHERE status != 'resolved' ORDER BY id").fetchall()
    scored = [(_match(row, asked, region), row) for row in rows]
    hits = sorted((entry for entry in scored if entry[0] > 0), key=lambda entry: -entry[0])
    if not hits:
        return {"found": False, **dict.fromkeys(_INCIDENT, ""), "matches": 0}
    return {"found": True, **{name: hits[0][1][name] for name in _INCIDENT}, "matches": len(hits)}


def get_ticket(connection: sqlite3.Connection, arguments: Arguments) -> dict[str, Any]:
    row = _ticket(connection, arguments["ticket_id"])
    if row is None:
        return {"found": False, **dict.fromkeys(_TICKET, ""), "messages": []}
    query = "SELECT kind, text, at FROM messages WHERE ticket = ? ORDER BY id"
    messages = [dict(message) for message in connection.execute(query, (row["number"],))]
    return {"found": True, **_shown(row), "messages": messages}


def list_tickets(connection: sqlite3.Connection, arguments: Arguments) -> dict[str, Any]:
    rows = connection.execute(
        "SELECT * FROM tickets WHERE (?1 = '' OR customer = ?1) AND (?2 = '' OR state = ?2) "
        "ORDER BY number DESC LIMIT ?3",
        (arguments.get("customer", ""), arguments.get("state", ""), arguments.get("limit", 20)),
    )
    return {"tickets": [_shown(row) for row in rows]}


def open_ticket(connection: sqlite3.Connection, arguments: Arguments) -> dict[str, Any]:
    at = now()
    cursor = connection.execute(
        "INSERT INTO tickets (reference, customer, subject, body, priority, team, state, opened_at) "
        "VALUES (?, ?, ?, ?, ?, ?, 'open', ?)",
        (arguments.get("reference", ""), arguments["customer"], arguments["subject"], arguments["body"],
         arguments.get("priority", "normal"), arguments.get("team", "support"), at),
    )  # fmt: skip
    return {"ticket_id": f"HD-{cursor.lastrowid}", "state": "open", "opened_at": at}


def notify_team(connection: sqlite3.Connection, arguments: Arguments) -> dict[str, Any]:
    cursor = connection.execute(
        "INSERT INTO notifications (team, message, ticket_id, at) VALUES (?, ?, ?, ?)",
        (arguments["team"], arguments["message"], arguments.get("ticket_id", ""), now()),
    )
    return {"notified": True, "team": arguments["team"], "notification": cursor.lastrowid}


def add_note(connection: sqlite3.Connection, arguments: Arguments) -> dict[str, Any]:
    ticket = _known_ticket(connection, arguments["ticket_id"])
    return {"ticket_id": f"HD-{ticket['number']}", "message": _add_message(connection, ticket, "note", arguments)}


def answer_ticket(connection: sqlite3.Connection, arguments: Arguments) -> dict[str, Any]:
    ticket = _known_ticket(connection, arguments["ticket_id"])
    message = _add_message(connection, ticket, "answer", arguments)
    connection.execute("UPDATE tickets SET state = 'answered' WHERE number = ?", (ticket["number"],))
    return {"ticket_id": f"HD-{ticket['number']}", "state": "answered", "message": message}


def issue_credit(connection: sqlite3.Connection, arguments: Arguments) -> dict[str, Any]:
    account = _account(connection, arguments["customer"])
    if account is None:
        raise Refused(f"there is no account {arguments['customer']!r} to credit")
    cursor = connection.execute(
        "INSERT INTO credits (account, amount_usd, reason, at) VALUES (?, ?, ?, ?)",
        (account["id"], arguments["amount_usd"], arguments["reason"], now()),
    )
    return {"credit": cursor.lastrowid, "account": account["id"], "amount_usd": arguments["amount_usd"]}


def _account(connection: sqlite3.Connection, customer: str) -> sqlite3.Row | None:
    query = "SELECT * FROM accounts WHERE ?1 IN (lower(id), lower(name), lower(email)) OR lower(email) LIKE ?2 LIMIT 1"
    asked = customer.strip().lower()
    domain = asked.rpartition("@")[2]
    row: sqlite3.Row | None = connection.execute(query, (asked, f"%@{domain}" if "." in domain else asked)).fetchone()
    return row


def _ticket(connection: sqlite3.Connection, ticket_id: str) -> sqlite3.Row | None:
    number = ticket_id.upper().removeprefix("HD-")
    query = "SELECT * FROM tickets WHERE number = ? OR (reference != '' AND reference = ?) ORDER BY number DESC"
    row: sqlite3.Row | None = connection.execute(query, (number if number.isdigit() else -1, ticket_id)).fetchone()
    return row


def _known_ticket(connection: sqlite3.Connection, ticket_id: str) -> sqlite3.Row:
    row = _ticket(connection, ticket_id)
    if row is None:
        raise Refused(f"there is no ticket {ticket_id!r}; open it first")
    return row


def _add_message(connection: sqlite3.Connection, ticket: sqlite3.Row, kind: str, arguments: Arguments) -> int:
    cursor = connection.execute(
        "INSERT INTO messages (ticket, kind, text, at) VALUES (?, ?, ?, ?)",
        (ticket["number"], kind, arguments["text"], now()),
    )
    return cursor.lastrowid or 0


def _shown(row: sqlite3.Row) -> dict[str, Any]:
    return {"ticket_id": f"HD-{row['number']}", **{name: row[name] for name in _TICKET if name != "ticket_id"}}


def _match(row: sqlite3.Row, asked: set[str], region: str) -> int:
    hits = len(asked & (_words(row["words"]) | _words(row["title"])))
    near = region in (row["region"], "") or row["region"] == "global"
    return hits * 2 + (1 if region and near and (hits or not asked) else 0) if near else hits


def _words(text: str) -> set[str]:
    plain = unicodedata.normalize("NFKD", text.lower())
    return set(re.findall(r"[a-z0-9]{3,}", "".join(c for c in plain if not unicodedata.combining(c))))


TOOLS = (
    SampleTool(
        "get_account", "Look up an account",
        "Finds a customer's account by id, name or e-mail address. `found` is false when there is none.",
        closed({"customer": _NAME}, ["customer"]),
        closed({"found": _FOUND, **_ACCOUNT}, ["found", *_ACCOUNT]),
        get_account,
    ),
    SampleTool(
        "find_incident", "Find an open incident",
        "Finds the open incident that fits a text and a region best. `found` is false when none does.",
        closed({"text": {"type": "string", "maxLength": 20000}, "region": {"type": "string", "maxLength": 60}}),
        closed({"found": _FOUND, **_INCIDENT, "matches": {"type": "integer"}}, ["found", *_INCIDENT, "matches"]),
        find_incident,
    ),
    SampleTool(
        "get_ticket", "Read a ticket", "Reads a ticket with its notes and answers.",
        closed({"ticket_id": _TICKET_ID}, ["ticket_id"]),
        closed({"found": _FOUND, **_TICKET, "messages": {"type": "array", "items": {"type": "object"}}},
               ["found", *_TICKET, "messages"]),
        get_ticket,
    ),
    SampleTool(
        "list_tickets", "List tickets", "Lists tickets, newest first, of one customer or in one state if asked.",
        closed({"customer": _NAME, "state": {"enum": ["open", "answered"]},
                "limit": {"type": "integer", "minimum": 1, "maximum": 100}}),
        closed({"tickets": {"type": "array", "items": closed(_TICKET, list(_TICKET))}}, ["tickets"]), list_tickets,
    ),
    SampleTool(
        "open_ticket", "Open a ticket", "Opens a new ticket. Calling it twice opens two.",
        closed({"reference": {"type": "string", "maxLength": 100}, "customer": _NAME, "subject": _NAME,
                "body": {"type": "string", "maxLength": 100000}, "priority": {"enum": _PRIORITIES},
                "team": {"enum": _TEAMS}}, ["customer", "subject", "body"]),
        closed({"ticket_id": {"type": "string"}, "state": {"type": "string"}, "opened_at": {"type": "string"}},
               ["ticket_id", "state", "opened_at"]),
        open_ticket, "write", "once",
    ),
    SampleTool(
        "notify_team", "Notify a team", "Sends a message to the team on duty. Calling it twice sends two.",
        closed({"team": {"enum": _TEAMS}, "message": _TEXT, "ticket_id": {"type": "string", "maxLength": 100}},
               ["team", "message"]),
        closed({"notified": {"type": "boolean"}, "team": {"type": "string"}, "notification": {"type": "integer"}},
               ["notified", "team", "notification"]),
        notify_team, "write", "once",
    ),
    SampleTool(
        "add_note", "Add a note", "Adds an internal note to a ticket. The same idempotency key adds it once.",
        closed({"ticket_id": _TICKET_ID, "text": _TEXT}, ["ticket_id", "text"]),
        closed({"ticket_id": {"type": "string"}, "message": {"type": "integer"}}, ["ticket_id", "message"]),
        add_note, "write", "keyed",
    ),
    SampleTool(
        "answer_ticket", "Answer a ticket",
        "Sends an answer to the customer and marks the ticket as answered. Calling it twice sends two.",
        closed({"ticket_id": _TICKET_ID, "text": _TEXT}, ["ticket_id", "text"]),
        closed({"ticket_id": {"type": "string"}, "state": {"type": "string"}, "message": {"type": "integer"}},
               ["ticket_id", "state", "message"]),
        answer_ticket, "write", "once",
    ),
    SampleTool(
        "issue_credit", "Issue a credit", "Credits an amount to a customer's account. Calling it twice credits twice.",
        closed({"customer": _NAME, "amount_usd": {"type": "number", "exclusiveMinimum": 0, "maximum": 10000},
                "reason": _TEXT}, ["customer", "amount_usd", "reason"]),
        closed({"credit": {"type": "integer"}, "account": {"type": "string"}, "amount_usd": {"type": "number"}},
               ["credit", "account", "amount_usd"]),
        issue_credit, "money", "once",
    ),
)  # fmt: skip
