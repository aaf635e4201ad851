"""For papers: tables in LaTeX, ODD texts, packages, their verification, citations."""

from __future__ import annotations

import hashlib
import io
import json
import math
import re
import shutil
import subprocess
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import walras as w
from walras.agents.strategies import STRATEGIES
from walras.analysis.paper.bundle import bundle
from walras.analysis.paper.cite import TITLE, YEAR, bibtex
from walras.analysis.paper.escape import escaped
from walras.analysis.paper.folder import opened
from walras.analysis.paper.latex import Errors, latex
from walras.analysis.paper.odd import CONCEPTS, odd
from walras.analysis.paper.parameters import parameters
from walras.analysis.paper.parts import literature, parts_of
from walras.analysis.paper.prose import Work, markdown, works
from walras.analysis.paper.scrub import Scrubber, bare_command
from walras.analysis.paper.tables import table_of
from walras.analysis.paper.verify import alike, verify, versions_differ
from walras.market.schema.errors import BadInputError
from walras.scenarios import library
from walras.scenarios.estimates import Estimate
from walras.scenarios.load import check
from walras.scenarios.result import file_digest, read_table, write_table
from walras.scenarios.schema import every_entry
from walras.scenarios.starter import starter
from walras.scenarios.sweep.sweep import sweep as w_sweep
from walras.scenarios.sweep.swept import Sweep
from walras.scenarios.variants import kinds, variants

from .paper_folders import KINDS, make, two
from .two_sellers import SCENARIO

ROOT = Path(__file__).parent.parent
GOLDEN = Path(__file__).parent / "golden" / "table.tex"
HOSTILE = [r"\write18{rm -rf}", "$x$", "50% & #1", "a_b^c~d", "Ökonomie κ−中", "--''\x07"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("folders"))


@pytest.fixture
def copy(folders: Path, tmp_path: Path) -> Path:
    """Return the folders where a test may change them."""
    return Path(shutil.copytree(folders, tmp_path / "copy"))


# --- tables --------------------------------------------------------------------------------------


def frame() -> pd.DataFrame:
    rows = pd.DataFrame({
        "offer": HOSTILE, "value": [1234.5678, -0.00123, math.nan, 12, math.inf, 3.2e-9],
        "se": [12.3, 0.0004, math.nan, 0.0, 1.0, 1e-10], "n": [20, 20, 1, 1, 2, 20],
        "price_usd": [1.5, 2.25, 3, 4, 5, 6], "ok": [True, False, True, True, True, False],
    })  # fmt: skip
    rows.attrs["units"] = {"value": "USD/h", "price_usd": "USD/task"}
    return rows


def test_a_table_is_as_it_was() -> None:
    texts = [latex(frame(), errors=e, caption="50% of a_b", label="tab:x-1", note="Of {walras}.")
             for e in ("below", "beside", "interval", "none")]  # fmt: skip
    assert "\n\n".join(texts) + "\n" == GOLDEN.read_text("utf-8")


@pytest.mark.parametrize("name", HOSTILE)
def test_names_do_nothing_in_latex(name: str) -> None:
    """Of what TeX reads as a command only ours are left, and braces are balanced."""
    text = escaped(name)
    commands = set(re.findall(r"\\[a-z]+|\\.", text))
    assert commands <= {r"\textbackslash", r"\{", r"\}", r"\$", r"\%", r"\&", r"\#", r"\_",
                        r"\textasciicircum", r"\textasciitilde", r"\kappa"}  # fmt: skip
    bare = re.sub(r"\\[{}$%&#_]|\$-\$|\$\\kappa\$", "", text)
    assert not re.search(r"[$%&#_^~\x00-\x1f]|--|''", bare)
    assert bare.count("{") == bare.count("}")


