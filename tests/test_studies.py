"""Studies: what is concluded follows from the runs; verdicts on made-up sweeps with known answers.

Each test names a mutant that it would catch.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from walras import cli
from walras.analysis.figures import SWEEPS
from walras.analysis.sweeps.effects import difference
from walras.analysis.sweeps.example import small_market
from walras.analysis.verdicts import judge, judged
from walras.market.schema.errors import BadInputError
from walras.scenarios.load import load
from walras.scenarios.studies import files, questions, read_study, study_of
from walras.scenarios.sweep.planned import plan
from walras.scenarios.sweep.points import count_of
from walras.scenarios.sweep.spec import Design
from walras.scenarios.sweep.study import Study, Verdict
from walras.scenarios.sweep.sweep import sweep
from walras.scenarios.sweep.swept import Sweep

from .made_sweep import made, path
from .two_sellers import SCENARIO

A = path("a")
LUCK = np.random.default_rng(4).normal(size=10_000)
Y: dict[str, Any] = {"metric": "y"}
STUDY = """
question = "Does a dearer first seller lower welfare?"
scenario = "two.toml"
seeds = 4
[levers]
"sellers.one.price.task" = [1.0, 1.4]
[[verdicts]]
metric = "surplus"
what = "buyers’ surplus"
falls = "Buyers pay"
[[verdicts]]
metric = "nothing_of_the_sort"
"""


def swept(tmp_path: Path, measured: Callable[[float, int], float | None], **more: Any) -> Sweep:
    """Return a sweep of one lever whose runs gave what a function of its value says, USD/h."""
    design = {"levers": {A: [1.0, 2.0, 3.0]}, "seeds": 12} | more
    return made(tmp_path / "sweep", lambda at, rep: measured(at[A], rep), **design)


# --- differences ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("slope", "outcome"), [(2.0, "rises"), (-2.0, "falls"), (0.0, "unknown")])
def test_a_difference_is_that_of_the_ends(tmp_path: Path, slope: float, outcome: str) -> None:
    """y = 10 + slope·a + luck: twice the slope from 1 to 3. Mutants: first less last; middle."""
    found = swept(tmp_path, lambda a, rep: 10.0 + slope * a + 0.3 * LUCK[int(100 * a) + rep])
    said = judge(found, Verdict(**Y))
    assert said.outcome == outcome
    assert said.low < 2.0 * slope < said.high
    assert said.low < said.value < said.high
    assert abs(said.value - 2.0 * slope) < 0.4
    if outcome == "unknown":
        assert said.sentence.startswith("No difference in y can be told: y goes from ")
        assert said.low < 0.0 < said.high


def test_luck_in_common_does_not_blur_a_difference(tmp_path: Path) -> None:
    """Paired luck ten times the effect cancels. Mutant: an interval of two means apart."""
    found = swept(tmp_path, lambda a, rep: 100.0 + 0.5 * a + 10.0 * LUCK[rep]
                  + 0.01 * LUCK[int(100 * a) + rep])  # fmt: skip
    said = judge(found, Verdict(**Y))
    assert said.outcome == "rises"
    assert said.value == pytest.approx(1.0, abs=0.05)
    assert said.high - said.low < 0.05


def test_a_difference_that_does_not_matter_is_called_none(tmp_path: Path) -> None:
    """1 of 100 is sure and below 2%, not below 0.5%. Mutant: looks at the estimate alone."""
    found = swept(tmp_path, lambda a, rep: 100.0 + 0.5 * a + 0.01 * LUCK[int(100 * a) + rep])
    assert judge(found, Verdict(**Y, negligible=0.02)).outcome == "same"
    assert judge(found, Verdict(**Y, negligible=0.005)).outcome == "rises"
    # ten up, ten down: no difference on average, and nobody knows how much
    wide = swept(tmp_path / "wide", lambda a, rep: 100.0 + 5.0 * (-1.0) ** (rep + (a == 3.0)))
    assert judge(wide, Verdict(**Y, negligible=0.005)).outcome == "unknown"


def test_the_words_are_the_study_s(tmp_path: Path) -> None:
    """Mutant: the words of another outcome."""
    words = {"rises": "Up it goes", "falls": "Down", "unknown": "Who knows", "what": "the sum"}
    found = swept(tmp_path, lambda a, rep: 10.0 + a + 0.1 * LUCK[int(100 * a) + rep])
    said = judge(found, Verdict(**Y, **words))
    assert said.sentence.startswith("Up it goes: the sum goes from 1")
    assert "(95% interval " in said.sentence
    assert "USD/h" in said.sentence


def test_too_few_runs_tell_nothing(tmp_path: Path) -> None:
    """One replication, or all but one failed at an end. Mutant: an interval of nan is no zero."""
    single = swept(tmp_path / "single", lambda a, rep: a, seeds=1)
    assert judge(single, Verdict(**Y)).outcome == "unknown"
    assert "there is 1" in judge(single, Verdict(**Y)).sentence
    lost = swept(tmp_path / "lost", lambda a, rep: None if a == 3.0 else a)
    assert judge(lost, Verdict(**Y)).outcome == "unknown"
    assert "there are none" in judge(lost, Verdict(**Y)).sentence
    assert judge(lost, Verdict(metric="z")).sentence.endswith('no run has "z" of task "all" and '
                                                              'offer "all".')  # fmt: skip


def test_false_alarms_of_a_study_are_as_rare_as_it_says(tmp_path: Path) -> None:
    """No effect, three verdicts of other luck: any alarm in 5% of 200 studies, not in 14%.

    With 1 - 0.05 each, 28 are to be expected and 10 with Bonferroni's; 18 has a chance of 1%.
    Mutant: levels without the correction.
    """
    alarms = 0
    rng = np.random.default_rng(11)
    study = Study(levers={A: [1.0, 2.0]}, verdicts=[Verdict(**Y)] * 3)
    found = swept(tmp_path, lambda a, rep: LUCK[int(100 * a) + rep], levers={A: [1.0, 2.0]})
    (level,) = {v.level for v in judged(found, study)}
    assert level == 1.0 - 0.05 / 3
    for _ in range(200):
        pairs = [rng.normal(size=(2, 1, 8)) for _ in range(3)]
        rows = [difference(last, first, level) for last, first in pairs]
        alarms += any(not low < 0.0 < high for *_, low, high, _, _, _ in rows)
    assert alarms < 18


# --- crossings -----------------------------------------------------------------------------------

LEVELS = [float(x) for x in np.linspace(0.0, 2.0, 11)]


def test_a_crossing_is_where_it_is(tmp_path: Path) -> None:
    """y = (a - 1.13)·10 crosses 2 at 1.33, within [1.2, 1.4]. Mutants: threshold left out; sign."""
    found = swept(tmp_path, lambda a, rep: 10.0 * (a - 1.13) + 0.2 * LUCK[rep],
                  levers={A: LEVELS})  # fmt: skip
    said = judge(found, Verdict(**Y, kind="crossing", threshold=2.0, rises="Yes"))
    assert said.outcome == "rises"
    assert (said.low, said.high) == pytest.approx((1.2, 1.4))
    assert said.value == pytest.approx(1.33, abs=0.02)
    assert said.sentence.startswith("Yes: y crosses 2 USD/h at a.value 1.3")
    down = swept(tmp_path / "down", lambda a, rep: 5.0 - 10.0 * a + LUCK[rep], levers={A: LEVELS})
    assert judge(down, Verdict(**Y, kind="crossing")).outcome == "falls"


def test_what_is_not_known_widens_the_bracket(tmp_path: Path) -> None:
    """Flat and noisy in the middle: no sign there. Mutant: the bracket is of means alone."""
    found = swept(tmp_path, lambda a, rep: 3.0 * np.sign(round(a - 1.0)) +
                  2.0 * LUCK[int(1000 * a) + rep], levers={A: LEVELS})  # fmt: skip
    said = judge(found, Verdict(**Y, kind="crossing"))
    assert said.low <= 0.4
    assert said.high >= 1.6


@pytest.mark.parametrize(("curve", "words"), [
    (lambda a: 5.0 + a, "where anything is known it is above"),
    (lambda a: -5.0 - a, "where anything is known it is below"),
    (lambda a: 3.0 * np.cos(np.pi * a), "crosses 0 USD/h 2 times"),
    (lambda a: 0.0, "is not known anywhere"),
])  # fmt: skip
def test_no_one_crossing_is_no_verdict(
    tmp_path: Path, curve: Callable[[float], float], words: str
) -> None:
    """None, several, nothing known. Mutant: the first change of sign is the answer."""
    found = swept(tmp_path, lambda a, rep: curve(a) + 0.1 * LUCK[int(1000 * a) + rep],
                  levers={A: LEVELS})  # fmt: skip
    said = judge(found, Verdict(**Y, kind="crossing"))
    assert said.outcome == "unknown"
    assert words in said.sentence


def test_the_lead_of_one_offer_over_another(tmp_path: Path) -> None:
    """Of two offers alike but for the price, the dearer's lead turns where prices are the same.

    Mutants: the sum of shares, which never moves; the other way round.
    """
    with ThreadPoolExecutor(1) as threads:
        found = sweep(small_market(), {"sellers.one.price.task": [1.0, 1.15, 1.3, 1.6]}, seeds=8,
                      out=tmp_path / "out", executor=threads)  # fmt: skip
    lead = Verdict(metric="share", task="chat", offer="one/default", less="two/default",
                   kind="crossing")  # fmt: skip
    said = judge(found, lead)
    assert said.outcome == "falls"
    assert said.low < 1.2 < said.high


# --- files ---------------------------------------------------------------------------------------


def test_the_studies_that_come_along_are_sound() -> None:
    """They plan without a problem, are small, and their verdicts' figures exist."""
    assert len(files()) >= 3
    assert set(questions()) == {file.stem for file in files()}
    for file in files():
        study, text, scenario = read_study(file.stem)
        assert study.question.endswith("?")
        assert study.figure in SWEEPS
        assert count_of(study) * study.seeds <= 300
        planned = plan(scenario, study, given=text)
        assert not planned.problems
        market = load(scenario)
        names = {"all", *(t.name for t in market.tasks)}
        offers = {"all", "", "outside", *market.offers}
        for verdict in study.verdicts:
            assert verdict.task in names
            assert {verdict.offer, verdict.less} <= offers


