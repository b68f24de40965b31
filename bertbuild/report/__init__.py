"""Views of what happens: for people, and as JSON lines for programs. The library itself never prints."""
