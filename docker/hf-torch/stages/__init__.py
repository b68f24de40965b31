"""The stages that run in the hf-torch environment; each is a program of its own."""