def test_a_question_is_no_part_of_what_is_run() -> None:
    """A study has the runs of its sweep: other words, other verdicts, the same folder's name."""
    levers = {"tasks.jobs.value": [1.0, 2.0]}
    alone = plan("mm1", Design(levers=levers))
    asked = plan("mm1", Study(levers=levers, question="Why?", verdicts=[Verdict(**Y)]))
    assert alone.key == asked.key


@pytest.mark.parametrize(("change", "said"), [
    (("1.0, 1.4", "1.0"), "two values"),
    (('metric = "surplus"', 'metric = "surplus"\nkind = "crossings"'), "crossing"),
    (('metric = "surplus"', ""), "metric"),
    (('falls = "B', 'fals = "B'), "did you mean `falls`"),
    (("1.0, 1.4", "1.4, 1.0"), None),
    (('metric = "surplus"', 'metric = "surplus"\nkind = "crossing"'), None),
    (("[1.0, 1.4]", '[1.4, 1.0]\n"sellers.two.slots" = [1, 2]'), None),
])  # fmt: skip
def test_errors_are_told_with_their_lines(
    tmp_path: Path, change: tuple[str, str], said: str | None
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(STUDY.replace(*change))
    if said is None:
        assert read_study(file)[0].name == "mine"
        return
    with pytest.raises(BadInputError) as caught:
        read_study(file)
    assert said in str(caught.value)
    assert {problem.file for problem in caught.value.problems} == {str(file)}


def test_a_crossing_needs_one_lever_that_rises() -> None:
    crossing = [Verdict(**Y, kind="crossing")]
    for levers in ({A: [2.0, 1.0]}, {A: ["x", "y"]}, {A: [1.0, 2.0], path("b"): [1.0, 2.0]}):
        with pytest.raises(ValueError, match="a crossing is along one lever"):
            Study(levers=levers, verdicts=crossing)


# --- commands ------------------------------------------------------------------------------------


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "two.toml").write_text(SCENARIO)
    (tmp_path / "mine.toml").write_text(STUDY)
    return tmp_path


