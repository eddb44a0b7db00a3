"""The simulator: an offline model for samples, tests and trying things out, labelled as such wherever it shows.

It reads a prompt and a JSON Schema and nothing else, and gives a plausible answer: the same prompt, schema and
parameters always get the same one. It has no knowledge of any workflow. It is word counting, not understanding.
"""

from orchestration.providers.simulator.model import answer, simulated_model

__all__ = ["answer", "simulated_model"]
