"""The kiosk: a wall of products on a public screen."""
