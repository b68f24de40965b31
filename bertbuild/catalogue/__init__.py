"""What can be fetched, and the fetcher.

    models.py    the table of models (models.toml)
    datasets.py  the table of data sets (datasets.toml); what commands call to have one
    names.py     how names are found, and what is suggested where there is none; tables.py reads the tables
    sources.py   where a model is taken from: its origin, a mirror, or the user's own disk
    dataset_places.py    a data set on the user's own disk
    delivery.py  what a model is made of, brought to disk and unpacked
    dataset_delivery.py  the same for a data set; mrpc.py makes MRPC, dataset_checks.py counts rows
    download.py  one file over HTTP, resumed and retried (partial.py: the unfinished file; transfer.py: one attempt)
    wheel.py     one wheel through the user's own pip
    archive.py   zips unpacked with suspicion
    lockfile.py  models.lock.json: hashes of the files for which nobody published one
    contents.py  the folder of a model or data set hashed, judged and remembered
    fetch.py     all of it together

Nothing is imported here: commands that only name models must not pay for the network code.
"""
