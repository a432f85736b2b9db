"""The information endpoint of each API."""

import marshmallow as ma
from flask import Response

from jay.web import versions
from jay.web.blueprint import PUBLIC, Blueprint
from jay.web.context import settings
from jay.web.responses import answer
from jay.web.schema import Schema


class InformationSchema(Schema):
    """What this API is."""

    name = ma.fields.String(required=True, metadata={"example": "Jay Basket API"})
    versions = ma.fields.List(ma.fields.String(), required=True)
    default_version = ma.fields.String(required=True)
    openapi = ma.fields.String(required=True, metadata={"format": "uri"})
    errors = ma.fields.String(required=True, metadata={"format": "uri"})


def of(about: versions.Api) -> Blueprint:
    """Build the blueprint of an API's information endpoint, which needs no key."""
    blp = Blueprint(f"{about.name}-information", __name__, api=about, guards=PUBLIC)

    @blp.route("/", methods=["GET"])
    @blp.response(200, InformationSchema)
    def get_information() -> Response:
        """Get the name, the versions and the links of this API."""
        public = settings().public_url
        return answer(
            {
                "name": about.title,
                "versions": list(about.versions),
                "defaultVersion": about.newest,
                "openapi": f"{public}{about.prefix}/openapi.json",
                "errors": f"{public}/docs/errors",
            }
        )

    return blp
