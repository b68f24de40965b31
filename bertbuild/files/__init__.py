"""Files on a disk that other processes use too, and that may be full: digests, locks, writing in one step."""
