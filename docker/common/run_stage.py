"""`python -m run_stage NAME --flags…`: the entry point of every image; runs `stages.NAME`.

`python -m run_stage BACKEND/NAME` runs a stage of another backend, whose code this image carries in a folder beside
this file: `tf1/metagraph` in the image tf2.
"""

import glob
import os
import runpy
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def main():
    """Run the stage named first on the command line, or list the stages of this image."""
    import stages

    folders = {"": os.path.dirname(stages.__file__)}
    folders.update((os.path.basename(os.path.dirname(path)) + "/", path) for path in glob.glob(HERE + "/*/stages"))
    known = {
        prefix + name[:-3].replace("_", "-"): folder
        for prefix, folder in sorted(folders.items())
        for name in sorted(os.listdir(folder))
        if is_stage(name)
    }
    if len(sys.argv) < 2:  # as `docker compose up` starts it
        sys.stderr.write("nothing to do: no stage is named; run one by docker compose run --rm SERVICE STAGE --flags\n")
    if len(sys.argv) < 2 or sys.argv[1] not in known:
        sys.stderr.write("usage: run_stage STAGE --flags…; the stages of this image: %s\n" % ", ".join(known))
        sys.exit(2)
    name = sys.argv.pop(1)
    if "/" in name:
        sys.path.insert(0, os.path.dirname(known[name]))
        del sys.modules["stages"]
    runpy.run_module("stages." + name.split("/")[-1].replace("-", "_"), run_name="__main__", alter_sys=True)


def is_stage(file_name):
    """A module of `stages` is a stage unless its name begins with an underscore (helpers, __init__)."""
    return file_name.endswith(".py") and not file_name.startswith("_")


if __name__ == "__main__":
    main()
