"""The basket: all its rules; ``/v2/baskets/users`` and the phone's basket page."""
