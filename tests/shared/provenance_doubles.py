"""Two results in a store, one made from the other, each with its statement: as the engine publishes them."""

from __future__ import annotations

import json
import time

from bertbuild import keys
from bertbuild.provenance.sbom import materials
from bertbuild.provenance.statement import file_named, result_named, statement
from bertbuild.store.inputs import folder_input

FACTS = {"python": "3.7.17", "packages": {"tensorflow": "1.15.5"}, "seconds": 1.5}


def publish(
    store, stage, content, inputs, *, backend="tf1", params=None, isolation="venv", lock="", with_statement=True
):
    """Publish files under the key that their inputs give: the call that the engine makes."""
    found = {} if backend is None else {"python": "3.7.17", "machine": "x86_64"}
    made = None if backend is None else materials(backend, store.root)
    if made is not None:
        found["lock"] = lock or made.lock
    parts = keys.components(
        stage=stage,
        code="c" * 64,
        environment=found,
        params=params or {},
        inputs={source.name: source.digest for source in inputs},
    )
    log = store.logs / f"{stage}.log"
    log.write_text(f"log of {stage}\n")
    started = time.time()

    def said(files):
        return statement(
            parts=parts,
            files=files,
            inputs=inputs,
            isolation=isolation if backend else "",
            environment=[{"name": "python", "uri": "pkg:generic/python@3.7.17"}] if backend else [],
            materials=made,
            facts=json.loads(content["stage.json"]) if "stage.json" in content else None,
            log=log if backend else None,
            started=started,
            finished=time.time(),
            run="20261121-140312-7f3a",
        )

    key = keys.digest(parts)
    with store.lock(stage, key, on_wait=print) as work:
        for name, text in content.items():
            (work / "out" / name).parent.mkdir(parents=True, exist_ok=True)
            (work / "out" / name).write_text(text)
        return store.publish(stage, key, work, parts, said if with_statement else None, isolation=isolation)


def checkpoint(store, folder):
    """A checkpoint of two files, as an input."""
    folder.mkdir(exist_ok=True)
    (folder / "bert_config.json").write_text("{}")
    (folder / "weights").write_text("weights")
    return file_named("checkpoint", folder_input(folder, ["bert_config.json", "weights"], store.inputs), store.digests)


def frozen(store, folder, **options):
    """A frozen graph of a checkpoint."""
    files = {"inference_graph.pb": "graph", "signature.json": "{}", "stage.json": json.dumps(FACTS)}
    return publish(store, "freeze", files, [checkpoint(store, folder)], params={"gelu": "erf"}, **options)


def ir(store, source, **options):
    """An IR of a frozen graph."""
    files = {"model.xml": "<net/>", "model.bin": "bin", "stage.json": json.dumps(FACTS)}
    return publish(store, "ir", files, [result_named("frozen", source)], backend="openvino", **options)
