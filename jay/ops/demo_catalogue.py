"""The demo catalogue: 24 invented products that could be seen in a television show.

Every amount is in minor units (2799 is 27,99 EUR) and includes tax. Brands are invented. Each
product's picture is `static/demo/<slug>.svg`.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """What a shopper reads about a product, in one language."""

    name: str
    sub_line: str
    description: str
    material: str = ""
    colour: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One size or colour of a product; a price of its own only where it differs."""

    sku: str
    type: str
    value_de: str
    value_en: str
    stock: int | None
    price_eur: int | None = None
    price_gbp: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleStep:
    """What shipping costs from `start` items on."""

    start: int
    price: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipping:
    """What it costs to send a product, in one currency; the three parts add up."""

    flat_rate: int = 0
    per_item: int = 0
    scale: tuple[ScaleStep, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """One demo product, as sold in Germany (EUR) and in Great Britain (GBP).

    `stock` is None when there is no limit, and the sum over the variants where there are some.
    No price means that nothing can be bought here (`not_shoppable`).
    """

    sku: str
    slug: str
    brand: str
    de: Texts
    en: Texts
    price_eur: int | None
    price_gbp: int | None
    stock: int | None
    org_price_eur: int | None = None
    org_price_gbp: int | None = None
    vat_de: int = 19
    vat_gb: int = 20
    colour_code: int | None = None
    gender: int | None = None
    order_limit: int | None = None
    not_shoppable: bool = False
    shipping_eur: Shipping = Shipping()
    shipping_gbp: Shipping = Shipping()
    variants: tuple[Variant, ...] = ()


MALE, FEMALE, UNISEX, CHILDREN = 1, 2, 3, 4


PRODUCTS: tuple[Product, ...] = (
    Product(
        sku="NORD-HOODIE-01",
        slug="hoodie",
        brand="Nordhalm",
        de=Texts(
            name="Kapuzenpullover Logo",
            sub_line="Innen weich angeraut",
            description=(
                "Der Pullover, in den sich die ganze Crew nach Drehschluss wirft. "
                "Mit Kängurutasche, gefütterter Kapuze und Bündchen, die in Form bleiben."
            ),
            material="80 % Bio-Baumwolle, 20 % recycelter Polyester",
            colour="weiß",
        ),
        en=Texts(
            name="Logo hoodie",
            sub_line="Brushed inside",
            description=(
                "The hoodie the whole crew reaches for once the cameras stop. "
                "With a kangaroo pocket, a lined hood and cuffs that keep their shape."
            ),
            material="80% organic cotton, 20% recycled polyester",
            colour="white",
        ),
        price_eur=2799,
        org_price_eur=3599,
        price_gbp=2399,
        org_price_gbp=2999,
        stock=39,
        colour_code=0xF1F3F8,
        gender=UNISEX,
        shipping_eur=Shipping(flat_rate=499),
        shipping_gbp=Shipping(flat_rate=399),
        variants=(
            Variant(sku="NORD-HOODIE-01-S", type="size", value_de="S", value_en="S", stock=12),
            Variant(sku="NORD-HOODIE-01-M", type="size", value_de="M", value_en="M", stock=23),
            Variant(sku="NORD-HOODIE-01-L", type="size", value_de="L", value_en="L", stock=4),
        ),
    ),
    Product(
        sku="TEEW-MUG-07",
        slug="mug",
        brand="Teewig",
        de=Texts(
            name="Becher Raumschiff",
            sub_line="300 ml",
            description=(
                "Startklar für den ersten Kaffee: ein kräftiger Becher mit kleinem Raumschiff. "
                "Darf in die Spülmaschine und in die Mikrowelle."
            ),
            material="Steinzeug",
            colour="gelb",
        ),
        en=Texts(
            name="Spaceship mug",
            sub_line="300 ml",
            description=(
                "Ready for lift-off with the first coffee: a sturdy mug with a small spaceship. "
                "Safe in the dishwasher and in the microwave."
            ),
            material="Stoneware",
            colour="yellow",
        ),
        price_eur=1250,
        price_gbp=1095,
        stock=140,
        colour_code=0xFFD36E,
        shipping_eur=Shipping(flat_rate=299, per_item=50),
        shipping_gbp=Shipping(flat_rate=249, per_item=50),
    ),
    Product(
        sku="LUME-LAMP-NORD",
        slug="lamp",
        brand="Lumenau",
        de=Texts(
            name="Leselampe Nord",
            sub_line="Eiche",
            description=(
                "Warmes Licht für die letzten zehn Seiten des Tages. "
                "Der Schirm aus Leinen blendet nicht, ein Zug an der Kette genügt."
            ),
            material="Eiche geölt, Schirm aus Leinen",
            colour="koralle",
        ),
        en=Texts(
            name="Nord reading lamp",
            sub_line="Oak",
            description=(
                "Warm light for the last ten pages of the day. "
                "The linen shade never dazzles, and one pull on the chain is enough."
            ),
            material="Oiled oak, linen shade",
            colour="coral",
        ),
        price_eur=8900,
        price_gbp=7900,
        stock=18,
        colour_code=0xFF7A59,
        shipping_eur=Shipping(flat_rate=399),
        shipping_gbp=Shipping(flat_rate=449),
    ),
    Product(
        sku="NORD-JACKET-12",
        slug="jacket",
        brand="Nordhalm",
        de=Texts(
            name="Blouson Hafenlicht",
            sub_line="Leicht wattiert",
            description=(
                "Ein Blouson für Abende am Wasser: winddicht, leicht und mit Bündchen in Koralle. "
                "Zwei schräge Taschen außen, eine mit Reißverschluss innen."
            ),
            material="100 % Baumwolle, Futter aus recyceltem Polyester",
            colour="dunkelblau",
        ),
        en=Texts(
            name="Harbour light jacket",
            sub_line="Lightly padded",
            description=(
                "A bomber jacket for evenings by the water: windproof, light, with coral cuffs. "
                "Two slanted pockets outside, one with a zip inside."
            ),
            material="100% cotton, recycled polyester lining",
            colour="navy",
        ),
        price_eur=11900,
        org_price_eur=14900,
        price_gbp=10500,
        org_price_gbp=12900,
        stock=21,
        colour_code=0x2F4A7A,
        gender=MALE,
        shipping_eur=Shipping(flat_rate=499),
        shipping_gbp=Shipping(flat_rate=399),
        variants=(
            Variant(sku="NORD-JACKET-12-S", type="size", value_de="S", value_en="S", stock=5),
            Variant(sku="NORD-JACKET-12-M", type="size", value_de="M", value_en="M", stock=9),
            Variant(sku="NORD-JACKET-12-L", type="size", value_de="L", value_en="L", stock=7),
            Variant(sku="NORD-JACKET-12-XL", type="size", value_de="XL", value_en="XL", stock=0),
        ),
    ),
    Product(
        sku="SOHL-RUN-204",
        slug="sneakers",
        brand="Sohlinde",
        de=Texts(
            name="Sneaker Abendrot",
            sub_line="Mit weicher Laufsohle",
            description=(
                "Bequem vom ersten Schritt an und auffällig genug für den roten Teppich. "
                "Die Einlegesohle lässt sich herausnehmen und waschen."
            ),
            material="Textil, Sohle aus Naturkautschuk",
            colour="koralle",
        ),
        en=Texts(
            name="Sunset trainers",
            sub_line="Soft running sole",
            description=(
                "Comfortable from the first step, and bright enough for the red carpet. "
                "The insole comes out for washing."
            ),
            material="Textile, natural rubber sole",
            colour="coral",
        ),
        price_eur=7995,
        price_gbp=6995,
        stock=34,
        colour_code=0xFF7A59,
        gender=UNISEX,
        shipping_eur=Shipping(flat_rate=399),
        shipping_gbp=Shipping(flat_rate=349),
        variants=(
            Variant(sku="SOHL-RUN-204-38", type="size", value_de="38", value_en="5", stock=6),
            Variant(sku="SOHL-RUN-204-39", type="size", value_de="39", value_en="5½", stock=4),
            Variant(sku="SOHL-RUN-204-40", type="size", value_de="40", value_en="6½", stock=8),
            Variant(sku="SOHL-RUN-204-41", type="size", value_de="41", value_en="7", stock=7),
            Variant(sku="SOHL-RUN-204-42", type="size", value_de="42", value_en="8", stock=0),
            Variant(sku="SOHL-RUN-204-43", type="size", value_de="43", value_en="9", stock=6),
            Variant(sku="SOHL-RUN-204-44", type="size", value_de="44", value_en="9½", stock=3),
        ),
    ),
    Product(
        sku="REGF-COAT-03",
        slug="raincoat",
        brand="Regenfritz",
        de=Texts(
            name="Regenmantel Deich",
            sub_line="Wassersäule 10.000 mm",
            description=(
                "Hält dicht, auch wenn der Regen von der Seite kommt. "
                "Verschweißte Nähte, eine Kapuze mit Schirm und viel Platz für einen dicken Pulli."
            ),
            material="100 % recycelter Polyester",
            colour="gelb",
        ),
        en=Texts(
            name="Seawall raincoat",
            sub_line="Waterproof to 10,000 mm",
            description=(
                "Stays dry even when the rain comes in sideways. "
                "Welded seams, a peaked hood and plenty of room for a thick jumper."
            ),
            material="100% recycled polyester",
            colour="yellow",
        ),
        price_eur=9990,
        price_gbp=8900,
        stock=29,
        colour_code=0xFFCF45,
        gender=FEMALE,
        shipping_eur=Shipping(flat_rate=499),
        shipping_gbp=Shipping(flat_rate=399),
        variants=(
            Variant(sku="REGF-COAT-03-S", type="size", value_de="S", value_en="S", stock=7),
            Variant(sku="REGF-COAT-03-M", type="size", value_de="M", value_en="M", stock=11),
            Variant(sku="REGF-COAT-03-L", type="size", value_de="L", value_en="L", stock=8),
            Variant(
                sku="REGF-COAT-03-XL",
                type="size",
                value_de="XL",
                value_en="XL",
                stock=3,
                price_eur=10490,
                price_gbp=9400,
            ),
        ),
    ),
    Product(
        sku="TRAG-PACK-22L",
        slug="backpack",
        brand="Tragolin",
        de=Texts(
            name="Rucksack Pendler",
            sub_line="22 Liter",
            description=(
                "Schluckt Laptop, Brotdose und Sportzeug, ohne zu murren. "
                "Das gepolsterte Fach passt für Geräte bis 15 Zoll."
            ),
            material="Gewachste Baumwolle",
            colour="petrol",
        ),
        en=Texts(
            name="Commuter backpack",
            sub_line="22 litres",
            description=(
                "Swallows laptop, lunch box and gym kit without complaint. "
                "The padded sleeve takes devices of up to 15 inches."
            ),
            material="Waxed cotton",
            colour="teal",
        ),
        price_eur=6900,
        org_price_eur=8900,
        price_gbp=5900,
        org_price_gbp=7900,
        stock=26,
        colour_code=0x226370,
        gender=UNISEX,
        shipping_eur=Shipping(flat_rate=390),
        shipping_gbp=Shipping(flat_rate=350),
        variants=(
            Variant(
                sku="TRAG-PACK-22L-PET",
                type="colour",
                value_de="petrol",
                value_en="teal",
                stock=14,
            ),
            Variant(
                sku="TRAG-PACK-22L-SEN",
                type="colour",
                value_de="senfgelb",
                value_en="mustard",
                stock=9,
            ),
            Variant(
                sku="TRAG-PACK-22L-ANT",
                type="colour",
                value_de="anthrazit",
                value_en="charcoal",
                stock=3,
            ),
        ),
    ),
    Product(
        sku="SONN-SHADE-11",
        slug="sunglasses",
        brand="Sonnhild",
        de=Texts(
            name="Sonnenbrille Riviera",
            sub_line="UV 400",
            description=(
                "Große Gläser, roter Rahmen, sofort Urlaub. "
                "Kommt mit festem Etui und einem Tuch zum Putzen."
            ),
            material="Bio-Acetat",
            colour="rot",
        ),
        en=Texts(
            name="Riviera sunglasses",
            sub_line="UV 400",
            description=(
                "Big lenses, a red frame, and you are on holiday. "
                "Comes with a hard case and a cleaning cloth."
            ),
            material="Bio acetate",
            colour="red",
        ),
        price_eur=4950,
        price_gbp=4250,
        stock=31,
        colour_code=0xD9513C,
        gender=FEMALE,
        shipping_eur=Shipping(flat_rate=290),
        shipping_gbp=Shipping(flat_rate=250),
    ),
    Product(
        sku="ZEIT-WATCH-40",
        slug="watch",
        brand="Zeitwald",
        de=Texts(
            name="Armbanduhr Lichtung",
            sub_line="40 mm, Saphirglas",
            description=(
                "Ein klares Zifferblatt, das man auf einen Blick abliest. "
                "Wasserdicht bis 5 bar; das Lederband wechselst du ohne Werkzeug. "
                "Kleine Auflage, darum höchstens zwei je Bestellung."
            ),
            material="Edelstahl, Leder",
            colour="nachtblau",
        ),
        en=Texts(
            name="Clearing wrist watch",
            sub_line="40 mm, sapphire glass",
            description=(
                "A clear dial that you can read at a glance. "
                "Water-resistant to 5 bar; the leather strap changes without tools. "
                "A small edition, so no more than two per order."
            ),
            material="Stainless steel, leather",
            colour="midnight blue",
        ),
        price_eur=18900,
        price_gbp=16500,
        stock=12,
        colour_code=0x2A2A52,
        gender=MALE,
        order_limit=2,
    ),
    Product(
        sku="NORD-CAP-05",
        slug="cap",
        brand="Nordhalm",
        de=Texts(
            name="Kappe Waldrand",
            sub_line="Größe verstellbar",
            description=(
                "Leichte Kappe mit weichem Schirm für Sonne, Niesel und schlechte Haartage. "
                "Der Verschluss hinten passt sich jedem Kopf an."
            ),
            material="100 % Baumwolle",
            colour="grün",
        ),
        en=Texts(
            name="Woodside cap",
            sub_line="Adjustable size",
            description=(
                "A light cap with a soft peak for sun, drizzle and bad hair days. "
                "The strap at the back fits every head."
            ),
            material="100% cotton",
            colour="green",
        ),
        price_eur=2490,
        price_gbp=2150,
        stock=57,
        colour_code=0x2F7D5B,
        gender=UNISEX,
        shipping_eur=Shipping(flat_rate=290),
        shipping_gbp=Shipping(flat_rate=250),
        variants=(
            Variant(
                sku="NORD-CAP-05-GRN", type="colour", value_de="grün", value_en="green", stock=33
            ),
            Variant(
                sku="NORD-CAP-05-SND", type="colour", value_de="sand", value_en="sand", stock=24
            ),
        ),
    ),
    Product(
        sku="NORD-SCARF-09",
        slug="scarf",
        brand="Nordhalm",
        de=Texts(
            name="Schal Kaminabend",
            sub_line="180 cm lang",
            description=(
                "Lang genug für zwei Runden um den Hals. "
                "Aus weicher Merinowolle gestrickt, kratzt nicht und hält warm."
            ),
            material="100 % Merinowolle",
            colour="koralle gestreift",
        ),
        en=Texts(
            name="Fireside scarf",
            sub_line="180 cm long",
            description=(
                "Long enough to go round twice. "
                "Knitted from soft merino wool that keeps you warm and never scratches."
            ),
            material="100% merino wool",
            colour="coral stripes",
        ),
        price_eur=4490,
        org_price_eur=5490,
        price_gbp=3900,
        org_price_gbp=4800,
        stock=16,
        colour_code=0xFF8A6B,
        gender=UNISEX,
        shipping_eur=Shipping(flat_rate=290),
        shipping_gbp=Shipping(flat_rate=250),
    ),
    Product(
        sku="KLAN-HEAD-3",
        slug="headphones",
        brand="Klangmulde",
        de=Texts(
            name="Kopfhörer Stille",
            sub_line="Bluetooth, 40 Stunden",
            description=(
                "Blendet die Bahn aus und lässt nur die Musik übrig. "
                "Faltbar, mit weichen Polstern; zehn Minuten Laden reichen für fünf Stunden."
            ),
            material="Aluminium, Kunstleder",
            colour="koralle",
        ),
        en=Texts(
            name="Hush headphones",
            sub_line="Bluetooth, 40 hours",
            description=(
                "Fades out the train and leaves only the music. "
                "Foldable, softly padded; ten minutes of charging last for five hours."
            ),
            material="Aluminium, vegan leather",
            colour="coral",
        ),
        price_eur=14900,
        price_gbp=12900,
        stock=23,
        colour_code=0xFF8A6B,
        shipping_eur=Shipping(flat_rate=390),
        shipping_gbp=Shipping(flat_rate=350),
        variants=(
            Variant(
                sku="KLAN-HEAD-3-COR",
                type="colour",
                value_de="koralle",
                value_en="coral",
                stock=15,
            ),
            Variant(
                sku="KLAN-HEAD-3-COP",
                type="colour",
                value_de="kupfer",
                value_en="copper",
                stock=8,
                price_eur=15900,
                price_gbp=13900,
            ),
        ),
    ),
    Product(
        sku="SITZ-CHAIR-GRN",
        slug="armchair",
        brand="Sitzfried",
        de=Texts(
            name="Sessel Feierabend",
            sub_line="86 cm breit",
            description=(
                "Tief, weich und mit breiten Lehnen für Buch und Becher. "
                "Die Beine schraubst du in fünf Minuten an, der Rest ist fertig."
            ),
            material="Samt, Gestell aus Buche",
            colour="tannengrün",
        ),
        en=Texts(
            name="Evening armchair",
            sub_line="86 cm wide",
            description=(
                "Deep, soft, and with wide arms for book and mug. "
                "Screw on the legs in five minutes; everything else is done."
            ),
            material="Velvet, beech frame",
            colour="fir green",
        ),
        price_eur=44900,
        org_price_eur=54900,
        price_gbp=39900,
        org_price_gbp=47900,
        stock=2,
        colour_code=0x2C6A5E,
        shipping_eur=Shipping(flat_rate=3900, per_item=1000),
        shipping_gbp=Shipping(flat_rate=3500, per_item=1000),
    ),
    Product(
        sku="GRUN-POT-18",
        slug="plant",
        brand="Grünbert",
        de=Texts(
            name="Pflanztopf Terra",
            sub_line="18 cm, mit Untersetzer",
            description=(
                "Ein Topf aus Ton, der Wasser speichert und Wurzeln atmen lässt. "
                "Die Pflanze gehört nicht dazu, fühlt sich darin aber wohl."
            ),
            material="Terrakotta",
            colour="terrakotta",
        ),
        en=Texts(
            name="Terra plant pot",
            sub_line="18 cm, with saucer",
            description=(
                "A clay pot that stores water and lets roots breathe. "
                "The plant is not included, but will feel at home."
            ),
            material="Terracotta",
            colour="terracotta",
        ),
        price_eur=1690,
        price_gbp=1450,
        stock=64,
        colour_code=0xD9694A,
        shipping_eur=Shipping(scale=(ScaleStep(start=1, price=490), ScaleStep(start=3, price=790))),
        shipping_gbp=Shipping(scale=(ScaleStep(start=1, price=425), ScaleStep(start=3, price=695))),
    ),
    Product(
        sku="SITZ-CUSH-45",
        slug="cushion",
        brand="Sitzfried",
        de=Texts(
            name="Kissen Sommerwind",
            sub_line="45 cm, Bezug waschbar",
            description=(
                "Breite Streifen, weiche Füllung und ein Bezug, der in die Waschmaschine darf. "
                "Macht aus jedem Sofa den besten Platz im Haus."
            ),
            material="Leinen und Baumwolle, Füllung aus recyceltem Polyester",
            colour="pfirsich gestreift",
        ),
        en=Texts(
            name="Summer breeze cushion",
            sub_line="45 cm, washable cover",
            description=(
                "Wide stripes, a soft filling and a cover that goes in the washing machine. "
                "Turns any sofa into the best seat in the house."
            ),
            material="Linen and cotton, recycled polyester filling",
            colour="peach stripes",
        ),
        price_eur=2290,
        price_gbp=1990,
        stock=45,
        colour_code=0xF2B39A,
        shipping_eur=Shipping(flat_rate=290, per_item=100),
        shipping_gbp=Shipping(flat_rate=250, per_item=100),
        variants=(
            Variant(
                sku="SITZ-CUSH-45-PEA",
                type="colour",
                value_de="pfirsich",
                value_en="peach",
                stock=28,
            ),
            Variant(
                sku="SITZ-CUSH-45-TER",
                type="colour",
                value_de="terrakotta",
                value_en="terracotta",
                stock=17,
            ),
        ),
    ),
    Product(
        sku="TEEW-POT-12",
        slug="teapot",
        brand="Teewig",
        de=Texts(
            name="Teekanne Welle",
            sub_line="1,2 Liter, mit Sieb",
            description=(
                "Gießt ohne zu tropfen und hält vier Tassen lange warm. "
                "Das Sieb nimmst du mit dem Deckel heraus."
            ),
            material="Porzellan",
            colour="blau",
        ),
        en=Texts(
            name="Wave teapot",
            sub_line="1.2 litres, with strainer",
            description=(
                "Pours without a drip and keeps four cups warm for a long while. "
                "The strainer lifts out together with the lid."
            ),
            material="Porcelain",
            colour="blue",
        ),
        price_eur=3990,
        price_gbp=3450,
        stock=27,
        colour_code=0x4766D8,
        shipping_eur=Shipping(flat_rate=299, per_item=100),
        shipping_gbp=Shipping(flat_rate=249, per_item=100),
    ),
    Product(
        sku="WURF-GAME-4P",
        slug="boardgame",
        brand="Würfelau",
        de=Texts(
            name="Brettspiel Inselrunde",
            sub_line="2 bis 4 Personen, ab 8",
            description=(
                "Wer zuerst um die Insel kommt, hat gewonnen; wer schummelt, rudert zurück. "
                "Eine Partie dauert 40 Minuten, eine Revanche auch."
            ),
            material="Holz, Karton",
            colour="bunt",
        ),
        en=Texts(
            name="Island Lap board game",
            sub_line="2 to 4 players, aged 8+",
            description=(
                "First round the island wins; whoever cheats rows back. "
                "A game takes 40 minutes, and so does the rematch."
            ),
            material="Wood, cardboard",
            colour="multicoloured",
        ),
        price_eur=3495,
        price_gbp=2995,
        stock=None,
        colour_code=0xE8553F,
        shipping_eur=Shipping(flat_rate=390),
        shipping_gbp=Shipping(flat_rate=350),
    ),
    Product(
        sku="KLAN-DECK-33",
        slug="turntable",
        brand="Klangmulde",
        de=Texts(
            name="Plattenspieler Rille",
            sub_line="33 und 45 Umdrehungen",
            description=(
                "Auflegen, Nadel senken, zuhören. "
                "Mit Riemenantrieb, eingebautem Vorverstärker und einem Gehäuse aus Walnuss."
            ),
            material="Walnuss, Aluminium",
            colour="walnuss",
        ),
        en=Texts(
            name="Groove record player",
            sub_line="33 and 45 rpm",
            description=(
                "Put on a record, lower the needle, listen. "
                "With belt drive, a built-in preamplifier and a walnut case."
            ),
            material="Walnut, aluminium",
            colour="walnut",
        ),
        price_eur=29900,
        price_gbp=25900,
        stock=0,
        colour_code=0x8F5637,
        shipping_eur=Shipping(flat_rate=690),
        shipping_gbp=Shipping(flat_rate=590),
    ),
    Product(
        sku="ROLL-DECK-75",
        slug="skateboard",
        brand="Rollbert",
        de=Texts(
            name="Skateboard Anlauf",
            sub_line="75 cm, ab 8 Jahren",
            description=(
                "Ein gutmütiges Brett für die ersten Tricks und den Weg zum Bäcker. "
                "Weiche Rollen, griffige Fläche; trag dazu einen Helm."
            ),
            material="Ahorn, Rollen aus Polyurethan",
            colour="rot",
        ),
        en=Texts(
            name="Run-up skateboard",
            sub_line="75 cm, aged 8+",
            description=(
                "A forgiving board for first tricks and the way to the bakery. "
                "Soft wheels, grippy deck; wear a helmet with it."
            ),
            material="Maple, polyurethane wheels",
            colour="red",
        ),
        price_eur=5490,
        org_price_eur=6990,
        price_gbp=4750,
        org_price_gbp=5990,
        stock=19,
        colour_code=0xE8553F,
        gender=CHILDREN,
        shipping_eur=Shipping(flat_rate=590),
        shipping_gbp=Shipping(flat_rate=490),
    ),
    Product(
        sku="REGF-BROLLY-02",
        slug="umbrella",
        brand="Regenfritz",
        de=Texts(
            name="Regenschirm Böe",
            sub_line="Ø 105 cm",
            description=(
                "Biegt sich im Wind und springt zurück, statt umzuklappen. "
                "Öffnet auf Knopfdruck und ist groß genug für zwei, die sich mögen."
            ),
            material="Recycelter Polyester, Fiberglas",
            colour="rot",
        ),
        en=Texts(
            name="Gust umbrella",
            sub_line="Ø 105 cm",
            description=(
                "Bends in the wind and springs back instead of turning inside out. "
                "Opens at the push of a button, big enough for two who get along."
            ),
            material="Recycled polyester, fibreglass",
            colour="red",
        ),
        price_eur=2995,
        price_gbp=2595,
        stock=38,
        colour_code=0xE8553F,
        gender=UNISEX,
        shipping_eur=Shipping(flat_rate=390),
        shipping_gbp=Shipping(flat_rate=350),
    ),
    Product(
        sku="LOEF-BOOK-60",
        slug="cookbook",
        brand="Verlag Löffelstern",
        de=Texts(
            name="Kochbuch Abendbrot",
            sub_line="60 Rezepte, 192 Seiten",
            description=(
                "Sechzig Gerichte, die auf den Tisch kommen, bevor der Film anfängt. "
                "Mit Einkaufslisten und ehrlichen Zeiten."
            ),
            material="Hardcover mit Fadenheftung",
            colour="rot",
        ),
        en=Texts(
            name="Supper Time cook book",
            sub_line="60 recipes, 192 pages",
            description=(
                "Sixty dishes that reach the table before the film starts. "
                "With shopping lists and honest timings."
            ),
            material="Hardback, thread-sewn",
            colour="red",
        ),
        price_eur=2600,
        price_gbp=2200,
        stock=None,
        vat_de=7,
        vat_gb=0,
        colour_code=0xE8553F,
    ),
    Product(
        sku="LUME-CANDLE-40H",
        slug="candle",
        brand="Lumenau",
        de=Texts(
            name="Kerze Stubenlicht",
            sub_line="Etwa 40 Stunden",
            description=(
                "Duftet leise nach Orange und Zeder und brennt ruhig herunter. "
                "Bis drei Stück zahlst du einmal Versand, ab sechs schicken wir sie kostenlos."
            ),
            material="Sojawachs, Docht aus Baumwolle",
            colour="creme",
        ),
        en=Texts(
            name="Parlour light candle",
            sub_line="About 40 hours",
            description=(
                "Smells softly of orange and cedar and burns down evenly. "
                "Up to three cost one postage, and from six on we send them free."
            ),
            material="Soy wax, cotton wick",
            colour="cream",
        ),
        price_eur=1890,
        price_gbp=1650,
        stock=88,
        colour_code=0xF4E4D4,
        shipping_eur=Shipping(
            scale=(
                ScaleStep(start=1, price=390),
                ScaleStep(start=4, price=590),
                ScaleStep(start=6, price=0),
            )
        ),
        shipping_gbp=Shipping(
            scale=(
                ScaleStep(start=1, price=350),
                ScaleStep(start=4, price=495),
                ScaleStep(start=6, price=0),
            )
        ),
    ),
    Product(
        sku="KLIN-BELL-01",
        slug="bell",
        brand="Klingelau",
        de=Texts(
            name="Fahrradklingel Dingdong",
            sub_line="Für Lenker mit 22 mm",
            description=(
                "Ein heller, freundlicher Ton, den auch Kopfhörerträger bemerken. "
                "In einer Minute mit einer Schraube montiert."
            ),
            material="Messing",
            colour="messing",
        ),
        en=Texts(
            name="Ding-dong bicycle bell",
            sub_line="For 22 mm handlebars",
            description=(
                "A bright, friendly sound that even people with headphones notice. "
                "Fitted in a minute with a single screw."
            ),
            material="Brass",
            colour="brass",
        ),
        price_eur=1490,
        org_price_eur=1990,
        price_gbp=1290,
        org_price_gbp=1690,
        stock=73,
        colour_code=0xFFC145,
        shipping_eur=Shipping(per_item=150),
        shipping_gbp=Shipping(per_item=125),
    ),
    Product(
        sku="LATE-DINNER-2P",
        slug="dinner",
        brand="Gasthaus Laterne",
        de=Texts(
            name="Abendessen für zwei",
            sub_line="Aus der Folge von heute",
            description=(
                "Hier saßen die beiden in der letzten Szene: Lachs, frische Kräuter, Kerzenlicht. "
                "Einen Tisch gibt es nur vor Ort; merk dir das Gasthaus für den nächsten Besuch."
            ),
        ),
        en=Texts(
            name="Dinner for two",
            sub_line="From tonight's episode",
            description=(
                "This is where they sat in the final scene: salmon, fresh herbs, candlelight. "
                "Tables can only be had on the spot; save the place for your next visit."
            ),
        ),
        price_eur=None,
        price_gbp=None,
        stock=None,
        not_shoppable=True,
    ),
)
