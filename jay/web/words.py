"""What the names of the wire mean, for the documents: one word, one meaning.

A field that means something special in its place says so itself, in its ``description``.
"""

from typing import Any

MEANINGS = {
    # --- the basket ---
    "basket": "The basket that the token opens.",
    "cart": "What is to be bought: 20 products at the most, in the order in which they came.",
    "checkout": "What is being paid for at the moment.",
    "count": "How many of it.",
    "expires": "When it ends, in UTC.",
    "lastChanged": "When the basket was changed last, in UTC.",
    "productId": "The id under which it is put into baskets. It is opaque, and may hold slashes.",
    "products": "The products, in the order of the request.",
    "saved": "What is saved for later: 200 products at the most.",
    "userId": "The user id: the `sub` of the bearer token.",
    "customerId": "The customer's number at the payment provider.",
    "customerIdSet": "Whether a customer's number is set.",
    "paymentToken": "What the payment provider lets pay with.",
    "paymentTokenSet": "Whether a payment token is set.",
    # --- the transfer ---
    "displayToken": "The last part of the transfer's `displayUrl`.",
    "jaySource": "The partner's name, for the web shop.",
    "jayToken": "The token that takes the basket over: once, within 60 seconds.",
    "secondsLeft": "Seconds until the transfer ends, 0 when it has.",
    "state": "How far it is.",
    # --- the checkout ---
    "addition": "Floor, c/o and such.",
    "city": "The city.",
    "consentSet": "Whether the user has consented to what is kept.",
    "pinSet": "Whether a PIN is asked for.",
    "countryCode": "ISO 3166 code of two letters.",
    "firstName": "The first name.",
    "houseNumber": "The number of the house.",
    "lastName": "The last name.",
    "street": "The street.",
    "zip": "The postcode.",
    "clientSecret": "Lets pay this checkout, and nothing else, with the provider's library.",
    "fullPrice": "Minor units to pay, with shipping and tax.",
    "fullTax": "Minor units of tax that are contained in it.",
    "goods": "Minor units that the products cost.",
    "lineTotal": "Minor units: the price times the count.",
    "merchant": "The name of the merchant.",
    "merchants": "What each merchant gets.",
    "novalidProducts": "Products of the cart that can't be bought now; they stay in the cart.",
    "orderNo": "The number that the order will have; people can read it out loud.",
    "ordered": "Whether it has been paid, as far as the client knows.",
    "paymentUrl": "A page where it is paid.",
    "positions": "What is bought, as it was frozen.",
    "psp": "How it is paid.",
    "publishableKey": "The provider's key for its library in the browser.",
    "reason": "Why: the constant of an error, `REMOVED`, `NO_PRICE` or `MERCHANT_NOT_LIVE`.",
    "requirements": "What the order still lacks to be sent: `ADDRESS`, `EMAIL`.",
    "shipping": "Minor units.",
    "tax": "Minor units that are contained in the price.",
    "testMode": "Whether no money moves.",
    "total": "Minor units, with shipping.",
    "vat": "Percent.",
    "CheckoutRequest.email": "Where mails about the order go.",
    "CheckoutRequest.language": "The language of what the shopper reads.",
    "Psp.name": "The name of the payment service provider.",
    # --- the product ---
    "basePrice": "How much it holds, for the price of one unit.",
    "brand": "The brand: its name, or an object with name and logo.",
    "colour": "The colour, in words.",
    "colourCode": "The colour as a number: 0xRRGGBB.",
    "country": "ISO 3166 code of two letters.",
    "currency": "ISO 4217 code.",
    "currentStockCount": "How many there are; null: without limit; negative: no more of it.",
    "description": "What it is, in sentences; HTML becomes plain text.",
    "durabilityGuaranteeYears": "Years that its producer guarantees, free of charge.",
    "fit": "How it is cut.",
    "gender": "Whom it is made for: 1 men, 2 women, 3 unisex, 4 children; or an object with that.",
    "gtin": "GTIN, EAN, UPC or ISBN-13.",
    "images": "Its pictures; the first one is shown in lists.",
    "lang": "ISO 639 code of two letters.",
    "lowestPrice30": (
        "The lowest price of the 30 days before the reduction began, in minor units: only with it"
        " may a reduction be told of. null: nothing is reduced, or it is not known."
    ),
    "mainProductIdentifier": "The id of the product that it is a variant of, else its own.",
    "manufacturer": "Who has made it.",
    "material": "What it is made of.",
    "mpn": "The manufacturer's number.",
    "name": "What it is called.",
    "notShoppable": "Whether it is only shown: it can be saved, but not be bought.",
    "orgPrice": "The price that the merchant compares with, in minor units; see `lowestPrice30`.",
    "outOfStock": "Whether there is none at the moment.",
    "position": "Which of its pictures, from 1 on; the first one is shown in lists.",
    "StoredPicture.url": "Where the picture is, in its largest size; null: it is gone.",
    "price": "Minor units, tax included.",
    "responsiblePerson": "Who answers for its safety in the EU.",
    "safety": "Warnings, one for each language.",
    "shippingModel": "What its shipping costs.",
    "shopSource": "The name of the merchant who sells it.",
    "sku": "The merchant's own number for it (stock keeping unit).",
    "slug": "Its name for addresses, in lower case.",
    "subLine": "A short line below the name.",
    "type": "What its variants differ in.",
    "url": "Where it is shown in the merchant's shop.",
    "urlImageUrl": "A picture for the link to the shop.",
    "urlLabel": "The words of the link to the shop.",
    "urlNote": "A note beside the link to the shop.",
    "value": "Which variant it is; empty or absent where there is nothing to choose.",
    "variant": "Which variant it is; empty where there is nothing to choose.",
    "variants": "The variants to choose from.",
    "withdrawalException": "Why a consumer can't withdraw from buying it.",
    # --- parts of a product ---
    "Brand.name": "The brand's name.",
    "Gender.code": "1 men, 2 women, 3 unisex, 4 children.",
    "Image.url": "Where the picture is.",
    "Manufacturer.name": "The name of the company.",
    "Manufacturer.url": "The company's own page.",
    "Responsible.name": "The name of the company.",
    "ShippingStep.price": "Minor units that are added from this many on.",
    "address": "The postal address.",
    "content": "How many of the unit it holds.",
    "copyrightText": "Whose picture it is.",
    "email": "The e-mail address.",
    "imageUrl": "A picture that belongs to the warning.",
    "label": "The same in words.",
    "logoUrl": "Where the brand's logo is.",
    "shippingScale": "Steps by the count; of equal starts the first one counts.",
    "start": "The count from which on the step counts.",
    "text": "The warning itself.",
    "unit": "The unit.",
    # --- the merchant ---
    "blocks": "The SKUs, by language and country.",
    "feed": "A feed that is fetched from you; null: none.",
    "Feed.url": "Where the feed is.",
    "merchantShippingScale": "Steps by the value of the order; of equal starts the first counts.",
    "nextToken": "Send it as `next_token` for the next page; absent on the last one.",
    "orderEmail": "Where orders are sent by e-mail.",
    "orderPriceStart": "The value of the order, in minor units, from which on the step counts.",
    "orderWebhookUrl": "Where orders are sent by HTTP.",
    "productShippingCalculationStrategy": "How the shipping costs of an order's products combine:"
    " `SUM`, or `MAX`, where only the dearest one counts.",
    "shippingCost": "Minor units.",
    "skus": "SKUs of main products.",
    "Config.shippingModel": "How the shipping costs of one order combine.",
    # --- tracking ---
    "partNo": "The number of a part of an order, as its `orderId` has it.",
    "playoutId": "The name of the playout, such as a programme.",
    "providerName": "The streaming provider.",
    "sessionId": "A random name of the session.",
    "source": "What has started the session.",
    "startTime": "When the session began, in UTC.",
    # --- about the API itself ---
    "Information.name": "The name of this API.",
    "data": "What was asked for.",
    "defaultVersion": "The version that a request without a version header gets.",
    "errors": "The page that explains each error.",
    "openapi": "Where this document is.",
    "versions": "The versions of this API, newest first.",
}

EXAMPLES: dict[str, Any] = {
    "userId": "demo-viewer",
    "productId": "demo-shop/de-DE/TEEW-MUG-07",
    "position": 1,
    "sku": "TO122S074-A12",
    "playoutId": "news",
    "partNo": "J2222345678A3-1",
}
"""What stands in the place of a parameter of an address. All of it is in the demo data, or made by
what the page has before."""


def meaning(schema: type, name: str) -> str | None:
    """Return the sentence about a field of a schema, None where there is none."""
    for kind in schema.__mro__:
        special = MEANINGS.get(f"{kind.__name__.removesuffix('Schema')}.{name}")
        if special is not None:
            return special
    return MEANINGS.get(name)
