"""A new guest basket, or one that is taken over: ``/v2/baskets/guests``."""
