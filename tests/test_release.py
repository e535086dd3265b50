"""`make release`: the same bytes each time, and a bill of what is in them. `e2e/test_installed.py` runs the wheel."""

from __future__ import annotations

import json
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest
from peerpool import __version__, bundle, cli, release
from peerpool.core.errors import BundleError
from peerpool.npm_package import npm_version

from tests.servers import ROOT

pytestmark = pytest.mark.skipif(not (ROOT / "node_modules" / "esbuild").is_dir(), reason="needs `npm ci`")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out: Path = tmp_path_factory.mktemp("release") / "dist"
    assert cli.main(["release", "--out", str(out)]) == 0
    return out


def test_the_same_checkout_makes_the_same_bytes(made: Path, tmp_path: Path) -> None:
    again = tmp_path / "dist"
    assert cli.main(["release", "--out", str(again)]) == 0
    assert sorted(path.name for path in again.iterdir()) == sorted(path.name for path in made.iterdir())
    assert [path.name for path in made.iterdir() if path.read_bytes() != (again / path.name).read_bytes()] == []


def test_sums_are_of_what_is_there(made: Path) -> None:
    subprocess.run(["sha256sum", "--check", "--strict", release.SUMS], cwd=made, check=True, capture_output=True)
    listed = [line.split()[1] for line in (made / release.SUMS).read_text().splitlines()]
    assert sorted([*listed, release.SUMS]) == sorted(path.name for path in made.iterdir())


def test_the_bill_names_what_is_installed_and_what_is_bundled(made: Path) -> None:
    bill = json.loads((made / release.SBOM).read_text())
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert bill["metadata"]["component"]["version"] == __version__
    purls = {component["purl"].partition("@")[0] for component in bill["components"]}
    assert {"pkg:pypi/starlette", "pkg:pypi/h11", "pkg:npm/m3u8-parser", "pkg:npm/hls.js", "pkg:npm/d3-force"} <= purls
    assert not {"pkg:pypi/pytest", "pkg:npm/typescript"} & purls
    assert all(component["licenses"] for component in bill["components"])


def test_licences_of_what_is_bundled_are_in_wheel_and_sdist(made: Path) -> None:
    (wheel,), (sdist,) = made.glob("*.whl"), made.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        notices = archive.read(f"peerpool/bundled/{bundle.NOTICES}").decode()
        assert any(name.endswith("licenses/LICENSE") for name in archive.namelist())
    with tarfile.open(sdist) as packed:
        assert any(name.endswith(f"bundled/{bundle.NOTICES}") for name in packed.getnames())
    for _, name, version, _ in release.npm_packages(ROOT):
        assert f"{name} {version} (" in notices


def test_the_npm_package_has_the_same_version(made: Path) -> None:
    (tarball,) = made.glob("*.tgz")
    with tarfile.open(tarball) as packed:
        manifest = packed.extractfile("package/package.json")
        assert manifest is not None
        assert json.load(manifest)["version"] == npm_version(__version__)


@pytest.mark.parametrize(
    ("name", "before", "after", "problem"),
    [
        ("CHANGELOG.md", __version__, "9.9.9", "says nothing of"),
        ("docs/wire-protocol.md", "`peerpool.1`", "`peerpool.0`", "does not name the protocol"),
    ],
)
def test_versions_that_do_not_agree_are_refused(
    tmp_path: Path, name: str, before: str, after: str, problem: str
) -> None:
    (tmp_path / "docs").mkdir()
    for one in ("CHANGELOG.md", "docs/wire-protocol.md"):
        text = (ROOT / one).read_text()
        (tmp_path / one).write_text(text.replace(before, after) if one == name else text)
    with pytest.raises(BundleError, match=problem):
        release.check_versions(tmp_path)
