"""A replication package: a folder of results, how it was made, and how to make it again.

The same folder gives the same bytes: entries are sorted and carry no time.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Iterator
from importlib import metadata

from ...market.schema.errors import BadInputError, Problem
from ...market.schema.market import Market
from ...scenarios.load import check
from ...scenarios.sweep.store import digest_of, left
from .cite import bibtex
from .folder import MANIFEST, Folder
from .odd import odd
from .readme import readme
from .scrub import Scrubber
from .verify import files_of
from .verify_sweep import merged, pieces_of

_TIME = (1980, 1, 1, 0, 0, 0)
_WRITTEN = ("scenario.toml", "resolved.toml", "sweep.toml", "report.html", "design.parquet",
            "results.parquet", "failures.parquet")  # fmt: skip
"""What a folder holds besides what its manifest lists."""
_SWEEP = ("scenario.toml", "design.parquet", "results.parquet", "failures.parquet")
"""What the folder of a sweep that is done holds."""
_FIGURE = re.compile(r"[FM][0-9]{1,3}b?\.(html|pdf|svg|png|csv|txt)")
_NAME = re.compile(r"[A-Za-z0-9_.-]+")


def bundle(folder: Folder, version: str) -> bytes:
    """Return a replication package of a folder, a zip file.

    Args:
        folder: what `folder.opened` returns.
        version: of walras.

    Raises:
        BadInputError: the scenario that the folder holds is none.
        OSError: a file is missing or cannot be read.
    """
    files = contents(folder, version)
    lines = [f"{hashlib.sha256(content).hexdigest()}  {name}" for name, content in files.items()]
    files["SHA256SUMS"] = ("\n".join(sorted(lines, key=lambda x: x[66:])) + "\n").encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, _TIME)
            info.create_system, info.external_attr = 3, 0o644 << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, files[name])
    return out.getvalue()


def contents(folder: Folder, version: str) -> dict[str, bytes]:
    """Return the files of a package by name, checksums apart; see `bundle`."""
    manifests = [folder, *(run for run in folder.runs if run is not folder)]
    for each in manifests:
        _refuse(each)
    scrubber = Scrubber(folder.path, [each.command for each in manifests])
    files: dict[str, bytes] = {}
    for each in manifests:
        within = "data/" if each is folder else f"data/{each.path.name}/"
        files |= {within + name: content for name, content in _data(each, scrubber).items()}
    market = _market(folder)
    files["odd.md"] = odd(market, version=version).encode()
    files["CITATION.bib"] = (bibtex(version, market) + "\n").encode()
    files["requirements.txt"] = requirements(folder).encode()
    files["LICENSE.txt"] = _licence().encode()
    files["README.md"] = scrubber.text(readme(folder, market, files)).encode()
    return files


def _refuse(folder: Folder) -> None:
    """Refuse to pack what is not whole."""
    wrong = [f"{folder.path / check.part}: {check.told}" for check in files_of(folder)
             if not check.same]  # fmt: skip
    if folder.kind == "sweep":
        lost = [name for name in _SWEEP if not (folder.path / name).is_file()]
        wrong += [f"{folder.path / name} is missing" for name in lost]
        pieces, broken = pieces_of(folder.path)
        wrong += [f"{folder.path}: {told}" for told in broken]
        if undone := len(left(folder.manifest["total"], pieces)):
            wrong.append(f"{folder.path}: no piece holds {undone:,} of its runs")
        if not wrong and not (check := merged(folder.path, pieces)).same:
            wrong.append(f"{folder.path / 'results.parquet'}: {check.told}")
    if wrong:
        hint = "`walras verify` says all; a sweep is made whole by its command once more"
        raise BadInputError([Problem("W100", wrong[0], hint=hint)])


def _data(folder: Folder, scrubber: Scrubber) -> dict[str, bytes]:
    """Return the files of a folder; of texts without the paths of this machine."""
    listed = dict(folder.manifest.get("files", {}))
    files = {}
    for name in _names(folder):
        content = (folder.path / name).read_bytes()
        if name == "failures.parquet":
            files[name] = scrubber.failures(content)
            continue
        files[name] = scrubber.file(name, content)
        if name in listed and files[name] != content:  # a trace's place, say
            listed[name] = digest_of(files[name])
    told = {**folder.manifest, **({"files": listed} if listed else {})}
    files[MANIFEST] = scrubber.text(json.dumps(told, indent=2) + "\n").encode()
    return files


def _names(folder: Folder) -> Iterator[str]:
    """Yield what walras wrote into a folder: what a user put there is not for others."""
    yield from folder.manifest.get("files", {})
    listed = set(folder.manifest.get("files", {}))
    for path in sorted(folder.path.iterdir()):
        ours = path.name in _WRITTEN or _FIGURE.fullmatch(path.name)
        if ours and path.name not in listed and path.is_file():
            yield path.name
    pieces = folder.path / "pieces"
    if folder.kind == "sweep" and pieces.is_dir():
        yield from (f"pieces/{p.name}" for p in sorted(pieces.glob("[0-9]*.parquet")))


def _market(folder: Folder) -> Market:
    """Return the market of a folder; of traces it takes no notice."""
    file = folder.market_file
    text = file.read_text("utf-8")
    if not text.strip():
        raise BadInputError([Problem(
            "W104", f"{file} is empty: the sweep was made of Python functions, which no file holds",
            hint="pack its folder together with the script that made it",
        )])  # fmt: skip
    return check(text, file=str(file), name=_stem(folder)).require()


def _stem(folder: Folder) -> str:
    told = folder.manifest.get("scenario", "")
    return told if isinstance(told, str) and _NAME.fullmatch(told) else ""


def requirements(folder: Folder) -> str:
    """Return exact versions: those noted in the folder, and of the rest those that are here."""
    noted = dict(folder.manifest.get("versions", {}))
    here = {}
    for line in metadata.requires("walras") or []:
        found = re.match(r"[A-Za-z0-9_.-]+", line)
        if found is not None and "extra ==" not in line and found[0] not in noted:
            here[found[0]] = metadata.version(found[0])
    first = [f"{name}=={v}" for name, v in sorted(noted.items())]
    rest = [f"{name}=={v}" for name, v in sorted(here.items(), key=lambda item: item[0].lower())]
    return "\n".join([
        "# noted when the results were written", *first,
        "# needed by walras; as installed when this package was made", *rest, "",
    ])  # fmt: skip


def _licence() -> str:
    return (
        "Code: walras is under the MIT licence; its text comes with the software.\n"
        "Data: the files in data/ are simulated. Their licence is for the authors of this package "
        "to state:\n\n    [licence of the data]\n"
    )
