"""`bertbuild.toml`: which models, which targets of each, with which parameters."""
