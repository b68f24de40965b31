"""From what the user names to a source that was inspected."""