def test_values_go_across_with_their_errors() -> None:
    rows = pd.DataFrame({
        "metric": ["w", "w", "p"], "mechanism": ["a", "b", "b"], "value": [1.0, 2.0, 3.0],
        "se": [0.1, 0.2, 0.3],
    })  # fmt: skip
    lines = latex(rows, across="mechanism").splitlines()
    assert lines[4:12] == [
        r"metric & {a} & {b} \\", r"\midrule", r"w & 1.00 & 2.00 \\", r" & {(0.10)} & {(0.20)} \\",
        r"p &  & 3.00 \\", r" &  & {(0.30)} \\", r"\bottomrule", r"\end{tabular}",
    ]  # fmt: skip
    with pytest.raises(ValueError, match="two rows for one cell"):
        latex(rows.drop(columns="metric"), across="mechanism")
    with pytest.raises(KeyError, match="nothing"):
        latex(rows, across="nothing")
    with pytest.raises(ValueError, match="no label"):
        latex(rows, label="a}b")


@pytest.mark.parametrize(("kind", "words"), [
    ("run", ["welfare & USD/h", "{all}", "batch means", "seed 5"]),
    ("comparison", ["{posted price} & {vickrey}", "seed 5"]),
    ("equilibrium", ["{price}", "one & USD/task & 1.20", "fluid market"]),
    ("sweep", [r"1.20 & 2 & posted\_price", "over 3 runs", "{welfare}"]),
])  # fmt: skip
def test_each_folder_has_a_table(folders: Path, kind: str, words: list[str]) -> None:
    text = table_of(opened(folders / kind))
    assert r"\usepackage" not in text
    for word in [*words, r"\toprule", "S[table-format=", "walras 0.1.0" if kind != "equilibrium"
                 else "walras"]:  # fmt: skip
        assert word in text


