"""The stages that run in the openvino environment; each is a program of its own."""
