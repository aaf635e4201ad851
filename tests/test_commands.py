"""The small commands: `compare`, `new`, `doctor`, and those for papers, on good and bad input."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

import walras as w
from walras import cli, doctor
from walras.analysis.paper import verify as verifying
from walras.market import jit
from walras.scenarios.compare import compare
from walras.scenarios.pairing import paired
from walras.scenarios.sweep.code import code_digest

from .paper_folders import KINDS, make, two
from .two_sellers import SCENARIO


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("made"))


@pytest.fixture
def here(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Go to a folder that holds a folder of each kind, and a scenario."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


# --- bad input -----------------------------------------------------------------------------------

ON_FOLDERS = (["bundle"], ["verify"], ["table"], ["compare", "run"])


@pytest.mark.parametrize("words", ON_FOLDERS, ids=lambda words: str(words[0]))
@pytest.mark.parametrize(("what", "said"), [
    ("gone", "there is no folder gone"),
    ("two.toml", "two.toml is a file, not a folder"),
    ("empty", "holds nothing that walras wrote: it has no manifest.json"),
    ("damaged", "manifest.json is damaged: it is no JSON"),
    ("list", "manifest.json is damaged: it holds no table"),
    ("other", "its manifest.json is of something else"),
    ("half", "manifest.json is damaged: `seed` is missing or wrong"),
    ("nobody", "manifest.json is damaged: `mechanisms` is missing or wrong"),
    ("outside", "manifest.json is damaged: it names a file that is not in the folder"),
])  # fmt: skip
def test_what_is_no_folder_of_ours_is_refused_in_a_line(
    here: Path, words: list[str], what: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    told = json.loads((here / "run" / "manifest.json").read_text())
    contents = {
        "damaged": "{", "list": "[]", "other": '{"name": "a package"}',
        "half": json.dumps({k: v for k, v in told.items() if k != "seed"}),
        "nobody": json.dumps({**told, "mechanisms": []}),
        "outside": json.dumps({**told, "files": {"../two.toml": "0"}}),
    }  # fmt: skip
    (here / "empty").mkdir()
    for name, text in contents.items():
        (here / name).mkdir()
        (here / name / "manifest.json").write_text(text)
    before = sorted(here.rglob("*"))
    assert cli.main([*words, what]) == 2
    out = capsys.readouterr()
    assert out.out == ""
    assert said in out.err
    assert out.err.count("error") == 1
    assert "Traceback" not in out.err
    assert sorted(here.rglob("*")) == before


@pytest.mark.parametrize("kind", ["comparison", "equilibrium", "sweep"])
def test_only_runs_are_compared(here: Path, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["compare", kind, "run"]) == 2
    assert f"{kind}, not a run" in capsys.readouterr().err


@pytest.mark.parametrize(("words", "said"), [
    (["bundle", "run", "-o", "run.tar"], "run.tar does not end in .zip"),
    (["verify", "sweep", "--runs", "some"], '--runs is "some"'),
    (["verify", "sweep", "--runs", "0"], '--runs is "0"'),
    (["table", "run", "--metric", "welfar"], "did you mean `welfare`"),
    (["table", "equilibrium", "--metric", "welfare"], "it has no other measures"),
    (["odd", "gone.toml"], "`gone.toml` is no file"),
    (["odd", "mm1", "--set", "no.such=1"], "error[W113]"),
    (["cite", "--scenario", "vickry"], "did you mean `vickrey`"),
    (["new", "mine", "--from", "gone"], "error[W100]"),
    (["new", "a b", "--from", "mm1"], "NAME is 'a b'"),
    (["odd", "mm1", "-o", "two.toml/odd.md"], "two.toml"),
    (["table", "run", "-o", "run"], "Is a directory"),
    (["bundle", "run", "-o", "two.toml/x.zip"], "two.toml"),
])  # fmt: skip
def test_other_bad_input_is_refused_in_a_line(
    here: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(here.rglob("*"))
    assert cli.main(words) == 2
    out = capsys.readouterr()
    assert said in out.err
    assert "Traceback" not in out.err
    assert sorted(here.rglob("*")) == before


@pytest.mark.parametrize("file", ["summary.parquet", "epochs.parquet"])
def test_a_damaged_table_is_named(
    here: Path, file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "run" / file).write_bytes(b"PAR1")
    for words in (["compare", "run", "run"], ["table", "run"]):
        assert cli.main(words) == 2
        assert file in capsys.readouterr().err
    assert cli.main(["verify", "run"]) == 3
    assert f"{file}: differs" in capsys.readouterr().out
    (here / "run" / file).unlink()
    assert cli.main(["bundle", "run"]) == 2
    assert file in capsys.readouterr().err
    assert cli.main(["verify", "run"]) == 3


# --- compare -------------------------------------------------------------------------------------


def test_runs_made_apart_compare_as_if_made_together(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = w.run(two(mechanism="vickrey"), seed=5)
    other.save(here / "other", command="x")
    assert cli.main(["compare", "run", "other", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    together = compare(two(), ["posted_price", "vickrey"], seed=5).differences()
    apart = [row for row in told["differences"] if row["difference"] is not None]
    assert told["runs"] == ["run", "other"]
    assert len(apart) > 10
    known = together[together["difference"].notna()]
    for row, was in zip(apart, known.to_dict("records"), strict=True):
        assert row["difference"] == was["difference"]
        assert row["metric"] == was["metric"]
    assert cli.main(["compare", "run", "other"]) == 0
    shown = capsys.readouterr().out
    assert "2 runs, the same demand for all" in shown
    assert "against run" in shown


@pytest.mark.parametrize(("how", "said"), [
    ({"seed": 6}, "seed is 5 in run and 6 in other"),
    ({"reps": 2}, "reps is 1 in run and 2 in other"),
    ({"until": "60 s"}, "run.until is 120.0 in run and 60.0 in other"),
])  # fmt: skip
def test_runs_of_another_demand_are_not_compared(
    here: Path, how: dict[str, Any], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    w.run(two(), **{"seed": 5, **how}).save(here / "other", command="x")
    assert cli.main(["compare", "run", "other"]) == 2
    assert said in capsys.readouterr().err


def test_what_tells_demands_apart_is_named_all_at_once() -> None:
    one = w.run(two(), seed=5)
    changed = two(tasks_chat_value="3", tasks_chat_arrivals_rate="2")
    with pytest.raises(w.BadInputError) as caught:
        paired({"a": one, "b": w.run(changed, seed=4)})
    assert [p.message for p in caught.value.problems] == [
        "seed is 5 in a and 4 in b", "tasks.chat.arrivals.rate is 1.0 in a and 2.0 in b",
        "tasks.chat.value.value is 2.0 in a and 3.0 in b",
    ]  # fmt: skip
    short = w.run(two(), seed=5, record="summary")
    short = w.Result(**{**vars(short), "epochs": short.epochs.iloc[:0]})
    with pytest.raises(w.BadInputError, match="b kept no epochs"):
        paired({"a": one, "b": short})


# --- new -----------------------------------------------------------------------------------------


def test_a_new_scenario_is_valid_and_never_written_over_another(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["new", "mine", "--from", "two.toml"]) == 0
    assert "walras run mine.toml" in capsys.readouterr().out
    assert cli.main(["validate", "mine.toml"]) == 0
    text = (here / "mine.toml").read_text()
    assert "#: mean arrivals" not in text
    assert "poisson.rate: mean arrivals; tasks per second; required" in text
    assert cli.main(["new", "mine", "--from", "mm1"]) == 2
    assert "mine.toml is there already" in capsys.readouterr().err
    assert (here / "mine.toml").read_text() == text
    assert cli.main(["new", "sub/more.toml", "--from", "mm1", "-q"]) == 0
    assert 'name = "more"' in (here / "sub" / "more.toml").read_text()


def test_a_scenario_with_errors_begins_nothing(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "bad.toml").write_text(SCENARIO.replace("rate = 1.0", "rate = -1.0"))
    assert cli.main(["new", "mine", "--from", "bad.toml"]) == 2
    assert "nothing was written, as bad.toml has errors" in capsys.readouterr().err
    assert not (here / "mine.toml").exists()


def test_missing_traces_do_not_stop_a_beginning(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WALRAS_DATA", raising=False)
    assert cli.main(["new", "mine", "--from", "replay_azure_2023"]) == 0
    assert "W110" in capsys.readouterr().err
    assert (here / "mine.toml").exists()


# --- doctor --------------------------------------------------------------------------------------


def test_the_doctor_says_what_is_here(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor", "--json"]) == 0
    told = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert told["walras"]["value"] == w.__version__
    assert told["numpy"]["lacks"] == ""
    if jit._CACHE_DIR is not None and not os.environ.get("NUMBA_DISABLE_JIT"):
        assert told["cache"]["value"].startswith(str(jit._CACHE_DIR))


def test_the_doctor_says_what_will_not_work(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def gone(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", gone)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(doctor, "find_spec", lambda _: None)
    monkeypatch.setattr(jit, "_CACHE_DIR", None)
    monkeypatch.delenv("BROWSER_PATH", raising=False)
    monkeypatch.delenv("NUMBA_DISABLE_JIT", raising=False)
    monkeypatch.setenv("WALRAS_DATA", "no/such")
    assert cli.main(["doctor"]) == 0
    lines = [x for x in capsys.readouterr().out.splitlines() if x.startswith("! ")]
    for said in ("numpy is not installed", "without kaleido no figures as PDF", "walras[cluster]",
                 "without Chromium no figures", "compiled code cannot be kept",
                 "WALRAS_DATA names no/such, which is no folder"):  # fmt: skip
        assert any(said in line for line in lines), said


# --- the others ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_is_packed_and_verified(
    here: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["bundle", kind]) == 0
    assert f"{kind}.zip" in capsys.readouterr().out
    first = (here / f"{kind}.zip").read_bytes()
    assert cli.main(["bundle", kind, "-q", "-o", "again.zip"]) == 0
    assert (here / "again.zip").read_bytes() == first
    with zipfile.ZipFile(here / "again.zip") as archive:
        archive.extractall(here / "package")
    assert cli.main(["verify", "package/data", "--runs", "2"]) == 0
    assert "package/data: all the same" in capsys.readouterr().out
    assert cli.main(["table", "package/data", "-o", "t.tex"]) == 0
    assert (here / "t.tex").read_text().startswith(r"\begin{table}")


def test_what_differs_has_exit_code_3_and_versions_come_first(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = here / "sweep" / "scenario.toml"
    path.write_text(path.read_text().replace("value = 2.0", "value = 2.5"))
    monkeypatch.setattr(verifying, "code_digest", lambda: "0" * 16)
    assert cli.main(["verify", "sweep", "--runs", "1"]) == 3
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"another version: code of walras {code_digest()} then, {'0' * 16} now"
    assert lines[-1].startswith("sweep sweep: ")
    assert lines[-1].endswith("parts differ")
    assert cli.main(["verify", "sweep", "--runs", "1", "--json"]) == 3
    told = json.loads(capsys.readouterr().out)
    assert not told["same"]
    assert told["versions"] == [lines[0].removeprefix("another version: ")]
    assert {"part", "same", "told"} == set(told["parts"][0])


def test_texts_are_printed_or_written(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["odd", "two.toml", "--set", "run.until=1h"]) == 0
    shown = capsys.readouterr().out
    assert "written by `walras odd two.toml --set run.until=1h` of walras" in shown
    assert "3600 s are simulated" in shown
    assert cli.main(["odd", "two.toml", "--set", "run.until=1h", "-o", "odd.md"]) == 0
    assert (here / "odd.md").read_text() == shown
    capsys.readouterr()
    assert cli.main(["cite"]) == 0
    assert capsys.readouterr().out.count("@") == 1
    assert cli.main(["cite", "--scenario", "two.toml"]) == 0
    assert "@misc{maskin-1988," in capsys.readouterr().out


def test_help_imports_nothing_heavy() -> None:
    """The list of commands is there at once."""
    program = (
        "import sys; from walras import cli; cli.main(['--help']); "
        "heavy = {'numpy', 'pandas', 'pyarrow', 'numba', 'pydantic'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "[]"
    for name in ("compare", "table", "odd", "bundle", "verify", "cite", "new", "doctor"):
        assert f"  {name} " in done.stdout
