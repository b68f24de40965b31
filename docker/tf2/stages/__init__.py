"""The stages that run in the tf2 environment; each is a program of its own."""
