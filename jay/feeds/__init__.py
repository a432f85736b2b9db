"""The catalogue as a file: import and export without writing code."""
