"""`python -m samples.helpdesk --data DIR` serves; `... effects --data DIR [--key K]` lists what was done."""

from samples.helpdesk.store import open_store
from samples.helpdesk.tools import TOOLS
from samples.serving import main

if __name__ == "__main__":
    main("helpdesk", "A sample help desk as an MCP server over stdio.", open_store, TOOLS)
