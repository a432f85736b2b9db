"""Operators: people with an account, who log in to see the desk."""
