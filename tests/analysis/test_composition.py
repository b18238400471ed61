"""How much of each reference a structure is made of is exact, or refused with the reason."""

from __future__ import annotations

from fractions import Fraction

import pytest

from md_sensitivity.analysis.composition import amounts
from md_sensitivity.errors import UsageError


def test_amounts_are_exact() -> None:
    assert amounts({"Si": 215}, [("bulk", {"Si": 8})]) == (Fraction(215, 8),)
    crystal, gas = ("salt", {"Na": 4, "Cl": 4}), ("gas", {"Cl": 2})
    assert amounts({"Na": 32, "Cl": 31}, [crystal, gas]) == (Fraction(8), Fraction(-1, 2))
    three = [("SiC", {"Si": 1, "C": 1}), ("Si", {"Si": 8}), ("unused", {"N": 1, "C": 1})]
    assert amounts({"Si": 63, "C": 65}, three) == (65, Fraction(-1, 4), 0)


def test_species_without_a_reference_are_named() -> None:
    with pytest.raises(UsageError, match=r"no reference has Cl and K.*Cl1 K2 Na1"):
        amounts({"Na": 1, "Cl": 1, "K": 2}, [("sodium", {"Na": 2})])


def test_species_that_cannot_be_balanced_are_named() -> None:
    with pytest.raises(UsageError, match=r"cannot be balanced.*: C and Si would be left over"):
        amounts({"Si": 63, "C": 64, "N": 1}, [("SiC", {"Si": 4, "C": 4}), ("N", {"N": 2})])
    with pytest.raises(UsageError, match="cannot be balanced"):
        amounts({"Si": 8}, [("SiC", {"Si": 4, "C": 4})])


def test_more_than_one_answer_is_refused() -> None:
    with pytest.raises(UsageError, match="not unique"):
        amounts({"Si": 63}, [("cubic", {"Si": 8}), ("hexagonal", {"Si": 4})])


def test_parts_are_there_once_or_a_whole_number_of_times() -> None:
    water = ("water", {"H": 2, "O": 1})
    assert amounts({"H": 4, "O": 2}, [water, water], parts=True) == (1, 1)
    assert amounts({"H": 6, "O": 3}, [water], parts=True) == (3,)
    with pytest.raises(UsageError, match="1/2 × dimer"):
        amounts({"H": 2, "O": 1}, [("dimer", {"H": 4, "O": 2})], parts=True)
    with pytest.raises(UsageError, match="not unique"):
        amounts({"H": 6, "O": 3}, [water, water], parts=True)
