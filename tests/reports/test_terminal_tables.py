"""Tables on terminals of any width, and in pipes."""

from __future__ import annotations

import dataclasses
import io
import re

import msgspec
import pytest

from md_sensitivity.analysis.result import Result
from md_sensitivity.reports import print_results


def printed(results: list[Result], *, encoding: str = "utf-8", **options: int) -> str:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    print_results(results, stream, **options)
    stream.flush()
    return stream.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]


@pytest.mark.parametrize("width", [40, 80, 120])
def test_numbers_are_never_broken(silicon, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    text = printed([silicon()])
    wanted = ["-0.02971", "3.954"] + (["1.622", "2.332"] if width >= 80 else [])
    for each in wanted:
        assert re.search(rf"(?<![\d.-]){re.escape(each)}(?!\d)", text), each
    assert "…" not in re.sub(r"  … and \d+ more.*", "", text)
    assert all(len(line.rstrip()) <= width for line in text.splitlines() if line.startswith("stillinger"))


def test_says_status_energy_forces_eigenvalue_and_certificate(silicon):
    text = printed([silicon(warnings=("near a kink",))])
    for fragment in ("silicon_interstitial: minimum", "energy -938.18", "max force 3.1e-11 eV/Å", "lowest eigenvalue 0.4321"):
        assert fragment in text
    assert "certificate passed: linear residual 4.2e-13, error estimate 6.3e-12, finite differences within 3.1e-09 (2 of 3 made)" in text
    assert "warning: near a kink" in text


def test_parameters_are_ranked_and_limited(silicon):
    text = printed([silicon()], limit=2)
    energy = text.split("energy = ")[1].split("pressure = ")[0]
    assert energy.index(".A ") < energy.index(".lambda")
    assert "… and 8 more" in energy
    assert "does not" in printed([silicon()], limit=20)


def test_a_pipe_gets_no_colors_and_no_boxes(silicon, monkeypatch):
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    text = printed([silicon()])
    assert "\x1b" not in text and "─" not in text


def test_no_color_is_honored_on_a_terminal(silicon, monkeypatch):
    class Terminal(io.StringIO):
        encoding = "utf-8"  # type: ignore[assignment]

        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm-256color")
    for name in ("FORCE_COLOR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    colored, plain = Terminal(), Terminal()
    print_results([silicon()], colored)
    monkeypatch.setenv("NO_COLOR", "1")
    print_results([silicon()], plain)
    assert "\x1b[1;32m" in colored.getvalue()
    assert not re.search(r"\x1b\[[\d;]*3\d", plain.getvalue())
    assert "─" in plain.getvalue()


def test_ascii_streams_get_ascii(silicon, peptide):
    text = printed([silicon(), peptide()], encoding="ascii")
    assert "dx/dtheta" in text and "eV/A" in text and "?" not in text


def test_names_cannot_steer_the_terminal(silicon):
    result = silicon()
    text = printed([dataclasses.replace(result, name="\x1b[2Jevil\x07[red]")])
    assert "\x1b" not in text and "\x07" not in text and "evil?[red]" in text


def test_several_structures_get_an_overview(silicon, failed):
    text = printed([silicon(), failed(), failed(name="other")], detailed=0)
    assert text.startswith("3 structures: 1 minimum, 2 failed")
    assert len(text.splitlines()) == 5
    many = printed([failed(name=f"s{i}") for i in range(150)] + [silicon()])
    assert "151 structures" in many and "… and 51 more" in many


def test_a_failure_shows_its_message(failed):
    assert "atoms 0 and 1 are 0.1 Å apart" in printed([failed()])


def test_reduced_units(packing):
    assert "Å" not in printed([packing()])


def test_a_failed_certificate_is_loud(silicon):
    result = silicon()
    certificate = msgspec.structs.replace(result.document.certificate, passed=False)
    document = msgspec.structs.replace(result.document, certificate=certificate)
    assert "certificate FAILED" in printed([dataclasses.replace(result, document=document)])


def test_remarks_give_their_reason(silicon):
    result = silicon()
    certificate = msgspec.structs.replace(result.document.certificate, error_estimate=3.5e-5)
    document = msgspec.structs.replace(result.document, certificate=certificate)
    for encoding in ("utf-8", "ascii"):
        lines = printed([dataclasses.replace(result, document=document)], encoding=encoding).splitlines()
        (line,) = [line for line in lines if line.startswith("  error estimate: ")]
        assert "about 4 digits are right" in line and "3.1e-11 eV/A" in line.replace("Å", "A") and "?" not in line
    assert not [line for line in printed([result]).splitlines() if line.startswith("  error estimate: ")]
