"""The stages that run in the data environment; each is a program of its own."""
