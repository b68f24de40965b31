"""TOML files, which know their lines; and kinds of values: how one is read, and its JSON Schema."""
