"""A small help desk as an MCP server: tickets, accounts and incidents in a SQLite file of its own."""
