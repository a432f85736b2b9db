"""What leaves the house: written with its cause, delivered after it, at least once."""
