"""Orders that the merchant asks for over the API."""