def test_the_table_of_a_sweep_has_its_means(folders: Path) -> None:
    text = table_of(opened(folders / "sweep"), metrics=["welfare"])
    rows = Sweep.load(folders / "sweep").measure("welfare")
    of = rows[(rows["sellers.one.price.task"] == 1.2) & (rows["sellers.two.slots"] == 2)]["value"]
    assert f"{of.mean():.0f}"[:2] in text.split(r"1.20 & 2 & posted\_price & ")[1][:4]
    error = of.std(ddof=1) / math.sqrt(3)
    place = 1 - math.floor(math.log10(error))
    assert f"({round(error, place):.0f})" in text
    low, high = Estimate(of.mean(), error, 3, 2).interval()
    place = 1 - math.floor(math.log10((high - low) / 2))
    between = table_of(opened(folders / "sweep"), metrics=["welfare"], errors="interval")
    assert f"[{round(low, place):.0f}, {round(high, place):.0f}]" in between
    with pytest.raises(BadInputError, match="did you mean `welfare`"):
        table_of(opened(folders / "sweep"), metrics=["welfar"])


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX")
@pytest.mark.parametrize("errors", ["below", "beside", "interval", "none"])
def test_tables_compile(errors: Errors, tmp_path: Path) -> None:
    """Without a complaint, too wide ones included; names of each kind in all places."""
    names = " ".join(HOSTILE)
    table = latex(frame(), errors=errors, caption=names, label="tab:x", note=names)
    head = r"\documentclass{article}\textwidth=20cm\usepackage{booktabs,siunitx}\begin{document}"
    (tmp_path / "t.tex").write_text(f"{head}\n{table}\n\\end{{document}}\n", "utf-8")
    line = ["pdflatex", "-draftmode", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    done = subprocess.run(line, cwd=tmp_path, check=False, capture_output=True)
    log = done.stdout.decode("utf-8", "replace")
    if "siunitx.sty' not found" in log:
        pytest.skip("no siunitx")
    assert done.returncode == 0, log
    assert "Overfull" not in log


# --- ODD -----------------------------------------------------------------------------------------


def test_a_description_has_seven_elements_and_eleven_concepts() -> None:
    text = odd(two())
    heads = re.findall(r"^## (\d) (.+)$", text, re.M)
    assert [n for n, _ in heads] == list("1234567")
    assert len(CONCEPTS) == 11
    assert re.findall(r"^### (.+)$", text, re.M)[:11] == list(CONCEPTS)
    for concept in CONCEPTS:
        assert re.search(rf"### {concept}\n\n\S.{{4,}}", text), concept
    assert r"Who sells \| what?" in text


def test_only_what_a_scenario_uses_is_described() -> None:
    text = odd(two())
    assert "Edgeworth cycle" in text  # of the strategy `undercut`
    assert "Posted price: the buyer takes" in text
    for other in ("Vickrey procurement", "Cost-plus", "Weitzman (1979): give", "Rubinstein"):
        assert other not in text
    auction = odd(w.load("vickrey"))
    assert "Vickrey procurement" in auction
    assert "Edgeworth cycle" not in auction


def test_every_part_is_documented_and_parameters_are_whole() -> None:
    """Over the library: parts have texts, rows all cells, and meanings are the schema's."""
    meanings = {entry.doc for _, entry in every_entry()}
    for name in library.names():
        market = check(library.path_of(name).read_text("utf-8"), name=name).require()  # type: ignore[union-attr]
        for part in parts_of(market):
            assert all(markdown(of) for of in part.of), (name, part.title)
        for rows in parameters(market).values():
            assert all(len(row) == 7 for row in rows)
            assert {row[5] for row in rows} <= meanings
    text = odd(w.load("marketplace"))
    for line in text.splitlines():
        if line.startswith("| ") and "meaning" not in line:
            assert len(re.split(r"(?<!\\)\|", line)) in (7, 9), line


def test_whatever_a_market_may_name_is_documented() -> None:
    """Every mechanism and strategy, in the library or not."""
    for kind in kinds():
        market = two(sellers_two_pricing='"fixed"')
        (under,) = variants(w.load("mm1", "tasks.jobs.outside_option=true"), [kind]).values()
        first = next(part for part in parts_of(under) if part.group == "mechanism")
        assert all(len(markdown(of)) > 40 for of in first.of), kind
    for name in STRATEGIES:
        market = two(sellers_two_pricing=f'"{name}"')
        (part,) = (part for part in parts_of(market) if part.group == "pricing")
        assert part.title == name
        assert all(len(markdown(of)) > 20 for of in part.of), name


def test_parameters_tell_who_has_what() -> None:
    rows = {row[0]: row for row in parameters(two())["sellers"]}
    assert rows["price.task"][1] == "1.2 (one); 1.3 (two)"
    assert rows["cost.task"][1:4] == ("1", "USD per task", "0")
    assert rows["pricing.name"][1] == "undercut (two)"
    assert "name" not in rows
    kinds = {row[0]: row for row in parameters(two())["tasks"]}
    assert kinds["choice"][1] == "logit"
    assert "argmax" in kinds["choice"][4]


def test_python_functions_are_described_by_their_own_words() -> None:
    def mine(me: Any, rivals: Any, rng: Any) -> float:
        """Ask what Laffont & Tirole (1993) would."""
        return 1.0

    seller = w.Seller("one", accuracy=1.0, price=w.per_task(1.0), pricing=mine)
    market = w.Market([w.TaskClass("chat", w.Poisson(1.0), value=1.0)], [seller])
    assert "Ask what Laffont & Tirole (1993) would." in odd(market)
    assert Work("Laffont & Tirole", "1993") in literature(market)


def test_works_are_read_off_texts() -> None:
    text = """See Anderson, de Palma & Thisse
    1992, and March 2025.

    Sources:
        Ståhl, I. (1972). Bargaining theory. Stockholm.
        von Neumann, J. (1941). On a ratio. Annals 12,
            367-395.
    """
    assert [work.key for work in works([text])] == ["anderson-1992", "stahl-1972",
                                                    "von-neumann-1941"]  # fmt: skip
    assert works([text])[2].cited == "von Neumann, J. (1941). On a ratio. Annals 12, 367-395."


# --- citations -----------------------------------------------------------------------------------


def test_the_software_is_cited_as_its_files_say() -> None:
    told = (ROOT / "CITATION.cff").read_text("utf-8")
    assert f"version: {w.__version__}\n" in told  # pyproject's: test_packaging
    assert f'title: "{TITLE}"' in told
    assert f"(c) {YEAR} " in (ROOT / "LICENSE").read_text("utf-8")
    entry = bibtex(w.__version__)
    assert f"version = {{{w.__version__}}}" in entry
    assert "doi" not in entry.lower()


def test_sources_of_a_scenario_are_cited() -> None:
    told = bibtex("1", w.load("negotiation", "mechanism.bargaining=rubinstein"))
    assert "@misc{rubinstein-1982,\n  author = {Rubinstein, A.},\n  year = {1982}," in told
    assert "Perfect equilibrium in a bargaining model" in told
    assert "faratin" not in told
    keys = re.findall(r"^@\w+\{(.+),$", told, re.M)
    assert len(keys) == len(set(keys))
    for entry in told.split("\n\n"):
        assert entry.count("{") == entry.count("}")
    assert "march-2025-" in bibtex("1", w.load("deep_research"))


# --- packages ------------------------------------------------------------------------------------


def unpacked(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize("kind", KINDS)
def test_a_package_is_whole_and_the_same_each_time(
    folders: Path, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = bundle(opened(folders / kind), "0.1.0")
    monkeypatch.chdir(tmp_path)
    copied = shutil.copytree(folders / kind, tmp_path / "else" / kind)
    assert bundle(opened(folders / kind), "0.1.0") == first
    files = unpacked(first)
    assert list(files) == sorted(files)
    sums = {line[66:]: line[:64] for line in files["SHA256SUMS"].decode().splitlines()}
    assert sums == {name: hashlib.sha256(content).hexdigest() for name, content in files.items()
                    if name != "SHA256SUMS"}  # fmt: skip
    for name in ("README.md", "requirements.txt", "LICENSE.txt", "CITATION.bib", "odd.md"):
        assert name in files
    moved = unpacked(bundle(opened(Path(copied)), "0.1.0"))
    assert set(moved) == set(files)
    parquet = [n for n in files if n.endswith(".parquet") and "failures" not in n]
    assert parquet
    for name in parquet:
        assert files[name] == (folders / kind / name.removeprefix("data/")).read_bytes()


@pytest.mark.parametrize("kind", KINDS)
def test_a_package_tells_nothing_of_this_machine(folders: Path, kind: str) -> None:
    files = unpacked(bundle(opened(folders / kind), "0.1.0"))
    if kind == "sweep":  # compressed, so it is read
        failed = pd.read_parquet(io.BytesIO(files["data/failures.parquet"]))
        assert len(failed) == 6
        files["failures"] = "".join(failed["command"] + failed["reason"]).encode()
        assert b"walras run sweep/scenario.toml" in files["failures"]
    for name, content in files.items():
        for secret in (str(Path.home()), str(Path.cwd()), str(folders), "/tmp/"):  # noqa: S108
            assert secret.encode() not in content, (name, secret)
    assert "data/notes.txt" not in files


@pytest.mark.parametrize("kind", KINDS)
def test_a_package_can_be_verified_and_says_how(folders: Path, kind: str, tmp_path: Path) -> None:
    files = unpacked(bundle(opened(folders / kind), "0.1.0"))
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    found = opened(tmp_path / "data")
    assert [str(c) for c in verify(found, runs=2) if not c.same] == []
    text = files["README.md"].decode()
    for part in ("Data availability", "Dataset list", "Computational requirements", "Memory",
                 "Description of programs", "Instructions to replicators", "walras verify data",
                 "List of figures, tables", "References", "seed "):  # fmt: skip
        assert part in text
    if kind == "sweep":
        peaks = found.manifest["memory_mb"]
        assert f"{peaks['worker']:,.0f} MB of memory for the largest worker" in text
        assert f"{peaks['parent']:,.0f} MB for the one that hands out runs" in text
    for word in re.findall(r"`(data/[\w./-]+)`", text):
        assert word.rstrip("/") in files or any(n.startswith(word) for n in files), word


@pytest.mark.parametrize(("change", "said"), [
    (lambda f: (f / "sweep" / "results.parquet").unlink(), "results.parquet is missing"),
    (lambda f: (f / "run" / "summary.parquet").write_bytes(b"x"), "another digest"),
    (lambda f: (f / "comparison" / "vickrey" / "trades.parquet").unlink(), "it is missing"),
    (lambda f: next((f / "sweep" / "pieces").iterdir()).write_bytes(b"x"), "another digest"),
])  # fmt: skip
def test_what_is_not_whole_is_not_packed(copy: Path, change: Any, said: str) -> None:
    change(copy)
    found = ""
    for kind in KINDS:
        try:
            bundle(opened(copy / kind), "1")
        except BadInputError as error:
            found += error.problems[0].message
    assert said in found


def test_the_versions_of_a_package_are_those_of_its_results(copy: Path) -> None:
    path = copy / "run" / "manifest.json"
    told = json.loads(path.read_text())
    told["versions"]["numpy"] = "1.2.3"
    path.write_text(json.dumps(told))
    files = unpacked(bundle(opened(copy / "run"), "0.1.0"))
    lines = files["requirements.txt"].decode().splitlines()
    assert "numpy==1.2.3" in lines
    assert sum(line.startswith("numpy==") for line in lines) == 1
    assert "numpy 1.2.3" in files["README.md"].decode()


def test_paths_are_shortened_where_they_are_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "cwd", lambda: Path("/app"))
    monkeypatch.setattr(Path, "home", lambda: Path("/home/me"))
    scrubber = Scrubber(tmp_path / "x", ["walras run /data/my.toml --out /home/me/runs"])
    for text, told in (
        ('"/home/me/x" and /home/me, /home/mean', '"x" and ., /home/mean'),
        ("a/app/b <script>/app.x/</script>", "a/app/b <script>/app.x/</script>"),
        ("file:///app/runs of /data/my.toml", "file://runs of my.toml"),
        (f"{tmp_path}/x/epochs.parquet", "x/epochs.parquet"),
    ):
        assert scrubber.text(text) == told


def test_commands_are_stripped_of_places() -> None:
    assert bare_command("walras run '/a b/my.toml' --out=/x/y") == "walras run my.toml --out=y"
    assert bare_command("walras run 'unclosed") == "'walras run '\"'\"'unclosed'"


# --- verification --------------------------------------------------------------------------------


def differing(path: Path, runs: int | None = 2) -> list[str]:
    return [str(check) for check in verify(opened(path), runs=runs) if not check.same]


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_not_touched_is_the_same(folders: Path, kind: str) -> None:
    before = {p: p.read_bytes() for p in sorted((folders / kind).rglob("*")) if p.is_file()}
    assert differing(folders / kind, None) == []
    assert versions_differ(opened(folders / kind)) == []
    assert {p: p.read_bytes() for p in sorted((folders / kind).rglob("*")) if p.is_file()} == before


def forge(folder: Path, table: str, column: str, change: float) -> None:
    """Change a number of a table, and the digest in the manifest with it."""
    frame = read_table(folder / f"{table}.parquet")
    row = frame.index[frame[column].fillna(0.0) != 0.0][0]
    frame.loc[row, column] = frame.loc[row, column] * change
    write_table(frame, folder / f"{table}.parquet")
    told = json.loads((folder / "manifest.json").read_text())
    told["files"][f"{table}.parquet"] = file_digest(folder / f"{table}.parquet")
    (folder / "manifest.json").write_text(json.dumps(told))


def test_a_changed_file_differs_and_a_forged_one_too(copy: Path) -> None:
    forge(copy / "run", "summary", "value", 1.0 + 1e-12)
    assert differing(copy / "run") == ["tables: differs: summary"]
    forge(copy / "comparison", "comparison", "difference", 1.01)
    assert differing(copy / "comparison") == ["differences: differs: the runs give others"]
    forge(copy / "equilibrium", "levers", "price", 1.0 + 1e-5)
    (line,) = differing(copy / "equilibrium")
    assert line.startswith("prices: differs: by up to 1e-05")
    (copy / "comparison" / "vickrey" / "epochs.parquet").write_bytes(b"no")
    assert differing(copy / "comparison") == [
        "vickrey/epochs.parquet: differs: its bytes have another digest",
        "numbers: differs: not made anew, as files differ",
    ]


def test_another_seed_in_a_manifest_differs(copy: Path) -> None:
    path = copy / "run" / "manifest.json"
    path.write_text(path.read_text().replace('"seed": 5', '"seed": 6'))
    first, second = differing(copy / "run")
    assert re.fullmatch("digest: differs: [0-9a-f]{8} now, [0-9a-f]{8} then", first)
    assert second.startswith("tables: differs: summary, epochs")


def test_a_sweep_of_another_scenario_differs(copy: Path) -> None:
    path = copy / "sweep" / "scenario.toml"
    path.write_text(path.read_text().replace("value = 2.0", "value = 2.1"))
    lines = differing(copy / "sweep", None)
    assert lines[0] == "design: differs: another scenario"
    runs = [line for line in lines if line.startswith("run ")]
    assert len(runs) == 12  # of 18, 6 of which fail
    assert any("measures, such as all, all, welfare" in line for line in runs)


def test_a_damaged_piece_differs_and_stays_where_it_is(copy: Path) -> None:
    piece = sorted((copy / "sweep" / "pieces").iterdir())[0]
    piece.write_bytes(piece.read_bytes()[:-1] + b"x")
    lines = differing(copy / "sweep")
    assert lines[0] == f"pieces: differs: {piece.name} has another digest"
    assert "runs are not done" in lines[1]
    assert piece.exists()
    (copy / "sweep" / "results.parquet").unlink()
    assert "runs are not done" in differing(copy / "sweep")[1]


def test_results_that_the_pieces_do_not_hold_differ(copy: Path) -> None:
    path = copy / "sweep" / "results.parquet"
    frame = pd.read_parquet(path)
    values = frame["value"].to_numpy().copy()
    values[0] = np.nextafter(values[0], 9e9)
    frame.assign(value=values).to_parquet(path, index=False)
    assert differing(copy / "sweep") == ["results: differs: pieces hold other rows"]


def test_a_design_that_is_not_its_file_s_differs(copy: Path) -> None:
    path = copy / "sweep" / "design.parquet"
    frame = pd.read_parquet(path)
    frame.assign(seed=frame["seed"] + 1).to_parquet(path, index=False)
    assert "design: differs: run 0 is not that of sweep.toml" in differing(copy / "sweep", None)


def test_summaries_and_replications_are_made_anew(tmp_path: Path) -> None:
    w.run(two(), seed=1, reps=2, record="summary").save(tmp_path / "a")
    w.run(two(), seed=1, record="trades").save(tmp_path / "b")
    for name in "ab":
        assert differing(tmp_path / name) == []
        assert "welfare" in table_of(opened(tmp_path / name))
        assert bundle(opened(tmp_path / name), "1")


def test_a_sweep_of_python_alone(tmp_path: Path) -> None:
    """Uncertainties, a measure and functions: what can be made anew is, the rest is said."""
    with ThreadPoolExecutor(1) as threads:
        how: dict[str, Any] = {"executor": threads, "seeds": 2}
        plain = w_sweep(
            two(), uncertain={"tasks.chat.value": (1.5, 2.5)}, sample={"size": 3},
            measure=lambda result: {"mine": float(result.reps)}, out=tmp_path / "plain", **how,
        )  # fmt: skip
        held = opened(plain.folder)
        assert [c for c in verify(held, runs=None) if not c.same] == []
        assert "1 by a Python function not made anew" in str(list(verify(held, runs=1))[-1])
        text = table_of(held)
        assert "over 6 runs of each setting" in text
        failed = opened(w_sweep(two(), measure=lambda _: {"mine": 1 / 0}, out=tmp_path / "failed",
                                **how).folder)  # fmt: skip
        last = list(verify(failed, runs=1))[-1]
        assert last.same
        assert "it failed in a Python function" in str(last)
        assert bundle(held, "1")

        seller = w.Seller("one", accuracy=1.0, price=w.per_task(1.0), pricing=lambda *_: 1.0)
        market = two().model_copy(update={"sellers": [seller]})
        rules = [lambda task, asks: None, "vickrey"]
        by_rule = w_sweep(two(), {"mechanism": rules}, out=tmp_path / "rules", **how)
        levers = [str(check) for check in verify(opened(by_rule.folder), runs=None)]
        made = opened(w_sweep(market, out=tmp_path / "functions", **how).folder)
    told = [str(check) for check in verify(made)]
    assert told[-1].startswith("runs: differs: not made anew: the scenario has Python functions")
    assert any("run 0: differs: it has a Python function" in line for line in levers)
    assert any("run 2: same" in line for line in levers)
    with pytest.raises(BadInputError, match="made of Python functions"):
        bundle(made, "1")


def test_other_versions_are_told(copy: Path) -> None:
    path = copy / "sweep" / "manifest.json"
    told = json.loads(path.read_text())
    told["versions"]["numpy"], told["parts"]["code"], told["python"] = "1.0", "0" * 16, "3.0"
    path.write_text(json.dumps(told))
    lines = versions_differ(opened(copy / "sweep"))
    assert [line.split(" then")[0] for line in lines] == ["numpy 1.0", "python 3.0",
                                                          f"code of walras {'0' * 16}"]  # fmt: skip


def test_frames_are_alike_where_nothing_is_known_in_both() -> None:
    one = pd.DataFrame({"a": [1.0, math.nan], "b": ["x", None]})
    assert alike(one, one.copy())
    assert not alike(one, one.assign(a=[1.0, 2.0]))
    assert not alike(one, one.assign(b=["x", "y"]))
    assert not alike(one, one[["a"]])


# --- beginning -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", library.names())
def test_a_beginning_is_the_market_it_began_from(name: str) -> None:
    path = library.path_of(name)
    assert path is not None
    begun = check(starter(name, "mine", Path())).require()
    given = check(path.read_text("utf-8"), name=name).require()
    assert begun.name == "mine"
    assert begun.model_copy(update={"name": given.name}) == given


def test_lines_that_are_commented_out_can_be_taken_in() -> None:
    """Each alone: none is unknown, of a wrong type, or out of range."""
    text = starter("mm1", "mine", Path())
    lines = text.splitlines()
    places = [i for i, line in enumerate(lines[4:], 4) if re.match(r"# \w+ = ", line)]
    assert len(places) > 30
    for i in places:
        tried = [*lines[:i], lines[i].removeprefix("# "), *lines[i + 1 :]]
        codes = {p.code for p in check("\n".join(tried)).problems}
        assert not codes & {"W100", "W101", "W102", "W103", "W105", "W107"}, lines[i]


def test_every_field_is_explained_in_a_beginning() -> None:
    text = " ".join(starter("mm1", "mine", Path()).replace("\n#:", " ").split())
    for _, entry in every_entry():
        if len(entry.path) == 2 and entry.path[0] in ("run", "quotes", "platform", "tasks"):
            assert " ".join(entry.doc.split()) in text, entry.path


def test_traces_beside_the_source_are_found_from_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "trace.csv").write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n1,2,3\n")
    text = SCENARIO.replace('{ kind = "poisson", rate = 1.0 }',
                            '{ kind = "replay", file = "trace.csv" }')  # fmt: skip
    (tmp_path / "two.toml").write_text(text)
    begun = starter(tmp_path / "two.toml", "mine", tmp_path / "a" / "b")
    assert 'file = "../../trace.csv"' in begun
