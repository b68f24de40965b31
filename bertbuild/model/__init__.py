"""What a model computes, described once: its encoder, its heads. A writer (`operators.py`) makes a graph of it.

Stages carry these modules, so they are Python 3.7 of the standard library; a writer gives them its own framework's
operators. This file imports nothing: a stage carries what it uses.
"""
