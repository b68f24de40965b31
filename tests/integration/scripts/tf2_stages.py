"""In the tf2 environment: stages of TensorFlow 2 one after the other in one process, which loads TensorFlow once.

Request: {"root": folder of the checkout, "runs": [[stage, {flag: value, …}], …]}. Prints for each run null, or the
sentence with which the stage refuses.
"""

import contextlib
import importlib
import json
import sys
from pathlib import Path

request = json.load(sys.stdin)
root = Path(request["root"])
sys.path[:0] = [str(root / "docker" / "tf2"), str(root / "docker" / "common"), str(root)]

from stage import Report, StageInputError  # noqa: E402

refused = []
for name, flags in request["runs"]:
    module = importlib.import_module(f"stages.{name}")
    args = module.STAGE._parser.parse_args([f"--{flag}={value}" for flag, value in flags.items()])
    Path(args.out).mkdir(parents=True)
    with contextlib.redirect_stdout(sys.stderr):
        try:
            module.run(args, Report(name))
            refused.append(None)
        except StageInputError as error:
            refused.append(str(error))
json.dump(refused, sys.stdout)
