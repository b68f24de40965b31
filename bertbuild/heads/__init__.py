"""The heads of a model, and what it answers: a module declares each (head.py says what), and rows.py lists them.

Stages carry these modules, so they are Python 3.7 of the standard library. This file imports nothing: a stage that
needs one head carries that one.
"""
