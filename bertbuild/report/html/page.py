"""The page: a run and what the store has of it, put into the template. One file that asks nothing of any network."""

from __future__ import annotations

import base64
import functools
import hashlib
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from bertbuild import __version__
from bertbuild.plural import are, number_of
from bertbuild.report.clean import clean
from bertbuild.report.html import words
from bertbuild.report.html.contents import contents
from bertbuild.report.html.evidence import Evidence
from bertbuild.report.html.run import Run

HERE = Path(__file__).parent


def page(run: Run, evidence: Evidence) -> str:
    """The whole page as HTML, without lone surrogates, so that UTF-8 can hold it."""
    style, script = ((HERE / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    return _template().render(
        **contents(run, evidence),
        version=__version__,
        policy=policy,
        css_text=Markup(style),  # noqa: S704 - our own file
        script_text=Markup(script),  # noqa: S704 - our own file
    )


@functools.cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalized,
    )
    environment.filters.update(
        seconds=words.seconds,
        size=words.size,
        error=words.error,
        moment=words.moment,
        sign=words.sign,
        css=words.css,
        number_of=number_of,
        are=are,
    )
    return environment.get_template("page.html")


def _finalized(value: object) -> object:
    """Every text that the template writes, without what steers a terminal; it is escaped after this."""
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
