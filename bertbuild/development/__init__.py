"""Commands for those who develop bertbuild: test, lint, lock. They are in a checkout and not in a wheel."""
