"""Small general word tables in English, German, French and Spanish, and how words are compared.

Entries are beginnings of words, in lower case and without accents; one under four letters must match whole.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping

_CONCEPTS = {
    "outage": "outage down downtime unreachabl unavailab offline crash timeout 500 502 503 504 hangs frozen stopped "
              "ausfall ausgefall stoerung storung steht panne indisponib injoignab caid inaccesib interrup",
    "billing": "bill invoic charg overcharg refund payment paid pay price cost credit card subscription receipt vat "
               "tax rechnung abbuch abgebuch gebuch bezahl zahl erstatt gutschrift kosten preis mwst factur "
               "rembours paiement prelev prix cobr pago reembols precio tarjeta iva tva",
    "access": "login logon signin password passcode locked access permission sso mfa 2fa anmeld einlogg passwort "
              "zugang zugriff gesperrt connexion connecter acces bloque contrasen acceso sesion",
    "bug": "bug error broken fail exception traceback defect wrong incorrect glitch fehler kaputt defekt falsch "
           "erreur bogue casse fallo roto incorrecto",
    "security": "secur breach hack leak phish malware vulnerab attack stolen unauthori fraud suspicious credential "
                "sicherheit angriff gestohlen betrug pirat fuite vole fraude seguridad robad ataque filtrac inject",
    "abuse": "abus harass threat spam hate insult offensiv idiot stupid moron scam troll shut belastig beleidig "
             "drohung bedroh harcel menac imbecil acos amenaz",
    "feature": "feature wish suggest improv enhanc roadmap idea wunsch wunsche vorschlag fonctionnalit souhait "
               "funcion sugerenc mejora",
    "question": "question wonder explain how frage wie pregunta comment pourquoi como",
    "cancel": "cancel terminat unsubscrib churn kundig kuendig stornier resili annul baja",
    "shipping": "ship deliver parcel courier tracking liefer paket versand livraison colis envio entrega paquete",
    "performance": "slow latenc lag perform sluggish speed langsam lent rendimiento optimi",
    "data": "data export import csv backup daten donnee datos respaldo",
    "legal": "gdpr legal lawyer contract privacy lawsuit dsgvo rgpd anwalt vertrag avocat contrat abogado",
    "sales": "sales quote demo upgrade purchase buy angebot kauf devis acheter comprar cotizac",
    "praise": "thank great love awesome excellent happy perfect wonderful danke toll super merci parfait gracias "
              "genial excelente perfecto",
    "complaint": "angry terribl awful unacceptab disappoint frustrat worst useless complain furious wutend "
                 "unzumutbar enttausch beschwer inaccepta decu scandal enojad inacepta decepcion queja",
    "destruction": "delet drop remov destroy truncat wipe eras losch entfern supprim effac elimin borr",
    "tests": "test assert coverage", "documentation": "readme docs document docstring typo",
    "configuration": "config setting env yaml dockerfile deploy", "dependencies": "depend requirement lockfile",
}  # fmt: skip

# What a word of a label stands for, where the label's own word is rarely in the text.
LABELS: Mapping[str, tuple[str, ...]] = {
    "technical": ("outage", "bug", "access", "performance"), "incident": ("outage",), "availability": ("outage",),
    "infrastructure": ("outage", "performance"), "operations": ("outage",), "finance": ("billing",),
    "accounting": ("billing",), "money": ("billing",), "account": ("access",), "authentication": ("access",),
    "positive": ("praise",), "negative": ("complaint", "abuse"), "sentiment": ("praise", "complaint"),
    "inquiry": ("question",), "request": ("feature",), "logistics": ("shipping",), "compliance": ("legal",),
    "moderation": ("abuse",), "trust": ("abuse", "security"), "risky": ("destruction", "security"),
    "risk": ("destruction", "security"), "dangerous": ("destruction", "security"), "breaking": ("destruction",),
    "retention": ("cancel",), "documentation": ("documentation",), "quality": ("tests", "bug"),
}  # fmt: skip

URGENT = ("urgent", "asap", "immediat", "emergenc", "critic", "right now", "at once", "production", "everyone",
          "all users", "nobody", "losing", "blocked", "deadline", "escalat", "dringend", "sofort", "notfall",
          "kritisch", "niemand", "alle nutzer", "urgente", "tout de suite", "personne ne", "inmediat", "cuanto antes",
          "nadie", "emergencia", "heute noch", "today", "hours", "seit stunden", "depuis des heures")  # fmt: skip
CALM = ("whenever", "no rush", "no hurry", "not urgent", "when you have time", "just wondering", "curious", "minor",
        "small question", "eilt nicht", "kein stress", "nicht dringend", "pas urgent", "quand vous aurez", "sin prisa",
        "no es urgente", "typo", "low priority")  # fmt: skip
# These mean trouble only when denied: not reachable, ne fonctionne pas.
WORKING = ("work", "reach", "load", "respond", "open", "start", "connect", "funktionier", "erreichbar", "geht", "gehen",
           "lad", "fonctionn", "march", "repond", "accessib", "funcion", "carg", "abre", "accesib")  # fmt: skip
NEGATIONS = frozenset(
    "not no never cannot cant can't don't dont doesn't doesnt isn't isnt won't wont without nicht "
    "kein keine nie ne n pas plus jamais sans nunca sin tampoco ni nothing nada rien nichts".split()
)
OTHER = frozenset(
    "other others unknown none misc miscellaneous general unclear unsure undefined neutral na else "
    "sonstiges andere autre autres otro otros default".split()
)
STOP = {
    "en": "the and is are was were i we you my our your to of in it for on with this that have has can not please "
          "be at do does did an when what since they me but all".split(),
    "de": "der die das und ist sind war ich wir sie mein unsere unser ihr zu von im es fur mit dies dass haben hat "
          "kann nicht bitte ein eine seit wie bei auf den dem wurde wurden werden aber alle hallo mir uns".split(),
    "fr": "le la les et est sont etait je nous vous mon notre votre de du des en il pour sur avec ce cette que avons "
          "a peut pas un une depuis dans au ne ont mais bonjour me mes nos tout on qui".split(),
    "es": "el la los las y es son era yo nosotros usted mi nuestro nuestra su de del en lo para con este esta que "
          "tenemos ha han he hemos puede no por un una desde al se me nos pero hola muy dos todo todos".split(),
}  # fmt: skip
LETTERS = {"de": "äöüß", "fr": "èêçàœ", "es": "ñ¿¡ó"}
LANGUAGE_NAMES = {
    "en": ("en", "eng", "english", "englisch", "anglais", "ingles"), "de": ("de", "deu", "ger", "german", "deutsch"),
    "fr": ("fr", "fra", "french", "francais"), "es": ("es", "spa", "spanish", "espanol"),
}  # fmt: skip
SCALE = {
    "none": 0.0, "no": 0.0, "trivial": 0.05, "lowest": 0.05, "info": 0.1, "informational": 0.1, "low": 0.2,
    "minor": 0.25, "normal": 0.4, "medium": 0.5, "moderate": 0.5, "mid": 0.5, "average": 0.5, "warning": 0.5,
    "elevated": 0.65, "important": 0.7, "high": 0.75, "major": 0.75, "severe": 0.9, "urgent": 0.9, "critical": 1.0,
    "highest": 1.0, "blocker": 1.0, "emergency": 1.0, "p0": 1.0, "p1": 0.85, "p2": 0.6, "p3": 0.35, "p4": 0.1,
    "sev1": 1.0, "sev2": 0.7, "sev3": 0.4, "sev4": 0.1,
}  # fmt: skip
# Sentences that talk to the model instead of saying something: they are data, and they are not counted.
ORDERS = re.compile(
    r"(ignor\w*|disregard\w*|forget|override|bypass|vergiss|ignorier\w*|oubli\w*|olvid\w*)\W+(\w+\W+){0,5}"
    r"(instruct\w*|rules?|prompt\w*|previous|above|anweisung\w*|regeln|consignes?|instruccion\w*|reglas|policy|policies)"
    r"|system prompt|developer mode|jailbreak|you are now|act as (a|an|the)\b|pretend (to|you)"
    r"|(respond|reply|answer|output|return|antworte|repond\w*|responde)\W+(only\W+)?(with|mit|avec|con)\b"
    r"|\b(set|classify|mark|label|rate)\W+(\w+\W+){0,4}(as|to)\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"[a-z0-9']+")


def folded(text: str) -> str:
    """Give a text in lower case and without accents."""
    plain = unicodedata.normalize("NFKD", text.lower().replace("ß", "ss"))
    return "".join(char for char in plain if not unicodedata.combining(char))


def words_of(text: str) -> list[str]:
    """Split a text into folded words."""
    return _WORD.findall(folded(text))


def name_words(name: str) -> list[str]:
    """Split an identifier into words: needsApproval, needs_approval and needs-approval are alike."""
    return words_of(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).replace("_", " ").replace("-", " "))


def begins(word: str, entries: Iterable[str]) -> bool:
    """Tell whether a word is one of these entries, or begins like a long one."""
    return any(word == entry or (len(entry) >= 4 and word.startswith(entry)) for entry in entries)


def concepts_of(word: str) -> frozenset[str]:
    """Name the concepts a word belongs to."""
    found: set[str] = set(_INDEX.get(word, ()))
    for length in range(4, len(word)):
        found |= _INDEX.get(word[:length], frozenset())
    return frozenset(found)


def alike(left: str, right: str) -> bool:
    """Tell whether two words share their stem, roughly."""
    if left == right:
        return True
    shorter = min(len(left), len(right))
    return shorter >= 4 and left[: max(4, shorter - 2)] == right[: max(4, shorter - 2)]


def _index() -> dict[str, frozenset[str]]:
    index: dict[str, frozenset[str]] = {}
    for concept, entries in _CONCEPTS.items():
        for entry in entries.split():
            index[entry] = index.get(entry, frozenset()) | {concept}
    return index


_INDEX = _index()
