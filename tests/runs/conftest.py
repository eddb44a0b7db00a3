"""Fixtures of the engine's tests."""

from tests.support.outside import outside

__all__ = ["outside"]
