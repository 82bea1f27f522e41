"""Chemistry and quantities, which LaTeX's packages mhchem and siunitx write, are formulas as their plain TeX is."""

from __future__ import annotations

import time

import pytest
from bs4 import BeautifulSoup
from hypothesis import given, settings
from hypothesis import strategies as st

from webchat.render.formulas import LONGEST
from webchat.render.markdown import markdown
from webchat.render.tex import mathml

CHEMISTRY = [
    (r"\ce{H2O}", r"\mathrm{H}_2\mathrm{O}"),
    (r"\ce{2 H2 + O2 -> 2H2O}", r"2\,\mathrm{H}_2+\mathrm{O}_2\longrightarrow 2\,\mathrm{H}_2\mathrm{O}"),
    (r"\ce{1/2O2}", r"\tfrac12\,\mathrm{O}_2"),
    (r"\ce{$n$ CO + x CO}", r"{n}\;\mathrm{CO}+x\,\mathrm{CO}"),
    (r"\ce{SO4^2- + NH4+}", r"\mathrm{SO}_4^{2-}+\mathrm{NH}_4^+"),
    (r"\ce{Na+ + Cl-}", r"\mathrm{Na}^++\mathrm{Cl}^-"),
    (r"\ce{[Fe(CN)6]^{4-}}", r"[\mathrm{Fe}(\mathrm{CN})_6]^{4-}"),
    (r"\ce{CuSO4*5H2O}", r"\mathrm{CuSO}_4\cdot 5\,\mathrm{H}_2\mathrm{O}"),
    (r"\ce{CuSO4.5H2O}", r"\mathrm{CuSO}_4\cdot 5\,\mathrm{H}_2\mathrm{O}"),
    (r"\ce{CuSO4 . 5H2O}", r"\mathrm{CuSO}_4\cdot 5\,\mathrm{H}_2\mathrm{O}"),
    (r"\ce{A.(H2O).$n$ B}", r"\mathrm{A}\cdot(\mathrm{H}_2\mathrm{O})\cdot{n}\;\mathrm{B}"),
    (r"\ce{H2SO4 (conc.)}", r"\mathrm{H}_2\mathrm{SO}_4\;(\mathrm{conc}.)"),
    (r"\ce{A (sat., cold)}", r"\mathrm{A}\;(\mathrm{sat}.,\;\mathrm{cold})"),
    (r"\ce{^{227}_{90}Th+}", r"{}^{227}_{90}\mathrm{Th}^+"),
    (r"\ce{^14_6C}", r"{}^{14}_6\mathrm{C}"),
    (r"\ce{A <=>[+ H+][450\,^\circ] B}", r"\mathrm{A}\xrightleftharpoons[450\,{}^\circ]{+\mathrm{H}^+}\mathrm{B}"),
    (r"\ce{A ->[heat] B v}", r"\mathrm{A}\xrightarrow{\text{heat}}\mathrm{B}\downarrow"),
    (r"\ce{A ->[{hot air}] B ^}", r"\mathrm{A}\xrightarrow{\text{hot air}}\mathrm{B}\uparrow"),
    (r"\ce{A ->[\Delta] B}", r"\mathrm{A}\xrightarrow{\Delta}\mathrm{B}"),
    (r"\ce{A <-> B <- C}", r"\mathrm{A}\longleftrightarrow\mathrm{B}\longleftarrow\mathrm{C}"),
    (r"\ce{A(aq) + B (s)}", r"\mathrm{A}\mathrm{(aq)}+\mathrm{B}\;\mathrm{(s)}"),
    (r"\ce{CO3^{2-}_{(aq)}}", r"\mathrm{CO}_3^{2-}{}_{(\mathrm{aq})}"),
    (r"\ce{CH3-CH=CH-C#N}", r"\mathrm{CH}_3{-}\mathrm{CH}{=}\mathrm{CH}{-}\mathrm{C}{\equiv}\mathrm{N}"),
    (r"\ce{A\bond{~}B\bond{->}C}", r"\mathrm{A}{\sim}\mathrm{B}{\rightarrow}\mathrm{C}"),
    (r"\ce{Fe^{III} + NO2^.}", r"\mathrm{Fe}^{\mathrm{III}}+\mathrm{NO}_2^{{\bullet}}"),
    (r"\ce{Fe0.95O}", r"\mathrm{Fe}_{0.95}\mathrm{O}"),
    (r"\ce{A - B = C}", r"\mathrm{A}-\mathrm{B}=\mathrm{C}"),
    (r"\ce{\mu-Cl, {(x)}}", r"\mu{-}\mathrm{Cl},\;{(\mathrm{x})}"),
    (r"\ce{A ->[conc. B] C}", r"\mathrm{A}\xrightarrow{\mathrm{conc}.\;\mathrm{B}}\mathrm{C}"),
    (r"\ce{A + $\underset{x}{\ce{H2}}$}", r"\mathrm{A}+{\underset{x}{{\mathrm{H}_2}}}"),
    (r"\frac{[\ce{H+}]}{\ce{A}}", r"\frac{[{\mathrm{H}^+}]}{{\mathrm{A}}}"),
]  # fmt: skip
QUANTITIES = [
    (r"\SI{9.81}{\meter\per\second\squared}", r"9.81\,\mathrm{m}\,\mathrm{s}^{-2}"),
    (r"\qty{9.81}{m/s^2}", r"9.81\,\mathrm{m}/\mathrm{s}^2"),
    (r"\si{\kilo\gram\metre\per\square\second}", r"\mathrm{kg}\,\mathrm{m}\,\mathrm{s}^{-2}"),
    (r"\unit{kg.m.s^{-2}}", r"\mathrm{kg}\,\mathrm{m}\,\mathrm{s}^{-2}"),
    (r"\unit{\per\cubic\cm}", r"\mathrm{cm}^{-3}"),
    (r"\unit{\m\tothe{4}\raiseto{2}\K}", r"\mathrm{m}^4\,\mathrm{K}^2"),
    (r"\unit{\kg\of{air}}", r"\mathrm{kg}_{\mathrm{air}}"),
    (r"\unit{J/(kg K)}", r"\mathrm{J}/(\mathrm{kg}\,\mathrm{K})"),
    (r"\qty[per-mode=symbol]{1}{\kWh}", r"1\,\mathrm{kWh}"),
    (r"\qty{20}{\degreeCelsius}", r"20\,\mathrm{°C}"),
    (r"\qty{20}{\degree}", r"20^{\circ}"),
    (r"\qty{20}{\percent}", r"20\,\mathrm{\%}"),
    (r"\qty{20}{%}", r"20\,\mathrm{\%}"),
    (r"\qty{2}{\micro\ohm}", "2\\,\\mathrm{\u03bc\u03a9}"),
    (r"\num{6.022e23}", r"6.022\times 10^{23}"),
    (r"\num{-1,5}", "-1{,}5"),
    (r"\num{e-3}", "10^{-3}"),
    (r"\num{12 000(5)}", r"12\,000(5)"),
    (r"\num{1.2 +- 0.1 e3}", r"(1.2\pm 0.1)\times 10^3"),
    (r"\qty{\frac12}{m}", r"\frac12\,\mathrm{m}"),
    (r"\SIrange{1}{2}{\nm}", r"1\,\mathrm{nm}\text{ to }2\,\mathrm{nm}"),
    (r"\numrange{1}{2}", r"1\text{ to }2"),
    (r"\qtylist{1;2;3}{m}", r"1\,\mathrm{m},\ 2\,\mathrm{m}\text{ and }3\,\mathrm{m}"),
    (r"\numlist{1; 2}", r"1\text{ and }2"),
    (r"\qtyproduct{1 x 2}{m}", r"1\,\mathrm{m} \times 2\,\mathrm{m}"),
    (r"\ang{45;30;}", r"45^{\circ}30^{\prime}"),
    (r"\pu{1.2e3 kJ mol-1}", r"1.2\times 10^3\,\mathrm{kJ}\,\mathrm{mol}^{-1}"),
    (r"\pu{25 °C}", r"25\,\mathrm{°C}"),
    (r"\pu{m2}", r"\mathrm{m}^2"),
]


