"""Plans run: jobs within slots and memory, one result at a time, targets judged, and all of it told."""
