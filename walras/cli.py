"""The command line. Everything heavy is imported where it is used: `--help` must be quick."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from . import progress, terminal
from .comparing import compare_command
from .dashing import dashboard_command
from .doctor import doctor_command
from .papers import bundle_command, cite_command, odd_command, table_command, verify_command
from .starting import new_command
from .sweeping import status_command, sweep_command
from .terminal import BAD_INPUT, FAILED, INTERRUPTED

if TYPE_CHECKING:
    from .market.schema.errors import Problem
    from .scenarios.load import Loaded


class _State:
    """What the whole command line shares."""

    debug = False


class _Group(TyperGroup):
    """Commands that answer bad input with its errors, never with a traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None
        except ValueError as error:
            problems = getattr(error, "problems", None)
            if _State.debug or problems is None:
                raise
            terminal.show(problems)
            raise typer.Exit(BAD_INPUT) from None


app = typer.Typer(
    cls=_Group, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False,
    no_args_is_help=True, help="Simulate markets in which buyers choose among AI agents.",
    context_settings={"help_option_names": ["-h", "--help"]},
)  # fmt: skip

Target = Annotated[str, typer.Argument(metavar="NAME_OR_FILE", help="A scenario: name or file.")]
Sets = Annotated[list[str] | None, typer.Option(
    "--set", metavar="PATH=VALUE",
    help="Change a field, such as run.until=2h or sellers.deep.price.output=3; may be repeated.",
)]  # fmt: skip
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")]


