"""The licence that the metadata of each installed package names: JSON, name → text."""

import importlib.metadata
import json


def licence(metadata):
    """The expression of PEP 639, else the classifiers and the field of before."""
    classifiers = metadata.get_all("Classifier") or ()
    told = [metadata.get("License-Expression"), *classifiers, metadata.get("License")]  # the last may be a whole text
    return " ".join(text for text in told if text and ("::" not in text or "License" in text))[:500]


installed = importlib.metadata.distributions()
print(json.dumps({one.metadata["Name"].lower().replace("-", "_"): licence(one.metadata) for one in installed}))  # noqa: T201
