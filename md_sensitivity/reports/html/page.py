"""The page: sections filled into the template, every text escaped."""

from __future__ import annotations

import functools
from importlib import resources

import jinja2
from markupsafe import Markup

from md_sensitivity.analysis.result import Result
from md_sensitivity.reports.html.bend import bend_section
from md_sensitivity.reports.html.response import response_section
from md_sensitivity.reports.html.sections import facts, provenance
from md_sensitivity.reports.html.tables import influence_section
from md_sensitivity.reports.names import pieces
from md_sensitivity.reports.text import count, per, pretty, rounded, signed, visible
from md_sensitivity.reports.verdicts import overall, status_level, verdicts

SHORT_NAME = 24
"""Letters of a name that stays on one line."""


def render(result: Result) -> str:
    """Fill the template."""
    document = result.document
    return page_template("report.html.j2").render(
        name=result.name,
        document=document,
        style=Markup(page_data("style.css")),  # our own file
        status_level=status_level(document.status),
        overall=overall(document),
        verdicts=verdicts(document),
        facts=facts(result),
        influence=influence_section(document),
        response=response_section(result),
        bend=bend_section(document),
        provenance=provenance(result),
    )


@functools.cache
def page_template(name: str) -> jinja2.Template:
    """A template of this folder, with what all pages share."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(pretty=pretty, rounded=rounded, signed=signed, per=per, visible=visible, count=count)
    environment.filters.update(breakable=breakable, parameter_name=parameter_name)
    environment.globals["short_name"] = SHORT_NAME
    return environment.from_string(page_data(name))


def page_data(name: str) -> str:
    """A file of this folder."""
    return resources.files("md_sensitivity.reports.html").joinpath(name).read_text(encoding="utf-8")


def breakable(text: str) -> Markup:
    """Escaped text that a browser may break after dots, slashes, underscores, tildes and colons."""
    escaped = str(Markup.escape(text))
    for mark in "._/~:":
        escaped = escaped.replace(mark, mark + "<wbr>")
    return Markup(escaped)  # escaped above


def parameter_name(name: str) -> Markup:
    """An escaped name of a parameter that a browser breaks where its parts end; within a part only where that is wider than a line."""
    parts = pieces(name)
    if len(name) <= SHORT_NAME or len(parts) == 1:
        return Markup.escape(name)
    # A hyphen within a type is no place to break at; blocks keep it together.
    blocks = (f'<span class="part">{Markup.escape(part)}</span>' if "-" in part[:-1] else str(Markup.escape(part)) for part in parts)
    return Markup("<wbr>".join(blocks))  # each escaped above
