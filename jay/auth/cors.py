"""CORS: partners' web apps may call the Basket API from a browser (Fetch standard, section 3.2).

Only registered origins are answered, and never with credentials: the APIs know no cookies.
"""

import threading

from cachetools import TTLCache
from flask import Flask, Response, g, request

from jay import db, web
from jay.clock import Clock, timer
from jay.errors import Busy
from jay.partners import service as partners
from jay.partners.models import Partner
from jay.web import versions

ORIGINS_CACHED_SECONDS = 5
PREFLIGHT_CACHED_SECONDS = 7200
"""What browsers keep at most."""

_METHODS = "GET, POST, PATCH, DELETE, HEAD, OPTIONS"
_HEADERS = (
    "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, X-API-Key,"
    " X-API-Version, x-jay-api-version, X-JAY-Tracking, X-Request-ID,"
    # What an app's monitoring adds to every request; not looked at. W3C Trace Context and Baggage,
    # Sentry, Zipkin, New Relic, Elastic and Datadog.
    " traceparent, tracestate, baggage, sentry-trace, b3, X-B3-TraceId, X-B3-SpanId,"
    " X-B3-ParentSpanId, X-B3-Sampled, newrelic, elastic-apm-traceparent, x-datadog-trace-id,"
    " x-datadog-parent-id, x-datadog-origin, x-datadog-sampling-priority"
)
_EXPOSED = (
    "Allow, ETag, Idempotency-Replayed, Link, RateLimit, RateLimit-Policy, Retry-After,"
    " WWW-Authenticate, X-API-Version, X-JAY-Tracking, X-Request-ID"
)


def init_app(app: Flask, clock: Clock) -> None:
    """Answer preflights, and let browsers hand answers of the Basket API to registered origins."""
    lock = threading.Lock()
    known: TTLCache[str, frozenset[str]] = TTLCache(1, ORIGINS_CACHED_SECONDS, timer=timer(clock))
    app.extensions["jay.origins"] = known

    def allowed(origin: str) -> bool:
        partner: Partner | None = g.get("partner")
        if partner is not None:
            return origin in partner.cors_origins
        # Nobody has been named yet: a preflight, or a refused API key.
        with lock:
            origins = known.get("all")
        if origins is None:
            try:
                with db.reading() as connection:
                    origins = partners.cors_origins(connection)
            except Busy:
                return False  # the answer must not become another one for that
            with lock:
                known["all"] = origins
        return origin in origins

    @app.after_request
    def _answer(response: Response) -> Response:
        this = web.this_request()
        origin: str | None = this.environ.get("HTTP_ORIGIN")
        if origin is None or versions.api_of_path(this.path) is not versions.BASKET_API:
            return response
        response.vary.add("Origin")
        if not allowed(origin):
            return response
        headers = response.headers
        headers["Access-Control-Allow-Origin"] = origin
        headers["Access-Control-Expose-Headers"] = _EXPOSED
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            headers["Access-Control-Allow-Methods"] = _METHODS
            headers["Access-Control-Allow-Headers"] = _HEADERS
            headers["Access-Control-Max-Age"] = str(PREFLIGHT_CACHED_SECONDS)
        return response
