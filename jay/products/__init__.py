"""The catalogue, the shipping model and the feed: ``/v1/shops``."""