def _version(wanted: bool) -> None:
    if wanted:
        from . import __version__

        typer.echo(f"walras {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    _State.debug = debug


@app.command("run")
def run_command(
    target: Target,
    sets: Sets = None,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Seed of all randomness.")] = 0,
    reps: Annotated[int, typer.Option(min=1, max=100_000, help="Replications.")] = 1,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where run folders go.")] = Path("runs"),
    record: Annotated[
        Literal["summary", "epochs", "trades"], typer.Option(help="How finely to record.")
    ] = "epochs",
    mechanism: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,...",
            help="Run under another mechanism; several are compared, the same demand for all.",
        ),
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Run a scenario: print its result card, write a run folder with report.html."""
    loaded = _read(target, sets or [])
    options = {"mechanism": mechanism, "seed": seed, "reps": reps, "out": str(out),
               "record": record}  # fmt: skip
    command = _command(target, sets or [], options)
    each = _variants(loaded, mechanism) if mechanism is not None else {}
    if len(each) == 1:
        loaded = next(iter(each.values()))
    if not quiet:
        terminal.warn(loaded.problems, target)
        terminal.show(_new_warnings(loaded, each)[:2])
    from . import running

    how: dict[str, Any] = {"seed": seed, "reps": reps, "record": record}
    if len(each) > 1:
        commands = {m: _command(target, sets or [], {**options, "mechanism": m}) for m in each}
        folder = out / running.folder_name(loaded, *how.values(), *each)
        with _whole_or_nothing(folder, command):
            comparison = running.simulate_each(loaded, list(each), **how, quiet=quiet)
            wrong = running.save_each(comparison, each, folder, command, commands)
        from .comparison_card import as_data as data_of
        from .comparison_card import card as card_of

        _print(data_of, card_of, (comparison, str(folder), command), json, quiet)
    else:
        folder = out / running.folder_name(loaded, *how.values())
        with _whole_or_nothing(folder, command):
            result = running.simulate(loaded, **how, quiet=quiet)
            wrong = running.save(result, loaded, folder, command)
        from .card import as_data, card

        _print(as_data, card, (result, str(folder), command), json, quiet)
    _no_report(wrong, folder)


@app.command("list")
def list_command(
    what: Annotated[
        Literal["scenarios", "figures", "runs"], typer.Argument(help="What to list.")
    ] = "scenarios",
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where run folders are.")] = Path("runs"),
    json: Json = False,
) -> None:
    """List what there is, one line each: the question it answers."""
    from . import listing

    if what == "runs":
        rows = listing.runs(out)
    else:
        rows = listing.figures() if what == "figures" else listing.scenarios()
    if json:
        terminal.print_json(rows)
        return
    width = max((len(row["name"]) for row in rows), default=0)
    for row in rows:
        typer.echo(f"{row['name']:<{width}}  {row['about']}".rstrip())


@app.command("validate")
def validate_command(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="Scenarios: names or files.")
    ],
    sets: Sets = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Check scenarios: all errors and warnings at once."""
    from .market.schema.errors import errors_in
    from .scenarios.load import read

    wrong, found = False, []
    for file in files:
        loaded = read(file, sets or [])
        errors = errors_in(loaded.problems)
        wrong |= bool(errors)
        found += loaded.problems
        if not json:
            terminal.show(errors if quiet else loaded.problems)
        if loaded.market is not None and not (json or quiet):
            market = loaded.market
            classes = terminal.count(market.tasks, "task class", "task classes")
            sellers = terminal.count(market.sellers, "seller")
            typer.echo(
                f"{file}: fine, {classes}, {sellers}, {terminal.count(market.offers, 'offer')}"
            )
    if json:
        terminal.print_json([p.as_dict() for p in found])
    if wrong:
        raise typer.Exit(BAD_INPUT)


@app.command("explain")
def explain_command(
    field: Annotated[str, typer.Argument(
        metavar="FIELD", help="A field (deadline, sellers.kappa), a kind (lognormal), a figure "
        "of the catalogue (claude-3.7-sonnet.speed) or of the report (F1), or a code (W201).",
    )],
    json: Json = False,
) -> None:  # fmt: skip
    """Explain a field: meaning, unit, default, range, source."""
    from dataclasses import asdict

    from . import listing
    from .scenarios.explain import explain

    found = listing.figure(field) or explain(field)
    if json:
        terminal.print_json(found if isinstance(found, str) else [asdict(e) for e in found])
    elif isinstance(found, str):
        typer.echo(found)
    else:
        for item in found:
            facts = asdict(item)
            typer.echo(f"{facts.pop('field')}: {facts.pop('meaning')}")
            for name, text in facts.items():
                if text:
                    typer.echo(f"  {name:<8} {text}")


@app.command("equilibrium")
def equilibrium_command(
    target: Target,
    sets: Sets = None,
    fixed: Annotated[
        str, typer.Option(metavar="NAME,...", help="Sellers whose prices stay as posted.")
    ] = "",
    joint: Annotated[
        bool, typer.Option("--joint", help="Let all owners maximise the sum of their profits.")
    ] = False,
    posted: Annotated[
        bool, typer.Option("--posted", help="Look at the posted prices instead of solving.")
    ] = False,
    certify: Annotated[
        bool, typer.Option("--certify/--no-certify", help="Let simulation certify or refute it.")
    ] = True,
    tolerance: Annotated[
        float, typer.Option(min=1e-9, max=10.0, help="Gain that does not matter, as a share.")
    ] = 1e-3,
    budget: Annotated[
        int, typer.Option(min=1, max=10**15, help="Tasks that the certificate may simulate.")
    ] = 100_000_000,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Seed of all randomness.")] = 0,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where folders go.")] = Path("runs"),
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Solve a market's equilibrium in prices, certify or refute it, write a report."""
    loaded = _read(target, sets or [])
    options: dict[str, Any] = {
        "fixed": fixed, "tolerance": repr(tolerance), "budget": budget, "seed": seed,
        "out": str(out),
    }  # fmt: skip
    flags = {"joint": joint, "posted": posted, "no-certify": not certify}
    words = ["walras", "equilibrium", target]
    words += [word for change in sets or [] for word in ("--set", change)]
    usual = {"fixed": "", "tolerance": "0.001", "budget": 100_000_000, "out": "runs"}
    words += [f"--{name}" for name, on in flags.items() if on]
    for name, value in options.items():
        words += [f"--{name}", str(value)] if value != usual.get(name) else []
    command = shlex.join(words)
    if not quiet:
        terminal.warn(loaded.problems, target)
    from dataclasses import replace

    from . import running
    from .analysis.equilibrium.companions import accompanied
    from .analysis.equilibrium.solved import equilibrium

    names = [name.strip() for name in fixed.split(",") if name.strip()]
    told = [fixed, repr(tolerance), str(budget), *(name for name, on in flags.items() if on)]
    name = running.folder_name(loaded, seed, 1, "equilibrium", *told)
    folder = out / "-equilibrium-".join(name.rsplit("-", 1))
    with _whole_or_nothing(folder, command), _answering():
        with running.progress(quiet) as report:
            found = equilibrium(
                loaded.require(),
                fixed=names,
                joint=joint,
                prices="posted" if posted else "solved",
                certificate=certify,
                tolerance=tolerance,
                budget=budget,
                seed=seed,
                progress=None if report is None else lambda done, of: report(done, of, done),
            )
        how = {"fixed": names, "joint": joint, "prices": "posted" if posted else "solved",
               "tolerance": tolerance}  # fmt: skip
        with progress.patience("drawing the report", quiet):
            found = accompanied(found, command=command, seed=seed)
            found = replace(found, manifest={**found.manifest, "solved": how})
            wrong = running.save_equilibrium(found, loaded, folder)
    from .equilibrium_card import as_data, card

    _print(as_data, card, (found, str(folder), command), json, quiet)
    _no_report(wrong, folder)


