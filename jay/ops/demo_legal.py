"""The legal texts of the demo: they say that they are examples."""

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
