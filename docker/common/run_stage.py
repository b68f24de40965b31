"""`python -m run_stage NAME --flags…`: the entry point of every image; runs `stages.NAME`."""

import os
import runpy
import sys


def main():
    """Run the stage named first on the command line, or list the stages of this image."""
    import stages

    folder = os.path.dirname(stages.__file__)
    names = sorted(name[:-3].replace("_", "-") for name in os.listdir(folder) if is_stage(name))
    if len(sys.argv) < 2 or sys.argv[1] not in names:
        sys.stderr.write("usage: run_stage STAGE --flags…; the stages of this image: %s\n" % ", ".join(names))
        sys.exit(2)
    name = sys.argv.pop(1)
    runpy.run_module("stages." + name.replace("-", "_"), run_name="__main__", alter_sys=True)


def is_stage(file_name):
    """A module of `stages` is a stage unless its name begins with an underscore (helpers, __init__)."""
    return file_name.endswith(".py") and not file_name.startswith("_")


if __name__ == "__main__":
    main()
