"""One of these scripts, forked from a process that has imported TensorFlow or OpenVINO: its path, its request."""

import runpy
import sys

_, script, request = sys.argv
del sys.path[0]  # the folder it was started in: a script's own folder comes first
sys.argv[:] = [script]
sys.stdin = open(request)  # noqa: SIM115, PTH123 - open until the end
runpy.run_path(script, run_name="__main__")
