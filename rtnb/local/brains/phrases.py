"""A few phrases of four other languages, and the honest word that there are only a few. Data and one search."""

from __future__ import annotations

import re
from typing import Final

from rtnb.local.brains.english import bare

__all__ = ["PHRASES", "SPOKEN", "in_language", "phrase_asked"]

_ROWS: Final = (
    "greeting",
    "morning",
    "night",
    "thanks",
    "bye",
    "how_are_you",
    "yes",
    "no",
    "please",
    "sorry",
    "love",
    "not_understood",
    "result",
    "few",
    "name",
)

PHRASES: Final[dict[str, dict[str, str]]] = {
    "french": dict(
        zip(
            _ROWS,
            (
                "Bonjour !",
                "Bonjour !",
                "Bonne nuit !",
                "Merci beaucoup !",
                "Au revoir !",
                "Je vais bien, merci. Et vous ?",
                "Oui.",
                "Non.",
                "S'il vous plaît.",
                "Pardon.",
                "Je t'aime.",
                "Je n'ai pas compris. Pouvez-vous répéter ?",
                "Le résultat est {}.",
                "Je suis un cerveau d'exercice, un ensemble de règles : je ne connais que quelques phrases"
                " en français.",
                "Je m'appelle {}.",
            ),
            strict=True,
        )
    ),
    "german": dict(
        zip(
            _ROWS,
            (
                "Hallo!",
                "Guten Morgen!",
                "Gute Nacht!",
                "Vielen Dank!",
                "Auf Wiedersehen!",
                "Mir geht es gut, danke. Und Ihnen?",
                "Ja.",
                "Nein.",
                "Bitte.",
                "Entschuldigung.",
                "Ich liebe dich.",
                "Das habe ich nicht verstanden. Sagen Sie es bitte noch einmal.",
                "Das Ergebnis ist {}.",
                "Ich bin ein Übungsgehirn, ein Satz von Regeln: Auf Deutsch kann ich nur wenige Sätze.",
                "Ich heiße {}.",
            ),
            strict=True,
        )
    ),
    "spanish": dict(
        zip(
            _ROWS,
            (
                "¡Hola!",
                "¡Buenos días!",
                "¡Buenas noches!",
                "¡Muchas gracias!",
                "¡Adiós!",
                "Estoy bien, gracias. ¿Y usted?",
                "Sí.",
                "No.",
                "Por favor.",
                "Perdón.",
                "Te quiero.",
                "No he entendido. ¿Puede repetirlo?",
                "El resultado es {}.",
                "Soy un cerebro de prácticas, un conjunto de reglas: en español solo sé unas pocas frases.",
                "Me llamo {}.",
            ),
            strict=True,
        )
    ),
    "italian": dict(
        zip(
            _ROWS,
            (
                "Ciao!",
                "Buongiorno!",
                "Buona notte!",
                "Grazie mille!",
                "Arrivederci!",
                "Sto bene, grazie. E Lei?",
                "Sì.",
                "No.",
                "Per favore.",
                "Mi scusi.",
                "Ti amo.",
                "Non ho capito. Può ripetere?",
                "Il risultato è {}.",
                "Sono un cervello per esercizi, un insieme di regole: in italiano so soltanto poche frasi.",
                "Mi chiamo {}.",
            ),
            strict=True,
        )
    ),
}
"""Language -> what is meant -> how it is said."""

SPOKEN: Final = {
    "français": "french",
    "deutsch": "german",
    "español": "spanish",
    "italiano": "italian",
    **{name: name for name in PHRASES},
}
"""How a language is called -> its name in `PHRASES`."""

_MEANT: Final = (
    ("morning", r"good morning"),
    ("night", r"good night|good evening"),
    ("thanks", r"thank you|thanks"),
    ("bye", r"good ?bye|see you|bye"),
    ("how_are_you", r"how are you"),
    ("love", r"i love you"),
    ("please", r"please"),
    ("sorry", r"sorry|excuse me"),
    ("yes", r"yes"),
    ("no", r"no"),
    ("greeting", r"hello|hi|good day|something|a greeting"),
)

_INTO_ENGLISH: Final = (
    (r"^(?:bonjour|salut|hallo|guten tag|hola|buenos días|ciao|buongiorno)\b", "greeting"),
    (r"^(?:merci|danke|vielen dank|gracias|grazie)\b", "thanks"),
    (r"^(?:au revoir|auf wiedersehen|tschüss|adiós|arrivederci)\b", "bye"),
    (r"^(?:comment ça va|ça va|wie geht es|wie geht's|cómo estás|come stai)\b", "how_are_you"),
)
_FIRST_WORDS: Final = (
    ("french", r"bonjour|salut|merci|au revoir|comment ça va|ça va"),
    ("german", r"hallo|guten tag|danke|vielen dank|auf wiedersehen|tschüss|wie geht"),
    ("spanish", r"hola|buenos días|gracias|adiós|cómo estás"),
    ("italian", r"ciao|buongiorno|grazie|arrivederci|come stai"),
)


def phrase_asked(text: str) -> str | None:
    """The phrase that ``how do you say thank you in French`` asks for; the answer to a greeting in another language."""
    spoken = bare(text)
    asked = re.search(r"\b(?:say|is|translate|word for|mean)\b\s+(.*?)\s*\b(?:in(?:to)?|to)\s+(\w+)", spoken)
    if asked and asked[2] in SPOKEN:
        for meaning, pattern in _MEANT:
            if re.search(rf"\b(?:{pattern})\b", asked[1]):
                return PHRASES[SPOKEN[asked[2]]][meaning]
        return f"I know only a few phrases of {asked[2].title()}, and that is not one of them. A real model knows more."
    if (
        asked
        and re.fullmatch(r"[a-z]+(?:ish|ese|ian|ch|an|in|ic|i|ew|ek|ai)", asked[2])
        and re.search(r"\b(?:say|translate)\b", spoken)
    ):
        return f"I know no {asked[2].title()}: only a few phrases of French, German, Spanish and Italian."
    for pattern, meaning in _INTO_ENGLISH:
        if re.search(pattern, spoken):
            language = next(name for name, words in _FIRST_WORDS if re.match(rf"(?:{words})", spoken))
            return PHRASES[language][meaning]
    if known := re.search(r"\b(?:do|can|could) you (?:speak|talk|understand)\s+(?:in\s+)?(\w+)", spoken):
        if known[1] in SPOKEN:
            return PHRASES[SPOKEN[known[1]]]["few"]
        if known[1] == "english":
            return "Yes, English is the language that my rules are written in."
        return (
            f"No. My rules are for English, with a few phrases of French, German, Spanish and Italian;"
            f" {known[1].title()} I do not know."
        )
    return None


def in_language(language: str, intent: str, text: str) -> str:
    """`text` in another language as far as the phrases go; else the bare number, or the honest word that they end."""
    phrases = PHRASES[language]
    if intent in phrases:
        return phrases[intent]
    number = re.search(r"(?:is|at) (-?\d+(?:\.\d+)?)\.?$", text)
    if intent in {"result", "sum"} and number:
        return phrases["result"].format(number[1].replace(".", ","))
    return phrases["few"]
