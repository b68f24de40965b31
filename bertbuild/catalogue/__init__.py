"""What can be fetched, and the fetcher.

    models.py    the table of models (models.toml) and how names are found
    sources.py   where a model is taken from: its origin, a mirror, or the user's own disk
    download.py  one file over HTTP, resumed and retried (partial.py: the unfinished file; transfer.py: one attempt)
    wheel.py     one wheel through the user's own pip
    archive.py   zips unpacked with suspicion
    lockfile.py  models.lock.json: hashes of the files for which nobody published one
    contents.py  a model's folder hashed, judged and remembered
    fetch.py     all of it together

Nothing is imported here: commands that only name models must not pay for the network code.
"""
