"""Partners: streaming platforms, and how they look."""
