"""What a release consists of, that it is the same each time, and when there is none."""

import hashlib
import json
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml

from mjgate.contract.publish import reference_files
from openapi.edition import to_3_1
from openapi.release import Refused, Sources, check, keep, main, write
from openapi.versions import CONTRACT, precedence, releases

VERSION = Sources().versions()["openapi/mjgate.yaml"]


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    """A copy of what a release comes from, that has no release yet."""
    here, root = Sources(), tmp_path / "sources"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(here.client, root / "generated", ignore=ignored)
    (root / "openapi").mkdir()
    for path in (here.contract, here.changelog):
        shutil.copy(path, root / "openapi" / path.name)
    shutil.copy(here.root / "pyproject.toml", root / "pyproject.toml")
    return Sources(root)


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


def raise_version(sources: Sources, version: str, entry: str = "Nothing is breaking.") -> None:
    replace(sources.contract, f"version: {VERSION}", f"version: {version}")
    replace(sources.changelog, f"## {VERSION}", f"## {version}\n\n{entry}\n\n## {VERSION}")
    for project in (sources.root, sources.client):
        replace(project / "pyproject.toml", f'"{VERSION}"', f'"{version}"')


def break_contract(sources: Sources) -> None:
    replace(sources.contract, "operationId: fetch_key", "operationId: read_key")


def refused(sources: Sources) -> list[str]:
    with pytest.raises(Refused) as raised:
        check(sources)
    return str(raised.value).splitlines()


def after(version: str, breaking: str) -> str:
    major, minor, patch = map(int, version.split("."))
    steps = {"patch": (major, minor, patch + 1), "minor": (major, minor + 1, 0)}
    return ".".join(map(str, steps[breaking]))


# The versions


def test_the_contract_may_be_released_as_it_stands() -> None:
    assert VERSION == check(Sources())


def test_contract_changelog_and_client_have_one_version() -> None:
    assert {VERSION} == set(Sources().versions().values())
    assert precedence(VERSION)


def test_the_changelog_tells_of_every_release() -> None:
    for path in releases():
        assert Sources().entry(path.stem), path


FILES = [
    ("generated/pyproject.toml", f'version = "{VERSION}"', 'version = "9.9.9"', "says 9.9.9"),
    ("pyproject.toml", f'version = "{VERSION}"', 'version = "9.9.9"', "says 9.9.9"),
    ("openapi/CHANGELOG.md", f"## {VERSION}", "## 9.9.9", "says 9.9.9"),
]


@pytest.mark.parametrize(("name", "old", "new", "message"), FILES)
def test_a_version_that_differs_is_refused_and_named(
    sources: Sources, name: str, old: str, new: str, message: str
) -> None:
    replace(sources.root / name, old, new)
    assert f"{name} {message}, the contract says {VERSION}" in refused(sources)


@pytest.mark.parametrize("version", ["1.0", "v1.0.0"])
def test_a_version_that_is_none_is_refused(sources: Sources, version: str) -> None:
    raise_version(sources, version)
    assert [f"{version!r} is no version of SemVer such as 1.2.3"] == refused(sources)


def test_a_version_without_words_in_the_changelog_is_refused(sources: Sources) -> None:
    sources.changelog.write_text(f"# Changes\n\n## {VERSION}\n\n## 0.0.1\n\nThe first.\n")
    assert [f"openapi/CHANGELOG.md has no entry for {VERSION}"] == refused(sources)
    sources.changelog.write_text("# Changes\n")
    assert f"openapi/CHANGELOG.md has no entry for {VERSION}" in refused(sources)


# The releases before


def test_a_released_contract_is_never_changed(sources: Sources) -> None:
    keep(sources)
    replace(sources.contract, "Draw a picture", "Draw pictures")
    message = f"{VERSION} was released with another contract; take a new version"
    assert [message] == refused(sources)


def test_an_older_version_than_the_last_is_refused(sources: Sources) -> None:
    keep(sources).rename(sources.released / "99.0.0.yaml")  # type: ignore[union-attr]
    assert [f"{VERSION} is older than 99.0.0, which was released"] == refused(sources)


def test_a_breaking_change_asks_for_a_version_that_may_break(sources: Sources) -> None:
    keep(sources)
    raise_version(sources, patch := after(VERSION, "patch"))
    break_contract(sources)
    message = "GET /v1/key: operationId was 'fetch_key', is 'read_key'"
    assert [f"{message}; that asks for more than {patch} after {VERSION}"] == refused(sources)


def test_a_breaking_change_is_told_in_the_changelog(sources: Sources) -> None:
    keep(sources)
    raise_version(sources, minor := after(VERSION, "minor"))
    break_contract(sources)
    assert refused(sources)[0].endswith("; the changelog says nothing of it under Breaking")
    replace(sources.changelog, "Nothing is breaking.", "**Breaking**: `read_key` was `fetch_key`.")
    assert minor == check(sources)


def test_a_history_that_cannot_be_compared_is_refused(sources: Sources) -> None:
    sources.released.mkdir()
    (sources.released / "0.0.1.yaml").write_text("a: [")
    assert "is no YAML" in refused(sources)[0]
    (sources.released / "latest.yaml").touch()
    assert ["'latest' is no version of SemVer such as 1.2.3"] == refused(sources)


# What is written


