"""provenance.json of a package: an in-toto statement on its files, with SLSA's provenance of the target.

It has no times and no runs, so that the same target packed twice has the same bytes. The target's own statement, which
has them, is found by its result's key in the store that made it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bertbuild.provenance.statement import (
    BUILDER,
    HOST,
    KEY_DIGEST,
    PACKAGE_TYPE,
    PREDICATE,
    STATEMENT,
    TARGET,
    result_uri,
)
from bertbuild.stages import FACTS, PROVENANCE

OF_A_RUN = (f"/{PROVENANCE}", f"/{FACTS}")
"""Files of what a target was made of that have times in them; no digest of a result counts the second."""


def statement(
    *, layout: str, stage: str, key: str, digest: str, made: Mapping[str, Any], sha256: Mapping[str, str]
) -> dict[str, Any]:
    """Say what a package holds, and what it was made from.

    Args:
        layout: its name.
        stage: that made the target.
        key: of the target's result.
        digest: of that result's content.
        made: the buildDefinition of the target's own statement.
        sha256: of each file of the package, by name.
    """
    target = {
        "name": TARGET,
        "uri": result_uri(stage, key),
        "digest": {KEY_DIGEST: digest},
        "annotations": {"stage": stage, "key": key},
    }
    return {
        "_type": STATEMENT,
        "subject": [{"name": name, "digest": {"sha256": value}} for name, value in sorted(sha256.items())],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": PACKAGE_TYPE,
                "externalParameters": {"format": layout, TARGET: dict(made["externalParameters"])},
                "internalParameters": {TARGET: dict(made["internalParameters"])},
                "resolvedDependencies": [
                    target,
                    *(one for one in made["resolvedDependencies"] if not one["name"].endswith(OF_A_RUN)),
                ],
            },
            "runDetails": {"builder": {"id": f"{BUILDER}/{HOST}"}},
        },
    }