def without_source(html):
    soup = BeautifulSoup(html or "", "html.parser")
    assert soup.annotation
    soup.annotation.decompose()
    for group in soup.select("math mrow"):
        group.unwrap()
    return str(soup)


@pytest.mark.parametrize(("written", "plain"), [*CHEMISTRY, *QUANTITIES])
def test_it_is_shown_as_its_plain_tex(written, plain):
    assert without_source(mathml(written, display=True)) == without_source(mathml(plain, display=True))


def test_its_source_is_as_it_was_written():
    soup = BeautifulSoup(markdown(r"so $\ce{H2O}$ at \(\SI{20}{\celsius}\)"), "html.parser")
    assert [each.get_text() for each in soup.select("annotation")] == [r"\ce{H2O}", r"\SI{20}{\celsius}"]


@pytest.mark.parametrize(
    "tex",
    [
        r"\ce{}",
        r"\ce{H2O",
        r"\ce{H2 & O}",
        r"\ce{A ^",
        r"\ce{A^\}",
        r"\ce{A \nosuch B}",
        r"\ce{A\bond{x}B}",
        r"\SI{5}",
        r"\SI{5}{\nosuch}",
        r"\SI{5}{\kilo}",
        r"\SI{5}{\squared}",
        r"\SI{5}{m^2^3}",
        r"\SI{5}{m_x}",
        r"\qty{x}",
        r"\ang{1;2;3;4}",
        r"\ce{" * 20 + "A" + "}" * 20,
        r"\ce{A ->[" * 20,
    ],
)
def test_what_is_not_understood_is_shown_as_its_source(tex):
    assert mathml(tex, display=True) is None
    assert BeautifulSoup(markdown(f"$${tex}$$"), "html.parser").p.get_text() == f"$${tex}$$"


