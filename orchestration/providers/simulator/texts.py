"""The texts the simulator writes: summaries are extracts, replies are courteous and repeat what was said."""

from __future__ import annotations

import re

from orchestration.providers.simulator.reading import Reading
from orchestration.providers.simulator.words import alike, name_words, words_of

_PURPOSES = {
    "summary": "summary summarise summarize gist abstract overview tldr digest zusammenfassung fasse resume resumen",
    "title": "title subject headline heading betreff titre asunto",
    "reason": "reason rationale explanation justification why evidence because grund raison motivo",
    "language": "language lang locale sprache langue idioma",
    "reply": "reply answer response respond message text body draft comment email letter content note write "
             "antwort antworte reponse repondre respuesta responde",
}  # fmt: skip
_REPLIES = {
    "en": 'Hello,\n\nthank you for your message. You wrote: "{gist}" {step} We will come back to you as soon as we '
          "know more.\n\nKind regards",
    "de": "Guten Tag,\n\nvielen Dank für Ihre Nachricht. Sie schreiben: „{gist}“ {step} Wir melden uns, sobald wir "
          "mehr wissen.\n\nMit freundlichen Grüßen",
    "fr": "Bonjour,\n\nmerci pour votre message. Vous écrivez : « {gist} » {step} Nous revenons vers vous dès que "
          "nous en savons plus.\n\nCordialement",
    "es": "Hola:\n\ngracias por su mensaje. Nos escribe: «{gist}» {step} Le responderemos en cuanto sepamos más."
          "\n\nUn saludo cordial",
}  # fmt: skip
_STEPS = {
    "en": ("We are sorry for the trouble and are looking into it with priority.", "We are looking into it."),
    "de": ("Wir bedauern die Störung und kümmern uns vorrangig darum.", "Wir kümmern uns darum."),
    "fr": ("Nous sommes désolés de la gêne et nous en occupons en priorité.", "Nous nous en occupons."),
    "es": ("Lamentamos las molestias y lo atendemos con prioridad.", "Lo estamos revisando."),
}
_EMPTY = {"en": "(nothing readable)", "de": "(nichts Lesbares)", "fr": "(rien de lisible)", "es": "(nada legible)"}


def purpose_of(words: list[str]) -> str:
    """Say what a field or an instruction asks for: summary, title, reason, language, reply, or nothing known."""
    for purpose, entries in _PURPOSES.items():
        if any(word in entries.split() for word in words):
            return purpose
    return ""


def free_text(reading: Reading) -> str:
    """Answer a prompt that asks for no particular shape."""
    purpose = purpose_of(words_of(reading.instructions))
    if purpose in ("", "language"):
        purpose = "reply" if len(reading.data) < 400 and not reading.is_diff else "summary"
    return text_for(purpose, reading)


def field_text(name: str, about: str, reading: Reading) -> str:
    """Write what a string field of this name and description should hold."""
    words = name_words(name)
    labelled = reading.labels.get("".join(words))
    purpose = purpose_of(words)
    if labelled and purpose not in ("summary", "reply", "reason"):
        return labelled
    purpose = purpose or purpose_of(words_of(about))
    if purpose:
        return text_for(purpose, reading)
    return _closest(words, reading) or title(reading)


def text_for(purpose: str, reading: Reading) -> str:
    """Write a text of one purpose."""
    match purpose:
        case "summary":
            return summary(reading)
        case "title":
            return title(reading)
        case "reason":
            return reason(reading)
        case "language":
            return reading.language
    return review(reading) if reading.is_diff else reply(reading)


def summary(reading: Reading) -> str:
    """Give the first sentences, up to 300 characters; of a diff, what it touches."""
    if reading.is_diff:
        return _diff_summary(reading)
    chosen = ""
    for sentence in reading.sentences:
        if chosen and len(chosen) + len(sentence) > 300:
            break
        chosen = f"{chosen} {sentence}".strip()
    return shortened(chosen, 300) or _EMPTY[reading.language]


def title(reading: Reading) -> str:
    """Give the first telling sentence, up to 70 characters."""
    return shortened(_gist(reading), 70).rstrip(".,;: ") or _EMPTY[reading.language]


def reason(reading: Reading) -> str:
    """Say which words of the text spoke loudest."""
    named = ", ".join(f"'{word}'" for word in reading.keywords[:4])
    return f"The text speaks of {named}." if named else "The text says too little to judge by."


def reply(reading: Reading) -> str:
    """Write a courteous answer in the language of the text."""
    step = _STEPS[reading.language][0 if reading.urgency >= 0.5 or reading.sentiment < 0.4 else 1]
    return _REPLIES[reading.language].format(gist=shortened(_gist(reading), 140) or "…", step=step)


def review(reading: Reading) -> str:
    """Comment on a diff."""
    removed = " It removes things: please check that nothing else needs them." if reading.risk >= 0.5 else ""
    tests = "" if reading.concepts["tests"] else " No test changes with it."
    return f"{_diff_summary(reading)}{removed}{tests}"


def shortened(text: str, most: int) -> str:
    """Cut a text at a word's end so that it has at most `most` characters."""
    if len(text) <= most:
        return text
    cut = text[: max(0, most - 1)]
    return (cut.rsplit(" ", 1)[0] if " " in cut else cut) + "…" if most > 0 else ""


def _gist(reading: Reading) -> str:
    telling = [part for part in reading.sentences if len(words_of(part)) >= 4]
    return (telling or reading.sentences or [""])[0]


def _closest(words: list[str], reading: Reading) -> str:
    """Find the sentence that speaks of what the field is named for."""
    for sentence in reading.sentences:
        if any(len(word) > 3 and alike(word, other) for word in words for other in words_of(sentence)):
            return shortened(sentence, 160)
    return ""


def _diff_summary(reading: Reading) -> str:
    lines = reading.data.splitlines()
    files = list(dict.fromkeys(re.findall(r"^\+\+\+ (?:b/)?(\S+)", reading.data, re.MULTILINE)))
    added = sum(line.startswith("+") and not line.startswith("+++") for line in lines)
    removed = sum(line.startswith("-") and not line.startswith("---") for line in lines)
    named = ", ".join(files[:4]) + (f" and {len(files) - 4} more" if len(files) > 4 else "")
    return f"Changes {named or 'a file'}: {added} lines added, {removed} removed."


def singular(name: str) -> str:
    """Name an item of a list after the list."""
    return f"{name.removesuffix('[]')}[]"
