"""What is held of a person: found, handed out, forgotten, and locked where it has to be kept."""