PARTS = r"\ce{ \SI{ \num{ \ang{ \pu{ \qtylist{ \numrange{ } { [ ] ( ) -> <=> ^ _ + - = # * . , ; : ".split()
PARTS += [
    *("$", "v", "(aq)", "1", "1/2", "e3", "A", "m"),
    r"\per",
    r"\m",
    r"\kilo",
    r"\squared",
    r"\square",
    r"\tothe{2}",
    r"\of",
    r"\bond{",
    r"\text{",
    "\\",
    r"\,",
    " ",
    "  ",
    "°",
    "%",
]


@given(st.lists(st.sampled_from(PARTS), max_size=30).map("".join))
@settings(max_examples=1000, derandomize=True, deadline=None)
def test_whatever_is_written_is_a_formula_or_its_source(tex):
    assert markdown(f"$${tex}$$")
    for command in (r"\ce", r"\SI{1}", r"\num", r"\ang", r"\pu"):
        mathml(f"{command}{{{tex}}}", display=True)


@pytest.mark.parametrize(
    "part",
    [r"\ce{", r"\ce{A}", r"\ce", r"\SI{1}{", r"\SI[", r"\num{1 ", r"\num{1 2 }", r"\qty{1;2}{m}", r"\pu{1 m}"],
)
@pytest.mark.parametrize(
    "inside", ["{}", r"\ce{{{}}}", r"\num{{{}}}", r"\numlist{{{}}}", r"\SI{{1}}{{{}}}", r"\ang{{{}}}"]
)
def test_the_time_is_bounded(part, inside):
    for filling in (part, " ", "1", "1 ", "A", "A ", "->[", "^", "+", ";", r"\m", "{"):
        tex = inside.format(filling * ((LONGEST - 20) // len(filling)))
        begun = time.thread_time()
        mathml(tex, display=True)
        assert time.thread_time() - begun < 0.5
