"""The product's settings, with the step kind that does nothing: what a bench measures is then Baton alone."""

from orchestration.settings import *  # noqa: F403

BATON_EXTRA_KINDS = {"noop": "tests.support.noop.Noop"}
