"""A basket goes to another device within one minute: JSON routes, TV and phone pages."""
