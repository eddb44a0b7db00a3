"""The help desk's file: its tables, and what it holds at first start."""

from __future__ import annotations

from pathlib import Path

from samples.effects import Store

SCHEMA = """
CREATE TABLE IF NOT EXISTS accounts (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL, plan TEXT NOT NULL, region TEXT NOT NULL,
    monthly_usd REAL NOT NULL, since TEXT NOT NULL, language TEXT NOT NULL, note TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS incidents (
    id TEXT PRIMARY KEY, title TEXT NOT NULL, region TEXT NOT NULL, status TEXT NOT NULL, severity TEXT NOT NULL,
    started_at TEXT NOT NULL, message TEXT NOT NULL, words TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS tickets (
    number INTEGER PRIMARY KEY AUTOINCREMENT, reference TEXT NOT NULL, customer TEXT NOT NULL, subject TEXT NOT NULL,
    body TEXT NOT NULL, priority TEXT NOT NULL, team TEXT NOT NULL, state TEXT NOT NULL, opened_at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT, ticket INTEGER NOT NULL REFERENCES tickets, kind TEXT NOT NULL,
    text TEXT NOT NULL, at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS notifications (
    id INTEGER PRIMARY KEY AUTOINCREMENT, team TEXT NOT NULL, message TEXT NOT NULL, ticket_id TEXT NOT NULL,
    at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS credits (
    id INTEGER PRIMARY KEY AUTOINCREMENT, account TEXT NOT NULL, amount_usd REAL NOT NULL, reason TEXT NOT NULL,
    at TEXT NOT NULL
);
"""

ACCOUNTS = (
    ("acme", "Acme Logistics", "ops@acme.example", "enterprise", "eu-west", 4200.0, "2021-03-04", "en", ""),
    ("birkholz", "Birkholz Maschinenbau GmbH", "it@birkholz.example", "business", "eu-central", 890.0,
     "2022-09-19", "de", "Invoices go to a shared mailbox."),
    ("calanque", "Calanque Voyages", "support@calanque.example", "business", "eu-west", 640.0, "2023-01-30", "fr", ""),
    ("delmar", "Del Mar Seguros", "sistemas@delmar.example", "enterprise", "us-east", 3100.0, "2020-11-12", "es", ""),
    ("evergreen", "Evergreen Clinics", "helpdesk@evergreen.example", "enterprise", "us-west", 5600.0,
     "2019-06-01", "en", "Health data: answer by ticket only."),
    ("fjord", "Fjord Analytics", "hello@fjord.example", "starter", "eu-north", 49.0, "2024-02-14", "en", ""),
    ("gable", "Gable & Finch", "office@gablefinch.example", "starter", "us-east", 49.0, "2024-08-08", "en", ""),
    ("hanami", "Hanami Games", "live@hanami.example", "business", "ap-northeast", 1250.0, "2022-04-01", "en", ""),
    ("iberia", "Ibérica de Datos", "datos@iberica.example", "business", "eu-south", 720.0, "2023-05-22", "es", ""),
    ("juniper", "Juniper Street Bakery", "orders@juniperstreet.example", "free", "us-east", 0.0,
     "2025-01-09", "en", ""),
    ("kestrel", "Kestrel Freight", "noc@kestrel.example", "enterprise", "ap-southeast", 2950.0, "2021-07-15", "en",
     "Has a contract with a four-hour answer."),
    ("lumen", "Lumen Schools", "it@lumenschools.example", "business", "us-west", 410.0, "2023-09-01", "en", ""),
)  # fmt: skip

INCIDENTS = (
    ("INC-204", "Web console unreachable", "eu-west", "investigating", "major", "2026-11-20T07:42:00Z",
     "The web console answers slowly or not at all. Data is safe. Next update within the hour.",
     "console dashboard login down outage unreachable unavailable timeout 503 ausgefallen erreichbar panne caido"),
    ("INC-205", "Delayed invoice e-mails", "global", "monitoring", "minor", "2026-11-19T15:10:00Z",
     "Invoices for November arrive up to a day late. Amounts are right.",
     "invoice invoices billing receipt email mail rechnung facture factura"),
    ("INC-206", "Exports stop at 10,000 rows", "us-east", "identified", "minor", "2026-11-18T11:25:00Z",
     "Large exports end early. A fix is being tested; splitting the export by month works until then.",
     "export exports csv report download rows truncated"),
    ("INC-207", "Webhook deliveries retried twice", "ap-southeast", "identified", "minor", "2026-11-20T02:05:00Z",
     "Some webhooks are delivered twice. Receivers should compare the delivery id.",
     "webhook webhooks delivery deliveries duplicate twice callback"),
    ("INC-198", "Sign-in codes by text message delayed", "us-west", "resolved", "minor", "2026-11-11T18:00:00Z",
     "Codes by text message were late for two hours. Resolved.",
     "login signin code sms password"),
)  # fmt: skip


def open_store(folder: Path) -> Store:
    """Open the help desk kept in `folder`; the first time, fill it with accounts and incidents."""
    store = Store(folder, SCHEMA)
    with store.change() as connection:
        connection.executemany("INSERT OR IGNORE INTO accounts VALUES (?,?,?,?,?,?,?,?,?)", ACCOUNTS)
        connection.executemany("INSERT OR IGNORE INTO incidents VALUES (?,?,?,?,?,?,?,?)", INCIDENTS)
        connection.execute("INSERT OR IGNORE INTO sqlite_sequence (name, seq) SELECT 'tickets', 1000 "
                           "WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'tickets')")  # fmt: skip
    return store