@app.command("figure")
def figure_command(
    id: Annotated[str, typer.Argument(metavar="ID", help="A figure: see `walras list figures`.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Of a run, equilibrium or sweep.")],
    size: Annotated[
        str, typer.Option(metavar="SIZE", help="Of paper: aer-1col, aer-2col, or 3.5x2.6 inches.")
    ] = "",
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="A .html, .pdf, .svg, .png or .csv file."),
    ] = None,
    along: Annotated[
        list[str] | None,
        typer.Option(metavar="PATH", help="What moves in F6, such as tasks.chat.arrivals.rate."),
    ] = None,
    low: Annotated[float | None, typer.Option("--from", help="Its least value.")] = None,
    high: Annotated[float | None, typer.Option("--to", help="Its greatest value.")] = None,
    metric: Annotated[
        str, typer.Option(metavar="METRIC", help="Of a sweep: welfare, or sojourn:chat:fast/high.")
    ] = "",
    level: Annotated[
        float | None, typer.Option(metavar="X", help="Of F6b: a level, whose line is drawn.")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Draw a figure of a folder as a page or for print, its data beside it."""
    from . import drawing

    words = ["walras", "figure", id, str(folder)]
    words += [word for path in along or [] for word in ("--along", path)]
    given = {
        "from": low, "to": high, "metric": metric or None, "level": level, "size": size or None,
        "out": out,
    }  # fmt: skip
    words += [word for n, v in given.items() if v is not None for word in (f"--{n}", str(v))]
    try:
        written = drawing.draw(
            id, folder, size=size, out=out, along=along or [], ends=(low, high), metric=metric,
            level=level, command=shlex.join(words),
        )  # fmt: skip
    except drawing.NoExportError as error:
        if _State.debug:
            raise
        terminal.tell(f"error: {terminal.one_line(error)}")
        raise typer.Exit(FAILED) from None
    except OSError as error:
        terminal.tell(f"error: {error.filename or folder}: {error.strerror or error}")
        raise typer.Exit(BAD_INPUT) from None
    for path in () if quiet else written:
        typer.echo(str(path))


app.command("sweep")(sweep_command)
app.command("status")(status_command)
app.command("compare")(compare_command)
app.command("table")(table_command)
app.command("odd")(odd_command)
app.command("bundle")(bundle_command)
app.command("verify")(verify_command)
app.command("cite")(cite_command)
app.command("new")(new_command)
app.command("doctor")(doctor_command)
app.command("dashboard")(dashboard_command)


# --- shared ------------------------------------------------------------------------------------


def _read(target: str, sets: Sequence[str]) -> Loaded:
    """Return a scenario without errors."""
    from .scenarios.load import read

    loaded = read(target, sets)
    loaded.require()
    return loaded


def _variants(loaded: Loaded, mechanism: str) -> dict[str, Loaded]:
    """Return the scenario under each mechanism of a list such as `posted_price,vickrey`."""
    from dataclasses import replace

    from .scenarios.variants import variants

    names = [name.strip() for name in mechanism.split(",") if name.strip()]
    told = f"--mechanism {mechanism}"
    markets = variants(loaded.require(), names, told=told)
    specs = variants(loaded.spec or loaded.require(), names, told=told)
    return {n: replace(loaded, market=markets[n], spec=specs[n]) for n in markets}


def _new_warnings(loaded: Loaded, each: dict[str, Loaded]) -> list[Problem]:
    """Return what is odd about a scenario under a mechanism and is not under its own."""
    from dataclasses import replace

    from .scenarios.lint import lint

    known = {(p.code, p.field) for p in loaded.problems}
    return [
        replace(problem, message=f"under `{name}`, {problem.message}")
        for name, under in each.items()
        for problem in lint(under.require())
        if (problem.code, problem.field) not in known
    ]


def _no_report(wrong: Exception | None, folder: Path) -> None:
    """Say what was wrong with the report of a folder that is whole otherwise, if anything was."""
    if wrong is None:
        return
    if _State.debug:
        raise wrong
    why = terminal.one_line(wrong)
    terminal.tell(f"error: the report could not be made: {why}; the tables are in {folder}")
    raise typer.Exit(FAILED)


@contextmanager
def _whole_or_nothing(folder: Path, command: str) -> Iterator[None]:
    """Do work that leaves a whole folder or none; say how it ended if it did not end well."""
    from . import running

    before = running.stamp(folder)
    try:
        with running.terminable():
            running.probe(folder)
            yield
    except KeyboardInterrupt:
        whole = running.stamp(folder) not in (None, before)
        said = f"the run is in {folder}" if whole else "nothing was written"
        terminal.tell(f"interrupted; {said}. To repeat:\n  {command}")
        raise typer.Exit(INTERRUPTED) from None
    except (running.RunFailedError, OSError) as error:
        if _State.debug:
            raise
        terminal.tell(
            f"error: {_reason(error, folder)}\n  --debug shows where; to repeat:\n  {command}"
        )
        raise typer.Exit(BAD_INPUT if isinstance(error, OSError) else FAILED) from None


@contextmanager
def _answering() -> Iterator[None]:
    """Do work that leaves nothing behind; say how it ended if it failed."""
    try:
        yield
    except (ArithmeticError, MemoryError, RuntimeError) as error:
        if _State.debug:
            raise
        terminal.tell(f"error: it failed: {terminal.one_line(error)}\n  --debug shows where")
        raise typer.Exit(FAILED) from None


def _print(
    as_data: Callable[..., Any], card: Callable[..., Any], what: tuple[Any, str, str],
    json: bool, quiet: bool,
) -> None:  # fmt: skip
    """Print a result or a comparison as JSON or as its card; `what` is it, its folder, command."""
    if json:
        terminal.print_json(as_data(*what))
    elif not quiet:
        out_to = terminal.console()
        out_to.print(card(*what, out_to.width))


def _command(target: str, sets: Sequence[str], options: dict[str, Any]) -> str:
    """Return the exact command that repeats a run; defaults are left out, but not the seed."""
    usual = {"mechanism": None, "reps": 1, "out": "runs", "record": "epochs"}
    words = ["walras", "run", target]
    words += [word for change in sets for word in ("--set", change)]
    for name, value in options.items():
        words += [f"--{name}", str(value)] if value != usual.get(name) else []
    return shlex.join(words)


def _reason(error: Exception, folder: Path) -> str:
    if isinstance(error, OSError):
        return f"{folder} cannot be written: {error.strerror or error}"
    return f"the run failed: {error}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Args:
        arguments: words after `walras`; those of the process when absent.

    Returns:
        0 fine, 2 bad input, 3 some runs failed, 130 interrupted.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if "--debug" in words:  # may stand anywhere
        words = ["--debug", *(word for word in words if word != "--debug")]
    try:
        app(words, prog_name="walras")
    except SystemExit as leave:
        return _flush(leave.code if isinstance(leave.code, int) else 0)
    return 0


def _flush(code: int) -> int:
    """Flush what was printed; a reader that went away is no error of ours."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code
