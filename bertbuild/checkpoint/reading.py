"""Which variables of a checkpoint are those of the one BERT that is meant, and under which names they lie there.

google-research/bert calls its encoder `bert`. Others put it into a scope (`module/bert/…` in TensorFlow Hub's tutorial,
`model/bert/…`), give its parts no scope at all, or hold two; and training may leave a moving average beside a variable
or in its place. What is chosen here is all that later steps see of a checkpoint.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from bertbuild.checkpoint.training import averaged, sort_variables
from bertbuild.families import electra
from bertbuild.families.bert import BUFFERS
from bertbuild.heads.replaced_token import HEAD as REPLACED_TOKEN
from bertbuild.heads.rows import HEADS
from bertbuild.plural import are, number_of

GOOGLES: Final = "bert"
"""The scope of the encoder in google-research/bert."""
TOP: Final = "."
"""How a user names the encoder whose parts have no scope."""

_WORDS: Final = "embeddings/word_embeddings"
_LAYER: Final = "encoder/layer_0/"
_PARTS: Final = ("embeddings/", "encoder/", "pooler/")
_HEADS: Final = tuple(dict.fromkeys(head.scopes for head in HEADS.values() if head.part and not head.of_encoder))
"""How the names of heads begin, outside the encoder; each is taken whole or not at all."""
OF_DISCRIMINATOR: Final = REPLACED_TOKEN.scopes


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a user says of a checkpoint that can be read in several ways.

    Attributes:
        scope: of the encoder, as `module/bert`, or its beginning; "." is none at all; empty: the only one.
        ema: take the moving averages of the variables.
        head: of what kind its head for a task is, by its name in the table of heads; empty: as the files tell.
    """

    scope: str = ""
    ema: bool = False
    head: str = ""

    def as_flags(self) -> list[str]:
        """What of it is said, as it is typed."""
        return [f"--{name} {value}" if name != "ema" else f"--{name}" for name, value in self.as_params().items()]

    def as_params(self) -> dict[str, str]:
        """What of it is said, as parts of a key; nothing where nothing is."""
        said = {"scope": self.scope, "ema": "true" if self.ema else "", "head": self.head}
        return {name: value for name, value in said.items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A checkpoint's variables as those of one BERT.

    Attributes:
        scope: of the encoder that was taken, "" for none at all; None where none was taken.
        scopes: of all encoders, as `scope`.
        names: google-research/bert's name → the name in the checkpoint, of the encoder and the heads.
        averages: how many variables have a moving average.
        averaged: how many of `names` are taken from their moving average.
        left_out: variables of a model that are not among `names`.
        problems: sentences on why none, or not just one, could be taken.
        told: sentences on what was chosen where a checkpoint of google-research/bert's leaves nothing to choose.
    """

    scope: str | None
    scopes: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    averages: int = 0
    averaged: int = 0
    left_out: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    told: tuple[str, ...] = ()

    @property
    def plain(self) -> bool:
        """Whether every variable lies under google-research/bert's own name."""
        return all(name == own for name, own in self.names.items())


def read_names(names: Mapping[str, object], choice: Choice) -> Reading:
    """The variables of the BERT that is meant among a checkpoint's `names`."""
    model = sort_variables(names).model
    averages = {variable: name for name in names if (variable := averaged(name, names)) is not None}
    values = {name: name for name in model if averaged(name, names) is None}
    available = values | averages if choice.ema else values
    available |= _of_generator(available)
    scopes = _scopes(available)
    problem = _of_averages(averages, scopes, choice)
    if problem:
        return Reading(scope=None, averages=len(averages), problems=(problem,))
    found = _chosen(scopes, choice.scope)
    if isinstance(found, str):
        return Reading(scope=None, scopes=scopes, averages=len(averages), problems=(found,) if found else ())
    scope = found[0]
    taken = _taken(available, scope, scopes)
    own = set(taken.values())
    averaged_ = sum(name in own for name in averages.values())
    return Reading(
        scope=scope,
        scopes=scopes,
        names=taken,
        averages=len(averages),
        averaged=averaged_,
        left_out=tuple(name for name in available.values() if name not in own),
        told=tuple(_told(scope, scopes, len(averages), averaged_, len(taken))),
    )


def shown(scope: str) -> str:
    """A scope as a user names it."""
    return scope or TOP


def _scopes(names: Iterable[str]) -> tuple[str, ...]:
    """The scopes of all encoders: what stands before their table of words and their layers.

    A table of words without layers is not an encoder; where there is nothing else, it is one that lacks its layers.
    """
    tables = [name[: -len(_WORDS)].rstrip("/") for name in names if f"/{name}".endswith(f"/{_WORDS}")]
    if len(tables) > 1:
        layered = {start.rstrip("/") for start, found, _ in (name.partition(_LAYER) for name in names) if found}
        tables = [scope for scope in tables if scope in layered] or tables
    return tuple(sorted(tables))


def _of_averages(averages: Mapping[str, str], scopes: tuple[str, ...], choice: Choice) -> str:
    """The sentence on averages that are asked for and not there, or there alone and not asked for; else empty."""
    if choice.ema and not averages:
        return "The checkpoint holds no moving averages (…/ExponentialMovingAverage); leave --ema out."
    if not choice.ema and not scopes and _scopes(averages):
        return (
            "The checkpoint holds the encoder's variables only as moving averages (…/ExponentialMovingAverage); "
            "add --ema to take them."
        )
    return ""


def _chosen(scopes: tuple[str, ...], wanted: str) -> tuple[str] | str:
    """The scope to take; or a sentence on why none is, which is empty where there is no encoder at all."""
    if not scopes:
        return ""
    listed = ", ".join(map(shown, scopes))
    if not wanted:
        if len(scopes) == 1 or scopes == (electra.DISCRIMINATOR, electra.GENERATOR):
            return (scopes[0],)  # of ELECTRA's the one that its repository fine-tunes
        return f"The checkpoint holds {len(scopes)} encoders ({listed}); choose one with --scope {shown(scopes[0])}."
    asked = "" if wanted == TOP else wanted.strip("/")
    if asked in scopes:
        return (asked,)
    below = [scope for scope in scopes if scope.startswith(f"{asked}/")] if asked else []
    if len(below) == 1:
        return (below[0],)
    return f"The checkpoint holds no encoder of the scope {wanted}, but {listed}; choose one with --scope."


def _taken(available: Mapping[str, str], scope: str, scopes: tuple[str, ...]) -> dict[str, str]:
    """google-research/bert's name → the checkpoint's, of the encoder of a scope and the heads that go with it."""
    start = f"{scope}/" if scope else ""
    inner = tuple(f"{other}/" for other in scopes if other != scope and f"{other}/".startswith(start))
    taken = {
        f"{GOOGLES}/{name[len(start) :]}": own
        for name, own in available.items()
        if (name.startswith(start) if scope else name.startswith(_PARTS)) and not name.startswith(inner)
    }
    outer = start[: start.rfind("/", 0, -1) + 1]
    of_generator = f"/{scope}".endswith(f"/{electra.GENERATOR}")
    for head in _HEADS:
        if of_generator and head == OF_DISCRIMINATOR:
            continue
        places = (
            (outer, "") if len(scopes) == 1 else (outer,)
        )  # of several encoders none owns a head that stands outside all
        for place in dict.fromkeys(places):
            starts = tuple(place + scope for scope in head)
            parts = {name[len(place) :]: own for name, own in available.items() if name.startswith(starts)}
            if parts:
                taken |= parts
                break
    if of_generator:
        for theirs, ours in electra.GENERATOR_HEAD:
            found = {name: own for name, own in available.items() if name.startswith(outer + theirs)}
            taken |= {ours + name.removeprefix(outer + theirs): own for name, own in found.items()}
    return {name: own for name, own in taken.items() if name not in BUFFERS}


def _of_generator(names: Mapping[str, str]) -> dict[str, str]:
    """The embeddings of an ELECTRA's generator that has the discriminator's: under its own scope, whose they are."""
    shared = f"{electra.DISCRIMINATOR}/{electra.EMBEDDINGS}"
    own = f"{electra.GENERATOR}/{electra.EMBEDDINGS}"
    if not any(name.startswith(f"{electra.GENERATOR}/{electra.LAYERS}") for name in names):
        return {}
    if any(name.startswith(own) for name in names):
        return {}
    return {own + name.removeprefix(shared): place for name, place in names.items() if name.startswith(shared)}


def _told(scope: str, scopes: tuple[str, ...], averages: int, averaged_: int, count: int) -> Iterable[str]:
    others = [shown(other) for other in scopes if other != scope]
    if others:
        yield f"Of {len(scopes)} encoders the one of the scope {shown(scope)} is taken; left out: {', '.join(others)}."
    elif scope != GOOGLES:
        where = f"lie under {scope}/…" if scope else "have no scope"
        yield f"The encoder's variables {where} and are taken for bert/…."
    if averaged_:
        without = count - averaged_
        rest = (
            f"; {without} {are(without, 'has none and is', 'have none and are')} taken unchanged" if without > 0 else ""
        )
        averages_ = are(averaged_, "is taken from its moving average", "are taken from their moving averages")
        yield f"{number_of(averaged_, 'variable')} {averages_}{rest}."
    elif averages:
        has = are(averages, "has", "have")
        yield f"{number_of(averages, 'variable')} {has} a moving average too, which is not taken; --ema takes it."
