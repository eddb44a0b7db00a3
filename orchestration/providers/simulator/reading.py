"""What the simulator sees in a prompt: where the data is, its words, its language, how urgent it sounds."""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property

from orchestration.providers.simulator.words import (
    CALM,
    LETTERS,
    NEGATIONS,
    ORDERS,
    STOP,
    URGENT,
    WORKING,
    begins,
    concepts_of,
    folded,
    words_of,
)

_MOST_CHARS = 20_000  # beyond this, the start and the end of a prompt stand for the whole
_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+|\n+")
_LABEL = re.compile(r"""^\W{0,4}["']?([A-Za-z][\w .-]{0,40}?)["']?\s*[:=]\s*["']?(.+?)["',]*$""", re.MULTILINE)
_INLINE = re.compile(r"^([^\n:]{3,160}):\s+(?=\S)")


@dataclass(frozen=True)
class Reading:
    """A prompt, divided into instructions and data. Everything else is worked out when asked for."""

    instructions: str
    data: str
    seed: str = field(default="", compare=False)

    @classmethod
    def of(cls, prompt: str, system: str = "", salt: str = "") -> Reading:
        seed = hashlib.sha256("\0".join((system, prompt, salt)).encode("utf-8", "surrogatepass")).hexdigest()
        prompt = prompt.encode("utf-8", "replace").decode().replace("\0", " ")
        if len(prompt) > _MOST_CHARS:
            prompt = prompt[: _MOST_CHARS * 4 // 5] + "\n" + prompt[-_MOST_CHARS // 5 :]
        instructions, data = _divide(prompt)
        return cls(f"{system}\n{instructions}".strip(), data, seed)

    def pick(self, count: int, about: str = "") -> int:
        """Pick one of `count`, the same each time."""
        return int(hashlib.sha256(f"{self.seed}/{about}".encode()).hexdigest()[:12], 16) % max(1, count)

    @cached_property
    def sentences(self) -> list[str]:
        parts = [re.sub(r"\s+", " ", part).strip() for part in _SENTENCE_END.split(self.data)]
        return [part for part in parts if re.search(r"\w", part)]

    @cached_property
    def plain(self) -> str:
        """The data, folded, without sentences that give the model orders."""
        return folded("\n".join(part for part in self.sentences if not ORDERS.search(folded(part))))

    @cached_property
    def words(self) -> list[str]:
        return words_of(self.plain)

    @cached_property
    def concepts(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for word in self.words:
            found.update(concepts_of(word))
        found["outage"] += sum(self.denied(at) for at, word in enumerate(self.words) if begins(word, WORKING))
        return found

    def denied(self, at: int) -> bool:
        """Tell whether the word at this place is near a negation."""
        return any(word in NEGATIONS for word in self.words[max(0, at - 3) : at + 3])

    @cached_property
    def language(self) -> str:
        known = Counter(self.words)
        scores = {code: sum(known[word] for word in words) for code, words in STOP.items()}
        for code, letters in LETTERS.items():
            scores[code] += sum(self.data.lower().count(letter) for letter in letters)
        best = max(scores, key=lambda code: scores[code])
        return best if scores[best] > scores["en"] else "en"

    @cached_property
    def urgency(self) -> float:
        """0 for calm to 1 for alarming."""
        text = self.plain
        loud = min(3, self.data.count("!")) * 0.25 + (0.5 if self._shouts() else 0.0)
        words = sum(0.9 for entry in URGENT if entry in text)
        trouble = 0.6 * min(3, self.concepts["outage"]) + 0.7 * min(2, self.concepts["security"])
        annoyed = 0.3 * min(2, self.concepts["complaint"] + self.concepts["abuse"])
        calm = 1.2 * sum(1 for entry in CALM if entry in text)
        return round(
            min(0.98, max(0.05, 1 - math.exp(-max(0.0, 0.2 + loud + words + trouble + annoyed - calm) / 2))), 2
        )

    @cached_property
    def risk(self) -> float:
        """0 for harmless to 1 for dangerous, by talk of deleting and of security."""
        weight = 0.5 * min(4, self.concepts["destruction"]) + 0.5 * min(4, self.concepts["security"])
        return round(min(0.95, 0.1 + 1 - math.exp(-weight / 1.5)), 2)

    @cached_property
    def sentiment(self) -> float:
        """0 for negative to 1 for positive; 0.5 is neutral."""
        bad = self.concepts["complaint"] + self.concepts["abuse"] + 0.5 * self.concepts["outage"]
        return round(0.5 + 0.45 * math.tanh((self.concepts["praise"] - bad) / 2), 2)

    @cached_property
    def labels(self) -> dict[str, str]:
        """What stands behind labels such as `Customer: ACME` or `"customer": "ACME"`, by folded label."""
        found: dict[str, str] = {}
        for label, value in _LABEL.findall(f"{self.data}"):
            found.setdefault("".join(words_of(label)), value.strip())
        return found

    @cached_property
    def keywords(self) -> list[str]:
        """The words that say most, most frequent first."""
        stop = {word for words in STOP.values() for word in words}
        counted = Counter(word for word in self.words if len(word) > 3 and word not in stop and not word.isdigit())
        return [word for word, _ in counted.most_common(40)]

    @property
    def is_diff(self) -> bool:
        return bool(re.search(r"^(@@ .* @@|diff --git |\+\+\+ )", self.data, re.MULTILINE))

    def _shouts(self) -> bool:
        capitals = re.findall(r"\b[A-ZÄÖÜÉÈÀÑ]{4,}\b", self.data)
        return len(capitals) >= 2


def _divide(prompt: str) -> tuple[str, str]:
    """Divide at the first paragraph that ends with a colon, or at a colon in the first line; else all is data."""
    paragraphs = re.split(r"\n\s*\n", prompt.strip())
    for at, paragraph in enumerate(paragraphs[:-1]):
        if paragraph.rstrip().endswith(":"):
            return "\n\n".join(paragraphs[: at + 1]), "\n\n".join(paragraphs[at + 1 :])
    if len(paragraphs) > 1:
        return paragraphs[0], "\n\n".join(paragraphs[1:])
    first, _, rest = prompt.strip().partition("\n")
    if rest and first.rstrip().endswith(":"):
        return first, rest
    inline = _INLINE.match(prompt.strip())
    return (inline[1], prompt.strip()[inline.end() :]) if inline else ("", prompt.strip())
