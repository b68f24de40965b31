"""The licence that the metadata of each installed package names: JSON, name → text."""

import importlib.metadata
import json


def licence(metadata):
    """The expression of PEP 639, else the field or the classifiers of before."""
    told = [metadata.get("License-Expression"), metadata.get("License"), *(metadata.get_all("Classifier") or ())]
    return " ".join(text for text in told if text and ("::" not in text or "License" in text))[:500]


installed = importlib.metadata.distributions()
print(json.dumps({one.metadata["Name"].lower().replace("-", "_"): licence(one.metadata) for one in installed}))  # noqa: T201
