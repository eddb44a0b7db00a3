"""The product without the memory of its ledger, so that chaos can show that it notices (`--without-defence`)."""
