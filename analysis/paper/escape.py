"""Texts that LaTeX prints as they are, whatever they hold.

What pdfLaTeX knows no letter for stands as its code point, such as U+4E2D.
"""

from __future__ import annotations

import unicodedata

_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
    "%": r"\%", "_": r"\_", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"{\char34}",
    "`": r"\textasciigrave{}",
    "−": "$-$", "×": r"$\times$", "·": r"$\cdot$", "±": r"$\pm$", "≤": r"$\leq$",
    "≥": r"$\geq$", "→": r"$\to$", "∞": r"$\infty$", "…": r"\ldots{}", "–": r"\textendash{}",
    "’": "{'}", "“": "``", "”": "{''}", "₁": "$_1$", "°": r"$^\circ$", "µ": r"$\mu$",
}  # fmt: skip
_GREEK = {f"GREEK SMALL LETTER {name.upper()}": rf"$\{name}$" for name in (
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "mu",
    "nu", "xi", "pi", "rho", "sigma", "tau", "phi", "chi", "psi", "omega")}  # fmt: skip
_GREEK["GREEK SMALL LETTER LAMDA"] = r"$\lambda$"


def escaped(text: object) -> str:
    r"""Return a text that LaTeX prints and does nothing else with.

    Example:
        >>> escaped(r"\write18{50%}"), escaped("κ − 中")
        ('\\textbackslash{}write18\\{50\\%\\}', '$\\kappa$ $-$ U+4E2D')
    """
    told = "".join(map(_letter, unicodedata.normalize("NFC", str(text))))
    return told.replace("--", "-{}-").replace("''", "'{}'")


def _letter(letter: str) -> str:
    if letter in _SPECIAL:
        return _SPECIAL[letter]
    if " " <= letter <= "~" or ("À" <= letter <= "ž" and letter.isalpha()):
        return letter
    if letter.isspace() or unicodedata.category(letter) == "Cc":
        return " "
    return _GREEK.get(unicodedata.name(letter, ""), f"U+{ord(letter):04X}")
