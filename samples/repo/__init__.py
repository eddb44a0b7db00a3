"""A small code host as an MCP server: pull requests, their checks, comments and merges."""
