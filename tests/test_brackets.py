"""Brackets of formulas without a partner: with each of them the library would take twice as long."""

from __future__ import annotations

import pytest

from webchat.render.brackets import MOST_ALONE, without_lone_ones
from webchat.render.tex import mathml

LONE = ("(", "[", r"\{", r"\langle ", "⟦", "⎰", "{(}", "f(x)^{(", r"(\hat)", r"(\frac2)", r"(abcdef\rho", "(x%)\n")


@pytest.mark.parametrize("lone", LONE)
def test_many_alone_become_text(lone):
    tex = lone * (MOST_ALONE + 1)
    assert r"\text{" in without_lone_ones(tex)
    assert without_lone_ones(lone) == lone


@pytest.mark.parametrize("size", [r"\bigl(", r"\Biggl\langle", r"\bigl)", r"\bigl|"])
def test_what_is_sized_as_an_opening_one_keeps_its_size_and_opens_nothing(size):
    assert without_lone_ones(size * (MOST_ALONE + 1)) == size.replace("l", "", 1) * (MOST_ALONE + 1)


PAIRS = (
    "f(x + 1)",
    "[0, 1)",
    r"\left(x\right)",
    r"\bigl(x\bigr)",
    r"\Bigl[0, 1\Bigr)",
    "((x + y) + (z + w))",
    r"\{1, 2\}",
)


@pytest.mark.parametrize("tex", PAIRS)
def test_pairs_stay_as_they_are(tex):
    assert without_lone_ones(tex * MOST_ALONE) == tex * MOST_ALONE


def test_many_pairs_look_the_same_as_text():
    tex = " + ".join([r"p(\alpha)"] * (MOST_ALONE + 1))
    assert (mathml(tex, display=False) or "").count("<mtext>(</mtext>") == MOST_ALONE + 1


def test_an_optional_argument_is_no_bracket():
    tex = r"\sqrt[3]{x}" + "(" * (MOST_ALONE + 1)
    assert without_lone_ones(tex).startswith(r"\sqrt[3]{x}\text{(}")
