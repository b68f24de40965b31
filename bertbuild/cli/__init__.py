"""The command line: read, its errors told, upstream's flags taken for ours."""
