"""The npm package in a fresh project: packed, installed without a network, type-checked strictly and built by Vite.

That the built page plays and shares is e2e/test_install.py's.
"""

from __future__ import annotations

import json
import re
import tarfile
from pathlib import Path

import pytest
from peerpool import __version__, cli
from peerpool.bundle import SECOND_SCRIPTS
from peerpool.core.errors import BundleError
from peerpool.npm_package import npm_version

from tests.npm_project.build import ROOT, Project, run

pytestmark = pytest.mark.skipif(not (ROOT / "node_modules" / "vite").is_dir(), reason="needs `npm ci`")


@pytest.fixture(scope="module")
def tarball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("packed")
    assert cli.main(["package", "--out", str(out)]) == 0
    (made,) = out.iterdir()
    return made


@pytest.fixture(scope="module")
def project(tarball: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(tmp_path_factory.mktemp("npm") / "site", tarball)


def test_the_tarball_is_the_layout_of_the_documents(tarball: Path) -> None:
    with tarfile.open(tarball) as packed:
        names = {name.removeprefix("package/") for name in packed.getnames()}
        manifest = packed.extractfile("package/package.json")
        assert manifest is not None
        fields = json.load(manifest)
    assert {"LICENSE", "README.md", "package.json", "types/index.d.ts"} <= names
    hashed = [re.sub(r"\.[0-9a-f]{8}\.js$", ".HASH.js", name) for name in names if name.startswith("dist/peerpool")]
    assert {name for name in hashed if name.endswith(".js")} == {
        "dist/peerpool.js",
        "dist/peerpool.esm.js",
        "dist/peerpool-sw.js",
        *(f"dist/{name.removesuffix('.js')}.HASH.js" for name in SECOND_SCRIPTS),
    }
    assert fields["version"] == npm_version(__version__)
    assert "dependencies" not in fields
    exports = [
        target
        for value in fields["exports"].values()
        for target in (value.values() if isinstance(value, dict) else [value])
    ]
    targets = [*exports, *fields["sideEffects"], fields["types"], fields["unpkg"], fields["jsdelivr"]]
    assert {target.removeprefix("./") for target in targets} <= names


def test_only_what_is_public_has_types(tarball: Path) -> None:
    with tarfile.open(tarball) as packed:
        types = {name.removeprefix("package/types/") for name in packed.getnames() if "/types/" in name}
    assert not {"pool.d.ts", "engine.d.ts"} & types
    assert not [name for name in types if name.startswith(("core/", "io/", "files/"))]


def test_the_hosted_script_names_the_second_scripts_beside_it(tarball: Path) -> None:
    with tarfile.open(tarball) as packed:
        script = packed.extractfile("package/dist/peerpool.js")
        assert script is not None
        text = script.read().decode()
        second = [Path(name).name for name in packed.getnames() if re.search(r"\.[0-9a-f]{8}\.js$", name)]
    assert len(second) == len(SECOND_SCRIPTS)
    assert all(name in text for name in second)


def test_a_strict_project_type_checks_and_misuse_does_not(project: Project) -> None:
    assert project.check_types() == ""
    # Without players' own types, not all of which resolve so.
    assert project.check_types("tsconfig.nodenext.json") == ""
    misuse = project.folder / "src" / "misuse.ts"
    misuse.write_text('import { configure } from "media-peerpool";\nconfigure({ neighbours: "8" });\n')
    try:
        assert "src/misuse.ts(2,13): error TS2322" in project.check_types()
    finally:
        misuse.unlink()


def test_vite_builds_it_with_the_seldom_needed_parts_apart(project: Project) -> None:
    scripts = sorted(path.name for path in (project.build() / "assets").glob("*.js"))
    seldom = {name.removeprefix("peerpool-").removesuffix(".js") for name in SECOND_SCRIPTS}
    assert seldom | {"index"} <= {name.partition("-")[0] for name in scripts}
    (index,) = (project.folder / "dist" / "assets").glob("index-*.js")
    built = index.read_text(encoding="utf-8")
    assert f'"{__version__}"' in built or f"`{__version__}`" in built
    # A tracker of another version has not the files that this one was built with.
    assert not re.search(r"peerpool-\w+\.[0-9a-f]{8}\.js|PEERPOOL_[A-Z]", built)


def test_a_build_that_uses_nothing_of_it_carries_nothing_of_it(project: Project) -> None:
    source = project.folder / "unused.js"
    source.write_text('import { attach } from "media-peerpool";\nexport const other = 1;\n')
    esbuild = str(ROOT / "node_modules" / ".bin" / "esbuild")
    assert len(run([esbuild, str(source), "--bundle", "--format=esm", "--log-level=error"], project.folder)) < 200


@pytest.mark.parametrize(
    ("python", "npm"),
    [("1.2.3", "1.2.3"), ("1.2.0rc1", "1.2.0-rc.1"), ("1.2.0a2", "1.2.0-a.2"), ("0.4.0.dev3", "0.4.0-dev.3")],
)
def test_versions_are_the_python_packages(python: str, npm: str) -> None:
    assert npm_version(python) == npm


@pytest.mark.parametrize("python", ["1.2", "1!1.2.3", "1.2.3.post1", "1.2.3+local"])
def test_a_version_that_npm_cannot_have_is_refused(python: str) -> None:
    with pytest.raises(BundleError, match=r"name it 1\.2\.3"):
        npm_version(python)
