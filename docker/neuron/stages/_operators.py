"""Operators: which of them the compiler knows."""

import subprocess

from operators import NO_WORK
from stage import StageInputError

# tensorflow-neuron gives the compiler the older form of these, and always gives it SquaredDifference.
OLDER_FORMS = {"AddV2": "Add", "BatchMatMulV2": "BatchMatMul", "StopGradient": "Identity"}
ALWAYS_KNOWN = frozenset(["SquaredDifference"])


def known_to(compiler):
    """The types of operators that the compiler lists.

    Args:
        compiler: the path of neuron-cc.

    Raises:
        StageInputError: it does not answer.
    """
    command = [compiler, "list-operators", "--framework", "TENSORFLOW"]
    answer = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    known = set(answer.stdout.decode(errors="replace").split())
    if answer.returncode != 0 or not known:
        raise StageInputError(
            "neuron-cc does not work here: list-operators ended with %d (%s)"
            % (answer.returncode, answer.stderr.decode(errors="replace").strip().rsplit("\n", 1)[-1])
        )
    return known


def require_known(operators, known):
    """Make sure that the compiler knows all operators of a device part.

    Args:
        operators: types of operators.
        known: as `known_to` gives them.

    Raises:
        StageInputError: it does not.
    """
    known = known | NO_WORK | ALWAYS_KNOWN
    unknown = sorted(name for name in set(operators) if name not in known and OLDER_FORMS.get(name) not in known)
    if unknown:
        raise StageInputError(
            "neuron-cc cannot compile %s%s"
            % (
                ", ".join(unknown),
                "; make the model with the other form of gelu: --gelu-approximation tanh" if "Erf" in unknown else "",
            )
        )
