"""Which words mean the same thing, to see which tool a wish is about.

Each concept is a list of words, English first, then what German and French tools are called by. Imports nothing of rtnb
but the stems.
"""

from __future__ import annotations

from typing import Final

from rtnb.local.brains.english import stem
from rtnb.local.brains.tables import bag

__all__ = ["CONCEPTS", "READING", "WRITING", "concepts"]

_ROWS: Final = {
    "weather": "weather rain raining rainy snow snowing sunny sun cloudy clouds windy wind forecast"
    " temperature temp degrees"
    " umbrella storm humidity warm cold hot outside meteorological climate wetter temperatur regen"
    " météo meteo wx pluie",
    "stock": "stock stocks share shares ticker quote trading market nasdaq equity equities symbol aktie"
    " aktien kurs bourse"
    " worth valuation",
    "price": "price prices cost costs preis prix expensive cheap pay fee",
    "sum": "sum add adds adding addition plus total addieren summe addiere somme additionner addend",
    "difference": "subtract difference minus subtraction subtrahieren",
    "product": "multiply multiplication product times multiplied multiplizieren",
    "quotient": "divide division quotient divided dividieren",
    "compute": "calculate calculator compute evaluate expression arithmetic math maths formula berechnen"
    " rechner rechne calculer",
    "memory": "memory memories remember remembered memorize memorise recall fact facts note notes store merke"
    " merken gedächtnis"
    " mémoire forget save",
    "calendar": "calendar appointment appointments meeting meetings event events schedule agenda booking termin"
    " termine kalender"
    " rendez-vous calendrier reschedule",
    "time": "clock timezone hour uhrzeit heure o'clock time",
    "date": "date day datum jour weekday",
    "alarm": "alarm timer remind reminder reminders wake countdown erinnerung wecker minuteur rappel",
    "light": "light lights lamp lamps bulb bright brightness dim dimmer licht lampe lumière lumiere illuminate dark",
    "heating": "heating heater heat thermostat radiator warmer cooler heizung chauffage hvac conditioning",
    "lock": "lock unlock door doors gate garage tür schloss porte",
    "blind": "blind blinds shutter shutters curtain curtains rolladen store volet",
    "device": "device devices home appliance gerät appareil switch turn",
    "music": "music song songs play playlist track album artist pause musik musique volume",
    "search": "search find look lookup seek browse google suche suchen finde cherche chercher recherche"
    " trouver mention",
    "document": "document documents docs file files text texts manual handbook policy article articles passage"
    " knowledge wiki"
    " wikipedia dokument dokumente",
    "web": "web internet online website url page news",
    "database": "database db sql query table tables row rows record records customers customer orders products invoices"
    " employees datenbank select count average requête",
    "mail": "mail email e-mail message messages send sms write nachricht envoyer inbox text",
    "call": "phone dial ring anrufen",
    "translate": "translate translation translator übersetze übersetzen traduire traduction",
    "convert": "convert conversion converter exchange umrechnen convertir",
    "currency": "currency currencies euro euros dollar dollars pounds yen währung devise",
    "unit": "unit units miles kilometers kilometres pounds kilograms inches feet meters metres celsius fahrenheit",
    "route": "route directions distance navigate navigation drive driving travel way weg entfernung itinéraire far",
    "flight": "flight flights fly plane airline airport flug vol",
    "hotel": "hotel hotels room stay accommodation",
    "train": "train trains railway bahn zug connection",
    "restaurant": "restaurant restaurants dinner lunch eat food table reserve reservation",
    "order": "order orders package parcel shipment delivery tracking track shipping bestellung commande paket",
    "buy": "buy purchase checkout cart kaufen acheter",
    "list": "list lists shopping grocery groceries todo todos task tasks einkaufsliste aufgabe liste courses",
    "random": "random dice die roll coin flip zufall würfel lottery",
    "image": "image picture photo draw paint bild",
    "joke": "joke jokes funny witz blague",
    "recipe": "recipe recipes cook cooking rezept recette",
    "sports": "score scores team league soccer football basketball tennis fixture",
    "population": "population people inhabitants einwohner habitants",
    "user": "account profile customer login kunde",
    "summarise": "summarize summarise summary zusammenfassen résumer",
}

CONCEPTS: Final[dict[str, frozenset[str]]] = {}
"""Stem -> the concepts that it belongs to."""
for _concept, _words in _ROWS.items():
    for _word in _words.split():
        for _stem in {stem(_word), _word}:
            CONCEPTS[_stem] = CONCEPTS.get(_stem, frozenset()) | {_concept}

WRITING: Final = frozenset(
    map(
        stem,
        bag(
            "set save store write remember keep put add create insert update change make book schedule record memorize"
            " note register turn switch send merke speichere setze delete remove cancel forget"
        ),
    )
)
"""Verbs that change something."""

READING: Final = frozenset(
    map(
        stem,
        bag(
            "get read recall fetch load list retrieve lookup show find search check query what which when where who how"
            " tell know did do is are lies hole zeige view status state"
        ),
    )
)
"""Verbs that only ask."""


def concepts(word_stem: str) -> frozenset[str]:
    """The concepts of a stem; the stem itself when it belongs to none."""
    return CONCEPTS.get(word_stem) or frozenset({word_stem})
