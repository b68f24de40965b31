"""The JSON Schema of build files, made of the tables that the parser reads them by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bertbuild.buildfile.parameters import EVALUATE, FINETUNE, FROM, KIND, READ_SO, READING, SOURCES, TRAINED_ON
from bertbuild.buildfile.targets import LONGEST_NAME
from bertbuild.config import SETTING_TABLES, SETTINGS
from bertbuild.kinds import KINDS, kinds_with
from bertbuild.kinds.kind import Kind
from bertbuild.parameters import Parameter

Schema = dict[str, Any]

_NAME = {"pattern": "^[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_])?$", "maxLength": LONGEST_NAME}


def build_file_schema() -> Schema:
    """The schema, draft 2020-12. It knows keys, types and words; how they go together is the parser's to say."""
    settings: dict[str, dict[str, Schema]] = {table: {} for table in ("", *SETTING_TABLES)}
    for setting in SETTINGS:
        about = f"{setting.about} ({setting.variable})"
        settings[setting.table][setting.place[-1]] = _described(setting.type.schema(), about)
    target = {"oneOf": [{"$ref": f"#/$defs/target-{kind}"} for kind in KINDS]}
    tables = {
        **{table: _described(_object(settings[table]), about) for table, about in SETTING_TABLES.items()},
        "defaults": _defaults(),
        "targets": _tables("the targets; a table's name is the target's in out/", target),
        "models": _tables("the models; a table's name is the model's folder in out/", _model()),
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "bertbuild.toml",
        "description": "which models bertbuild builds, and which targets of each",
        **_object(settings[""] | tables),
        "$defs": _definitions(),
    }


def _definitions() -> dict[str, Schema]:
    """Of each kind its parameters one by one, all of them as a table, and its target."""
    made: dict[str, Schema] = {}
    for kind in KINDS.values():
        for parameter in kind.parameters.values():
            made[f"{kind.name}.{parameter.name}"] = _property(parameter)
        made[kind.name] = _object(_references(kind))
        made[f"target-{kind.name}"] = _target(kind)
    return made


def _references(kind: Kind) -> dict[str, Schema]:
    now = {name: {"$ref": f"#/$defs/{kind.name}.{name}"} for name in kind.parameters}
    return {**now, **{old: {**now[new], "deprecated": True} for old, new in kind.renamed.items()}}


def _target(kind: Kind) -> Schema:
    references = _references(kind)
    axes = {name: {"type": "array", "minItems": 1, "items": reference} for name, reference in references.items()}
    matrix = _described(_object(axes), "one target for each combination of these values, named after them")
    properties = {
        KIND: _described({"const": kind.name}, f"{kind.about}, as `invoke {kind.typed}` makes it"),
        "matrix": {**matrix, "minProperties": 1},
        **references,
    }
    return {"title": kind.about, **_object(properties), "required": [KIND]}


def _model() -> Schema:
    recipe = _properties([FROM, *TRAINED_ON.values(), *FINETUNE.values()])
    finetune = {
        **_described(_object(recipe), "a recipe: another model of this file, fine-tuned"),
        "required": [FROM.name],
        "oneOf": [{"required": ["task"]}, {"required": ["prepared"]}],
    }
    override = {"anyOf": [{"$ref": f"#/$defs/{kind}"} for kind in KINDS]}
    names = {"type": "array", "items": {"type": "string"}, "uniqueItems": True}
    properties = {
        **_properties((*SOURCES.values(), *READING.values())),
        "finetune": finetune,
        "evaluate": _described(_object(_properties(EVALUATE.values())), "what its targets are measured on once built"),
        "targets": _described(names, "names of [targets.*]; default: all"),
        "override": _tables("parameters of targets that are others for this model, by name of [targets.*]", override),
    }
    sources = [{"required": [name]} for name in (*SOURCES, "finetune")]
    reading = {name: [source] for name, source in READ_SO.items()}
    return {**_object(properties), "oneOf": sources, "dependentRequired": reading}


def _defaults() -> Schema:
    shared = {name: _shared(name) for kind in KINDS.values() for name in (*kind.parameters, *kind.renamed)}
    tables = {
        kind.name: {"description": f"for targets of the kind {kind.name}: {kind.about}", "$ref": f"#/$defs/{kind.name}"}
        for kind in KINDS.values()
    }
    about = "parameters for all targets whose kind has them, and tables for those of a kind"
    return _described(_object(shared | tables), about)


def _shared(name: str) -> Schema:
    """A parameter of several kinds: what any of them takes."""
    kinds = kinds_with(name)
    parameters = [kind.parameters[kind.renamed.get(name, name)] for kind in kinds]
    types = dict.fromkeys(one.type for one in parameters)
    abouts = dict.fromkeys(one.about for one in parameters)
    schemas = [type_.schema() for type_ in types]
    names = ", ".join(kind.name for kind in kinds)
    return _described(schemas[0] if len(schemas) == 1 else {"anyOf": schemas}, f"{' | '.join(abouts)} (of {names})")


def _tables(about: str, table: Schema) -> Schema:
    return {"description": about, "type": "object", "propertyNames": _NAME, "additionalProperties": table}


def _object(properties: Mapping[str, Schema]) -> Schema:
    return {"type": "object", "properties": dict(properties), "additionalProperties": False}


def _properties(parameters: Iterable[Parameter]) -> dict[str, Schema]:
    return {parameter.name: _property(parameter) for parameter in parameters}


def _property(parameter: Parameter) -> Schema:
    default = {} if parameter.default is None else {"default": parameter.default}
    return {**_described(parameter.type.schema(), parameter.about), **default}


def _described(schema: Schema, about: str) -> Schema:
    return {"description": about, **schema}
