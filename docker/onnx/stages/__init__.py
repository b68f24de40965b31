"""The stages that run in the onnx environment; each is a program of its own."""
