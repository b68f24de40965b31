"""What a kind of target declares. A new one is a module beside this one, a row in `__init__`, and its stage."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bertbuild.kinds.measured import Measured
from bertbuild.parameters import Parameter, by_name, parameters_of
from bertbuild.plans.placing import REFERENCES
from bertbuild.plans.plan import File, Plan, Source, Step
from bertbuild.plans.tolerance import Tolerances
from bertbuild.renamed import renamed_in
from bertbuild.text.facts import AS_TOLD_BY_FILES, HowRead
from bertbuild.toml.values import Choice

FROM_CHECKPOINT = ("model", "checkpoint", "config", "vocab")
"""The flags that name a checkpoint."""

FROM_SAVED_MODEL = (*FROM_CHECKPOINT, "saved_model")

REFERENCE = Parameter(
    name="reference",
    type=Choice(REFERENCES),
    about="TensorFlow that runs the source's graph for the gate; default: as it was proved before, else 1.15 where it "
    "can be had, else 2.20",
)
"""A parameter of every target that may be judged by either TensorFlow."""


class Request:
    """What a target is to be like: a dataclass, whose fields are the parameters of its kind."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """The command that makes targets of one or more kinds.

    Attributes:
        name: as it is typed.
        about: what it does, a sentence.
        sources: the flags of `Wanted` that name what it begins with.
        example: flags to show how it is typed.
        copied: the flag that names where the result is also copied to, None where there is none.
    """

    name: str
    about: str
    sources: tuple[str, ...] = FROM_CHECKPOINT
    example: str = "--checkpoint path/to/model"
    copied: Parameter | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How a target is asked for its answers.

    Attributes:
        stage: the stage that answers for it.
        flag: what that stage calls it.
    """

    stage: str
    flag: str

    def step(self, step_id: str, made: str, probes: File, params: Mapping[str, str] | None = None) -> Step:
        """The step that asks what the step `made` makes."""
        inputs: dict[str, File | str] = {self.flag: made, "probes": probes}
        return Step(id=step_id, stage=self.stage, inputs=inputs, params=dict(params or {}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """A target that `evaluate` can measure.

    Attributes:
        name: what `evaluate --target` calls it.
        plan: from source, data, probes, and the processors that int8 is for, to a plan that makes it.
        is_told: whether the stage that answers for it is told what to give, as it may give more.
        group: a word that stands for this one and others; empty where there is none.
        usual: whether it is measured where no target is named.
    """

    name: str
    plan: Callable[[Source, Measured, File, str], Plan]
    is_told: bool = False
    group: str = ""
    usual: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of target.

    Attributes:
        name: its word in bertbuild.toml.
        about: what it makes.
        command: the command that makes it alone.
        chosen: flags of that command, and their values, by which it makes this kind and no other.
        request: the dataclass that declares its parameters.
        plan: from source, request and probes (and, of int8, what it is calibrated on) to the steps that make its
            targets. Pure.
        stage: the stage that makes it.
        asked: how it is asked.
        tolerances: name of a row → the row; a plan's targets name one of them (`Target.precision`).
        taken: the parts of a source (`plans/parts.py`) that a target of it has.
        taken_by: part → the flag by which a target of this command would have it.
        taken_of_family: family → the same, where that is not as of a BERT.
        main_file: what people open in its folder; empty where that is the folder itself.
        is_prefix: whether that is the prefix of a checkpoint's files.
        mapping: what its mapping.json leads from and to, which its command shows as a table; empty where it has none.
        has_reference: whether it may be judged by either TensorFlow.
        only_1_15: a sentence on why nothing but TensorFlow 1.15 judges it; empty where that is not so.
        seq_len: the only sequence length that a target takes, 0 where it takes several.
        evaluated: the targets of it that `evaluate` measures.
        guarded: whether a target's graph itself takes inputs outside the model's range for others within it.
        how_read: what a request says of how text is read.
        families: whether it is made of all families of `families/table.py`; else of BERT alone.
    """

    name: str
    about: str
    command: Command
    request: type[Request]
    plan: Callable[..., Plan]
    stage: str
    asked: Asked
    tolerances: Mapping[str, Tolerances]
    taken: Callable[[Source, Any], set[str]]
    taken_by: Mapping[str, str] = field(default_factory=dict)
    taken_of_family: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    chosen: Mapping[str, str] = field(default_factory=dict)
    main_file: str = ""
    is_prefix: bool = False
    mapping: tuple[str, ...] = ()
    has_reference: bool = True
    only_1_15: str = ""
    seq_len: Callable[[Any], int] = lambda _request: 0
    evaluated: tuple[Evaluated, ...] = ()
    guarded: Callable[[Any], bool] = lambda _request: False
    how_read: Callable[[Any], HowRead] = lambda _request: AS_TOLD_BY_FILES
    families: bool = False

    @property
    def typed(self) -> str:
        """The command line that makes it, without the program's name."""
        return " ".join([self.command.name, *(f"--{name} {value}" for name, value in self.chosen.items())])

    @property
    def parameters(self) -> dict[str, Parameter]:
        """The keys that it takes in bertbuild.toml."""
        declared = parameters_of(self.request)
        return {**declared, **by_name(REFERENCE)} if self.has_reference else dict(declared)

    @property
    def renamed(self) -> dict[str, str]:
        """Old words of its parameters, and the new ones."""
        return {old: new for old, new in renamed_in(self.command.name).items() if new in self.parameters}

    def parameter_called(self, name: str) -> Parameter | None:
        """A parameter by its name or by its old one; None where it has none of these."""
        return self.parameters.get(self.renamed.get(name, name))