def test_a_study_is_answered(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Verdict, figure and report; the same command again adds nothing; `report` knows it."""
    words = ["study", "mine.toml", "--jobs", "1", "--out", "out"]
    assert cli.main(words) == 0
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert lines[0] == "Does a dearer first seller lower welfare?"
    assert lines[1].startswith("  Buyers pay: buyers’ surplus goes from ")
    assert "97.5% interval −" in lines[1]
    assert "nothing_of_the_sort" in lines[2]
    assert {"out/F6.html", "out/report.html"} <= {line.strip() for line in lines}
    study = study_of(here / "out")
    assert study is not None
    page = (here / "out" / "report.html").read_text("utf-8")
    assert page.index("Does a dearer first") < page.index("Buyers pay: ") < page.index("<figure")
    pieces = sorted((here / "out" / "pieces").iterdir())
    assert cli.main([*words, "--json", "--quiet"]) == 0
    data = json.loads(capsys.readouterr().out)
    first, other = data["verdicts"]
    assert first["outcome"] == "falls"
    assert first["low"] < first["value"] < first["high"] < 0.0
    assert other["value"] is None
    assert sorted((here / "out" / "pieces").iterdir()) == pieces
    assert cli.main(["report", "out", "-q"]) == 0
    assert (here / "out" / "report.html").read_text("utf-8") == page
    assert cli.main([*words, "--quiet"]) == 0
    assert capsys.readouterr().out == ""


def test_what_is_no_study_is_refused_in_a_line(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "sweep.toml").write_text(STUDY.partition("[[verdicts]]")[0])
    for target, said in (
        ("second_scor", "did you mean `second_score`"), ("gone.toml", "W100"),
        ("sweep.toml", "`verdicts` are missing"), ("two.toml", "no sweep"),
    ):  # fmt: skip
        assert cli.main(["study", target]) == 2
        err = capsys.readouterr().err
        assert said in err
        assert "Traceback" not in err
    assert not (here / "sweeps").exists()


def test_studies_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["list", "studies"]) == 0
    out = capsys.readouterr().out
    for name, question in questions().items():
        assert name in out
        assert question in out


def test_runs_that_failed_are_exit_code_3(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "mine.toml").write_text(STUDY.replace("1.0, 1.4", "1.0, -3.0, 1.4"))
    assert cli.main(["study", "mine.toml", "--jobs", "1", "--out", "out"]) == 3
    assert "Buyers pay" in capsys.readouterr().out
