"""One run of the program, forked from a process that has imported `warm_host`."""

import json
import os
import sys

from bertbuild.cli.main import main

order = json.loads(sys.argv[1])
os.environ.clear()
os.environ.update(order["env"])
sys.argv[:] = order["command"]
sys.path[0] = os.path.dirname(sys.argv[0])  # noqa: PTH120 - as the script has it, whatever the folder
main()
