"""What `invoke` finds here: the commands of the program, and those of its developers.

Invoke reads a command line in its own way: it knows no underscores, ends with 1 and no next step where it is mistyped,
and takes --dry for nothing. So where it was started as a program, ours goes on from here, and ends the process. It also
keeps no bytecode of what a tasks.py loads, so that all of the program would be compiled again by each command.
"""

import sys

if not sys.flags.dont_write_bytecode:  # nobody told Python so but Invoke
    sys.dont_write_bytecode = False

from bertbuild.cli.main import main
from bertbuild.cli.wording import started_by_invoke

if started_by_invoke():
    main("bertbuild.development.tasks")  # before the commands are loaded: it answers a Ctrl-C meanwhile
    sys.exit(0)  # else Invoke, which is loading this file, would run the command once more

import bertbuild.development.tasks  # noqa: F401 - adds its commands
from bertbuild.cli.invoke_tasks import collection

namespace = collection()
"""For who loads this file otherwise."""
