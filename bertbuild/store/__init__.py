"""Artifacts on disk: results and their records, kept small, checked, and shared between processes."""
