"""The report: self-contained, safe, complete, and readable at any size."""

from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import msgspec
import numpy as np
import pytest

from md_sensitivity.analysis.result import Result
from md_sensitivity.reports.html import report_html
from md_sensitivity.reports.html.picture import MAX_ARROWS, MAX_ATOMS

VOID = {"meta", "wbr", "br", "hr", "img", "link", "input"}
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&"


class Page(HTMLParser):
    """Tags that open and close in order; text by element."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.stack or self.stack[-1] != "style":
            self.text.append(data)


def words(html: str) -> str:
    return " ".join("".join(Page(html).text).split())


def test_well_formed_and_self_contained(result):
    page = Page(report_html(result))
    assert page.stack == []
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "link", "img", "iframe", "object", "form"}
    for _, attributes in page.tags:
        assert not {"src", "href", "srcset", "onload", "onclick"} & set(attributes)
    assert "http" not in report_html(result).replace("http-equiv", "").replace("http://www.w3.org", "")
    assert ("meta", {"http-equiv": "Content-Security-Policy", "content": "default-src 'none'; style-src 'unsafe-inline'"}) in page.tags


def test_drawings_are_well_formed(result):
    for svg in re.findall(r"<svg.*?</svg>", report_html(result), flags=re.DOTALL):
        ElementTree.fromstring(svg)
        assert "nan" not in svg and "inf" not in svg


def test_says_what_was_computed(silicon):
    text = words(report_html(silicon()))
    for fragment in ("Si217, 217 atoms, periodic along a, b, c", "Silicon (metal units)", "minimum", "Is it trustworthy?", "ab" * 32):
        assert fragment in text


def test_a_derivative_that_does_not_exist_is_said_so(silicon):
    text = words(report_html(silicon()))
    assert text.count("does not exist") >= 3
    assert "None" not in text


def test_zero_values_are_ranked_without_logarithms(silicon):
    assert "The value is zero, so that the logarithmic sensitivity is undefined" in words(report_html(silicon()))


def test_residues_and_chains_are_named(peptide):
    text = words(report_html(peptide()))
    assert re.search(r"A (ALA|GLY|LYS|LEU|SER|GLU) \d+ (N|CA|C|O|CB)", text)
    assert "two alternate locations" in text


def test_reduced_units_show_no_angstrom(packing):
    text = words(report_html(packing()))
    assert "Å" not in text and not re.search(r"\beV\b", text)
    assert "All numbers in reduced units" in text


def test_a_failure_shows_its_message_and_nothing_else(failed):
    text = words(report_html(failed()))
    assert "atoms 0 and 1 are 0.1 Å apart" in text and "The analysis failed" in text
    assert "Which parameters matter most?" not in text and "Where in the structure?" not in text


def hostile(result: Result) -> Result:
    """The same result with every word that comes from files replaced."""
    document, n = result.document, result.structure.size
    structure = dataclasses.replace(
        result.structure,
        types=(HOSTILE,) * n,
        atom_names=(HOSTILE,) * n,
        residue_names=(HOSTILE,) * n,
        chain_names=(HOSTILE,) * n,
        notes=(HOSTILE,),
        reader=HOSTILE,
    )
    assert document.certificate is not None and document.equilibrium is not None
    replace = msgspec.structs.replace
    document = replace(
        document,
        message=HOSTILE,
        structure=replace(document.structure, path=HOSTILE, sha256=HOSTILE, formula=HOSTILE),
        force_field=replace(document.force_field, path=HOSTILE, sha256=HOSTILE, name=HOSTILE, units=HOSTILE),
        parameters=[replace(parameter, name=HOSTILE + str(i), unit=HOSTILE) for i, parameter in enumerate(document.parameters)],
        observables=[replace(observable, name=HOSTILE + str(i), unit=HOSTILE) for i, observable in enumerate(document.observables)],
        certificate=replace(
            document.certificate,
            warnings=[HOSTILE],
            reason=HOSTILE,
            mode=HOSTILE,
            solver=HOSTILE,
            finite_differences=[replace(each, parameter=HOSTILE) for each in document.certificate.finite_differences],
        ),
        equilibrium=replace(document.equilibrium, minimizer=HOSTILE, energy_unit=HOSTILE, force_unit=HOSTILE),
        provenance=replace(document.provenance, versions={HOSTILE: HOSTILE}, options={HOSTILE: [HOSTILE]}, device=HOSTILE),  # type: ignore[type-var]
    )
    return dataclasses.replace(result, name=HOSTILE, document=document, structure=structure)


def test_hostile_words_stay_words(silicon):
    page = Page(report_html(hostile(silicon(cells=2))))
    assert page.stack == []
    assert not {tag for tag, _ in page.tags} & {"script", "img"}
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert "<script>alert(1)</script>" in "".join(page.text)


def test_deterministic(result):
    assert report_html(result) == report_html(result)


def test_without_positions_only_norms_are_shown(silicon):
    result = silicon()
    arrays = {name: array for name, array in result.arrays.items() if name != "dpositions"}
    text = words(report_html(dataclasses.replace(result, arrays=arrays)))
    assert "--no-positions" in text and "Norms of the response" in text


def test_minimization_only(silicon):
    result = silicon()
    document = msgspec.structs.replace(result.document, parameters=[], observables=[], position_norm=None, certificate=None)
    text = words(report_html(dataclasses.replace(result, document=document, arrays={k: result.arrays[k] for k in ("positions", "cell")})))
    assert "No derivatives were asked for" in text and "Force residual" in text


def test_nothing_moves(silicon):
    result = silicon()
    norm = result.document.position_norm
    assert norm is not None
    zero = msgspec.structs.replace(norm, l1=[0.0] * 10, l2=[0.0] * 10, max=[0.0] * 10)
    still = dataclasses.replace(
        result,
        document=msgspec.structs.replace(result.document, position_norm=zero),
        arrays={**result.arrays, "dpositions": np.zeros_like(result.arrays["dpositions"])},
    )
    assert "No parameter moves an atom" in words(report_html(still))


def test_one_single_atom(silicon):
    result = silicon(cells=1)
    one = {field: getattr(result.structure, field)[:1] for field in ("positions", "types", "numbers", "masses", "fixed")}
    arrays = {**result.arrays, "positions": result.arrays["positions"][:1], "dpositions": result.arrays["dpositions"][:, :1]}
    norm = result.document.position_norm
    assert norm is not None
    norm = msgspec.structs.replace(norm, max_atom=[None if atom is None else 0 for atom in norm.max_atom])
    document = msgspec.structs.replace(result.document, position_norm=norm)
    report_html(dataclasses.replace(result, structure=dataclasses.replace(result.structure, **one), arrays=arrays, document=document))


def test_many_atoms_stay_drawable(silicon):
    html = report_html(silicon(cells=11))  # 10649 atoms
    scenes = re.findall(r'<svg class="scene".*?</svg>', html, flags=re.DOTALL)
    assert scenes and len(html) < 2_000_000
    for scene in scenes:
        assert MAX_ATOMS / 2 < scene.count("<circle") <= MAX_ATOMS
        assert scene.split('class="arrows"')[1].count("M") <= 2 * MAX_ARROWS
    assert "others evenly picked" in words(html)


def test_many_observables_and_parameters_stay_small(silicon):
    result = silicon(cells=1)
    document = result.document
    parameters = [msgspec.structs.replace(document.parameters[0], name=f"buckingham.type{i}-type{i}.rho") for i in range(50)]
    grown = [
        msgspec.structs.replace(
            document.observables[2],
            name=f"stress{k}",
            **{
                part: [getattr(document.observables[2], part)[i % 9] for i in range(50)]
                for part in ("direct", "relaxation", "total", "logarithmic")
            },
        )
        for k in range(20)
    ]
    norm = document.position_norm
    assert norm is not None
    wide = msgspec.structs.replace(
        norm, **{part: [getattr(norm, part)[i % 9] for i in range(50)] for part in ("l1", "l2", "max", "max_atom")}
    )
    big = msgspec.structs.replace(document, parameters=parameters, observables=grown, position_norm=wide)
    arrays = {**result.arrays, "dpositions": np.resize(result.arrays["dpositions"][:9], (50, *result.arrays["dpositions"].shape[1:]))}
    html = report_html(dataclasses.replace(result, document=big, arrays=arrays))
    assert len(html) < 2_000_000
    assert "summary.csv" in words(html)


@pytest.mark.parametrize("status", ["unconverged", "not-a-minimum"])
def test_bad_status_is_visible_at_the_top(silicon, status):
    html = report_html(silicon(status=status))
    badge = re.search(r'class="badge (\w+)">([\w-]+)<', html)
    assert badge and badge.groups() == ({"unconverged": "caution", "not-a-minimum": "bad"}[status], status)
