"""The families of models: the names of their variables and files, and the shapes of their encoder's variables.

Stages carry these modules, so they are Python 3.7 of the standard library. This file imports nothing: a stage that
needs one family carries that one.
"""
