"""The product with one defence removed, so that the chaos harness can show that it notices (`--without-defence`)."""
