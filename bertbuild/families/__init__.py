"""The families of models: a module declares each (family.py says what), and rows.py lists them.

Stages carry these modules, so they are Python 3.7 of the standard library. This file imports nothing: a stage that
needs one family carries that one.
"""
