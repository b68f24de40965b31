"""The stages that run in the tf1 environment; each is a program of its own."""