def test_a_release_holds_the_contract_its_editions_its_reference_and_the_client(
    sources: Sources, tmp_path: Path
) -> None:
    dist = tmp_path / "dist"
    names = {path.relative_to(dist).as_posix() for path in write(sources, dist)}
    document, stem = sources.document, f"mjgate-{VERSION}"
    pages = {f"{stem}-reference/{name}" for name in reference_files(document)}
    client = {f"mjgate_client-{VERSION}-py3-none-any.whl", f"mjgate_client-{VERSION}.tar.gz"}
    written = {f"{stem}.yaml", f"{stem}.json", "CHANGELOG.md", "SHA256SUMS"}
    editions = {f"{stem}-openapi-3.1.yaml", f"{stem}-openapi-3.1.json"}
    assert written | editions | pages | client == names

    assert sources.contract.read_bytes() == (dist / f"{stem}.yaml").read_bytes()
    assert document.spec == json.loads((dist / f"{stem}.json").read_bytes())
    edition = (dist / f"{stem}-openapi-3.1.yaml").read_text("utf-8")
    assert to_3_1(document.spec) == yaml.safe_load(edition)
    assert to_3_1(document.spec) == json.loads((dist / f"{stem}-openapi-3.1.json").read_bytes())
    assert not [line for line in edition.splitlines() if line.endswith(" &id001")]


def test_every_file_of_a_release_is_summed(sources: Sources, tmp_path: Path) -> None:
    names = {str(path.relative_to(tmp_path / "dist")) for path in write(sources, tmp_path / "dist")}
    sums = (tmp_path / "dist" / "SHA256SUMS").read_text().splitlines()
    summed = {line[66:]: line[:64] for line in sums}
    assert names - {"SHA256SUMS"} == summed.keys()
    for name, digest in summed.items():
        assert digest == hashlib.sha256((tmp_path / "dist" / name).read_bytes()).hexdigest()


def test_wheel_and_sdist_hold_the_package_and_say_its_version(
    sources: Sources, tmp_path: Path
) -> None:
    write(sources, dist := tmp_path / "dist")
    stem = f"mjgate_client-{VERSION}"
    with zipfile.ZipFile(dist / f"{stem}-py3-none-any.whl") as wheel:
        metadata = wheel.read(f"{stem}.dist-info/METADATA").decode()
        names = set(wheel.namelist())
    assert f"\nVersion: {VERSION}\n" in metadata
    assert "\nLicense-Expression: MIT\nLicense-File: LICENSE\n" in metadata
    assert f"{stem}.dist-info/licenses/LICENSE" in names
    with tarfile.open(dist / f"{stem}.tar.gz") as sdist:
        packed = {name.removeprefix(f"{stem}/") for name in sdist.getnames()}
    modules = {name for name in names if name.startswith("mjgate_client/")}
    assert {"mjgate_client/py.typed", "mjgate_client/client.py"} <= modules
    assert modules | {"LICENSE"} <= packed


def test_the_client_has_the_license_of_the_project() -> None:
    copy, original = (Sources().root / name for name in ("generated/LICENSE", "LICENSE"))
    assert original.read_bytes() == copy.read_bytes()


def test_the_same_sources_give_the_same_bytes_wherever_and_whenever(
    sources: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(sources, tmp_path / "once")
    moved = Sources(sources.root.rename(tmp_path / "moved"))
    for path in moved.root.rglob("*.py"):
        path.touch()
        path.chmod(0o600)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    write(moved, tmp_path / "again")
    once, again = ((tmp_path / name / "SHA256SUMS").read_text() for name in ("once", "again"))
    assert once == again


def test_a_release_takes_the_place_of_the_one_before(sources: Sources, tmp_path: Path) -> None:
    write(sources, dist := tmp_path / "new" / "dist")
    (dist / "old.whl").touch()
    write(sources, dist)
    assert not (dist / "old.whl").exists()


def test_a_folder_of_other_things_is_left_alone(sources: Sources, tmp_path: Path) -> None:
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / "thesis.txt").touch()
    with pytest.raises(Refused, match="holds something else than a release"):
        write(sources, tmp_path / "dist")
    assert (tmp_path / "dist" / "thesis.txt").exists()


def test_a_contract_whose_edition_is_not_valid_is_not_released(
    sources: Sources, tmp_path: Path
) -> None:
    replace(sources.contract, "    name: MIT\n", "    name: MIT\n    identifier: [MIT]\n")
    with pytest.raises(Refused, match=r"the 3\.1 edition is not valid"):
        write(sources, tmp_path / "dist")
    assert not (tmp_path / "dist").exists()


def test_the_command_names_what_it_wrote_and_what_to_commit(
    sources: Sources, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dist, kept = tmp_path / "dist", sources.released / f"{VERSION}.yaml"
    assert 0 == main([str(dist)], sources)
    *names, last = capsys.readouterr().out.splitlines()
    assert {str(path) for path in dist.rglob("*") if path.is_file()} == set(names)
    assert f"Commit {kept}: the next contract is compared with it." == last
    assert CONTRACT.read_bytes() == kept.read_bytes()
    assert 0 == main([str(dist)], sources)
    assert "Commit" not in capsys.readouterr().out


def test_the_command_says_why_it_refuses_and_writes_nothing(
    sources: Sources, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    replace(sources.changelog, f"## {VERSION}", "## 9.9.9")
    assert 1 == main([str(tmp_path / "dist")], sources)
    assert f"has no entry for {VERSION}" in capsys.readouterr().err
    assert not (tmp_path / "dist").exists()
    assert not sources.released.exists()


def test_make_releases_nothing_where_the_client_is_stale_or_the_release_is_refused() -> None:
    told = subprocess.run(
        ["make", "--no-print-directory", "-n", "release"],
        cwd=CONTRACT.parents[1],
        capture_output=True,
        text=True,
    )
    check, release = told.stdout.splitlines()[-2:]
    assert check.endswith("openapi/generate.py --check")
    assert release.endswith("-m openapi.release")
