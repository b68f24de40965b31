"""Results in a registry, a bucket or a shared folder: hashed on arrival, signed, and used only where trusted."""
