"""The commands on data sets as Invoke tasks."""

from __future__ import annotations

from invoke import Context, task

from bertbuild.flags import COMMON_HELP
from bertbuild.running import running


@task(
    auto_shortflags=False,
    iterable=["task"],
    help=COMMON_HELP
    | {
        "task": "which, e.g. MRPC or SQuAD-1.1; GLUE and SQuAD mean all of theirs; may be given more than once",
        "list": "show all data sets and fetch nothing",
        "from": "folder with downloaded zips or unpacked data sets; nothing is downloaded",
        "mirror": "base URL of a server or folder that has the published files side by side",
    },
)
def fetch_data(
    _context: Context,
    task: list[str],
    list: bool = False,  # noqa: A002 - the flag's name
    from_: str = "",
    mirror: str = "",
    json: bool = False,
) -> None:
    """Download GLUE, SQuAD and XNLI; every file is checked, and says how it is licensed."""
    from bertbuild.commands import datasets

    with running(json=json, local=from_, mirror=mirror) as session:
        if list:
            datasets.list_datasets(session)
        else:
            datasets.fetch_data(session, tuple(task))
