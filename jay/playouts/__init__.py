"""Playouts: what is on the screen. Here the tracking sessions that ``X-JAY-Tracking`` carries."""
