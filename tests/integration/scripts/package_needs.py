"""The packages that the installed ones ask for, a name a line."""

import importlib.metadata
import re

for one in importlib.metadata.distributions():
    for asked in one.requires or ():
        if "extra ==" not in asked:
            print(re.match(r"[A-Za-z0-9._-]+", asked)[0].lower().replace("_", "-"))  # noqa: T201
