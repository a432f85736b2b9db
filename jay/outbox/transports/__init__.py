"""The ways out of the house, one outside system each."""
