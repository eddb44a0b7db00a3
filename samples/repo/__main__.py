"""`python -m samples.repo --data DIR` serves; `... effects --data DIR [--key K]` lists what was done."""

from samples.repo.tools import TOOLS, open_store
from samples.serving import main

if __name__ == "__main__":
    main("repo", "A sample code host as an MCP server over stdio.", open_store, TOOLS)
