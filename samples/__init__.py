"""Samples: workflows, and the servers they call. Nothing of the product imports them."""
