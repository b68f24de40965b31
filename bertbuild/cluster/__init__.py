"""Stages run by workers on other machines, over Dask.distributed; who asks for none of it imports none of it."""
