"""What is published: the source archive, and the wheel that is built from it."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from tests.processes import ROOT


def build(kind: str, source: Path, into: Path) -> Path:
    command = [sys.executable, "-m", "build", f"--{kind}", "--no-isolation", "--outdir", str(into), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    [built] = into.iterdir()
    return built


@pytest.fixture(scope="module")
def archive(tmp_path_factory) -> Path:
    """The source archive, unpacked."""
    folder = tmp_path_factory.mktemp("archive")
    with tarfile.open(build("sdist", ROOT, folder / "built")) as archive:
        archive.extractall(folder, filter="data")
    return next(folder.glob("webchat-*"))


@pytest.fixture(scope="module")
def wheel(archive, tmp_path_factory) -> dict[str, bytes]:
    """The wheel that is built from the source archive: each file's content by its name."""
    return contents(build("wheel", archive, tmp_path_factory.mktemp("wheel")))


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def test_the_wheel_installs_one_package_and_nothing_beside_it(wheel):
    [information] = {name.partition("/")[0] for name in wheel} - {"webchat"}
    assert information.startswith("webchat-")
    assert information.endswith(".dist-info")


def test_the_source_archive_builds_the_wheel_that_the_checkout_builds(wheel, tmp_path):
    of_the_checkout = contents(build("wheel", ROOT, tmp_path))
    assert sorted(of_the_checkout) == sorted(wheel)
    assert {name for name, content in of_the_checkout.items() if wheel[name] != content} == set()


def test_the_wheel_has_every_file_of_the_package_and_its_types(wheel):
    found = [path for folder in ("webchat", "templates", "static") for path in (ROOT / folder).rglob("*")]
    names = [path.relative_to(ROOT).as_posix() for path in found if path.is_file() and "__pycache__" not in path.parts]
    expected = {name if name.startswith("webchat/") else f"webchat/{name}" for name in names}
    assert {name for name in wheel if name.startswith("webchat/")} == expected
    assert "webchat/py.typed" in expected


def test_its_metadata_says_what_it_is_and_names_its_licence(wheel):
    [name] = [name for name in wheel if name.endswith(".dist-info/METADATA")]
    metadata = Parser().parsestr(wheel[name].decode())
    assert (metadata["Name"], metadata["License-Expression"]) == ("webchat", "MIT")
    assert "Typing :: Typed" in metadata.get_all("Classifier")
    assert name.replace("METADATA", "licenses/LICENSE") in wheel


def test_the_source_archive_has_what_a_packager_needs(archive):
    documents = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "LICENSE")
    for name in (*documents, "Makefile", "tests/conftest.py", "docs/deploy.md"):
        assert (archive / name).read_bytes() == (ROOT / name).read_bytes()
    assert not {".venv", "dist", ".git"} & {path.name for path in archive.iterdir()}


def test_what_the_wheel_installs_shows_its_pages(wheel, tmp_path):
    for name, content in wheel.items():
        path = tmp_path / "installed" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    code = """if True:
        import sys, webchat
        from webchat.web import resources
        app = webchat.create_app({"AMPLIFIER_HOME": sys.argv[1], "WEBCHAT_BACKEND": "mock"})
        client = app.test_client()
        print(webchat.__file__, resources("static"))
        print(client.get("/").status_code, client.get("/static/app.css").status_code)
        app.extensions["webchat"].close()
    """
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "installed")}
    command = [sys.executable, "-c", code, str(tmp_path / "home")]
    told = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True).stdout
    package = tmp_path / "installed" / "webchat"
    assert told.split() == [str(package / "__init__.py"), str(package / "static"), "200", "200"]
