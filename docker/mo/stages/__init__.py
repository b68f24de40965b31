"""The stages that run in the mo environment; each is a program of its own."""
