"""Who runs and who sells in the demo, and the legal texts: they say that they are examples."""

import re

from jay.legal.models import Kind

_WHAT = {
    "en": {
        Kind.IMPRINT: "who runs this service: name, address, e-mail, register and VAT number",
        Kind.PRIVACY: "which personal data are processed, what for, and which rights people have",
        Kind.TERMS: "what holds between those who use this service and those who run it",
        Kind.ACCESSIBILITY: "how accessible these pages are, and whom to tell of a barrier",
    },
    "de": {
        Kind.IMPRINT: "wer diesen Dienst betreibt: Name, Anschrift, E-Mail, Register- und"
        " Umsatzsteuernummer",
        Kind.PRIVACY: "welche personenbezogenen Daten wozu verarbeitet werden und welche Rechte"
        " Betroffene haben",
        Kind.TERMS: "was zwischen denen gilt, die diesen Dienst nutzen, und denen, die ihn"
        " betreiben",
        Kind.ACCESSIBILITY: "wie barrierefrei diese Seiten sind und wer sich um gemeldete Barrieren"
        " kümmert",
    },
}
_SAID = {
    "en": "**This is an example.** Whoever runs this service says here {what}.\n\n"
    "`flask --app app legal set {kind}` puts the real text in its place.\n",
    "de": "**Dies ist ein Beispiel.** Wer diesen Dienst betreibt, sagt hier, {what}.\n\n"
    "`flask --app app legal set {kind}` setzt den richtigen Text an seine Stelle.\n",
}

TEXTS = {
    (kind, lang): _SAID[lang].format(what=what, kind=kind)
    for lang, by_kind in _WHAT.items()
    for kind, what in by_kind.items()
}

SELLER = {
    "name": "Hafenlicht Beispiel GmbH",
    "street": "Kaistraße",
    "house_number": "4",
    "zip": "20457",
    "city": "Hamburg",
    "country_code": "DE",
    "email": "service@hafenlicht.example",
    "phone": "+49 40 555 0123",
    "register": "Amtsgericht Hamburg, HRB 000000 (Beispiel / example)",
    "vat_id": "DE000000000",
}
"""Who the demo's merchant is by law; there is no such company."""

COUNTRIES = ("DE", "AT", "CH", "GB")
"""Where it delivers."""

_EXAMPLE = {
    "de": "**Dies ist ein Beispiel** eines erfundenen Händlers und keine Vorlage.\n\n",
    "en": "**This is an example** of an invented merchant, and no template.\n\n",
}
_SOLD = {
    (Kind.TERMS, "de"): """# Allgemeine Geschäftsbedingungen

1. Vertragspartner ist die Hafenlicht Beispiel GmbH. Der Vertrag kommt zustande, wenn wir die
   Bestellung annehmen, spätestens mit dem Versand.
2. Alle Preise enthalten die Mehrwertsteuer; Versandkosten stehen vor dem Bestellen dabei.
3. Die Ware bleibt bis zur Bezahlung unser Eigentum. Es gilt die gesetzliche Gewährleistung.
""",
    (Kind.TERMS, "en"): """# Terms and conditions

1. You buy from Hafenlicht Beispiel GmbH. The contract is made when we accept the order, at the
   latest when we send the goods.
2. All prices include VAT; shipping costs are shown before you order.
3. The goods stay ours until they are paid for. The legal guarantee of conformity applies.
""",
    (Kind.WITHDRAWAL, "de"): """# Widerrufsbelehrung

Sie können diesen Vertrag binnen vierzehn Tagen ohne Angabe von Gründen widerrufen. Die Frist
beginnt an dem Tag, an dem Sie die letzte Ware erhalten haben.

Um zu widerrufen, teilen Sie uns (Hafenlicht Beispiel GmbH, Kaistraße 4, 20457 Hamburg,
service@hafenlicht.example) Ihren Entschluss eindeutig mit, zum Beispiel mit einem Brief oder einer
E-Mail. Sie können auch die **Widerrufsfunktion „Vertrag widerrufen“** nutzen, die auf jeder Seite
im Fuß und in jeder Bestellmail steht. Nutzen Sie sie, bestätigen wir Ihnen unverzüglich den Eingang
mit Inhalt, Datum und Uhrzeit.

Zur Wahrung der Frist genügt es, dass Sie die Mitteilung vor ihrem Ablauf absenden.

## Folgen des Widerrufs

Wir zahlen alle Zahlungen einschließlich der Kosten der günstigsten Standardlieferung spätestens
binnen vierzehn Tagen zurück, auf demselben Weg, auf dem Sie bezahlt haben. Wir können warten, bis
die Ware zurück ist oder Sie nachweisen, dass Sie sie abgesandt haben. Senden Sie sie binnen
vierzehn Tagen zurück; die Kosten dafür tragen Sie. Für einen Wertverlust kommen Sie nur auf, wenn
er auf einen Umgang zurückgeht, der zur Prüfung der Ware nicht nötig war.
""",
    (Kind.WITHDRAWAL, "en"): """# Right of withdrawal

You may withdraw from this contract within fourteen days without giving a reason. The period begins
on the day on which you received the last of the goods.

To withdraw, tell us (Hafenlicht Beispiel GmbH, Kaistraße 4, 20457 Hamburg, Germany,
service@hafenlicht.example) clearly that you do so, for example by letter or e-mail. You may also
use the **withdrawal function “Withdraw from contract”**, which stands in the foot of every page and
in every order mail. If you use it, we confirm at once that we have received it, with its content,
date and time.

It is enough to send your message before the period ends.

## What follows

We pay back all that you paid, with the costs of the cheapest standard delivery, within fourteen
days and in the way in which you paid. We may wait until the goods are back or you have shown that
you sent them. Send them back within fourteen days; you bear the costs of that. You pay for a loss
of value only where it comes from handling that was not necessary to examine the goods.
""",
    (Kind.PRIVACY, "de"): "Wir verwenden Ihre Daten, um die Bestellung auszuführen.\n",
    (Kind.PRIVACY, "en"): "We use your data to fulfil the order.\n",
    (Kind.SHIPPING, "de"): "Wir liefern nach Deutschland, Österreich und in die Schweiz.\n",
    (Kind.SHIPPING, "en"): "We deliver to Germany, Austria and Switzerland.\n",
}

# A line stays a line where texts are shown, but these are broken for the sake of this file.
_BROKEN = re.compile(r"(?<=\S)\n *(?=[^\s\d#])")

SELLERS_TEXTS = [
    (kind, lang, _EXAMPLE[lang] + _BROKEN.sub(" ", text)) for (kind, lang), text in _SOLD.items()
]
