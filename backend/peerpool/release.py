"""`make release`: wheel, sdist and npm tarball, the same bytes each time, with a bill of materials and notices.

Source checkouts only; needs the development packages.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Final
from uuid import UUID, uuid5

from peerpool import __version__, bundle
from peerpool.core.constants import PROTOCOL
from peerpool.core.errors import BundleError
from peerpool.npm_package import npm_version, pack, write_package

PACKAGE: Final = "media-peerpool"
BUILD_TIMEOUT_S: Final = 300
SBOM: Final = "sbom.cdx.json"
SUMS: Final = "SHA256SUMS"
# Of the bill's serial number, which is to be the same for the same contents.
NAMESPACE: Final = UUID("6f0a1f0e-6d0b-5b43-9a53-8a1d3c5c9d2e")
_REQUIREMENT: Final = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?[^;]*(?:;(.*))?$")


def release(root: Path, out: Path) -> list[Path]:
    """Make everything in the folder `out`, in place of what is there; return the files. Raises BundleError."""
    check_versions(root)
    bundle.build(root)
    with tempfile.TemporaryDirectory() as folder:
        staging = Path(folder) / "dist"
        staging.mkdir()
        _build_python(root, staging)
        package = Path(folder) / "package"
        write_package(root, package)
        pack(package, staging)
        (staging / SBOM).write_text(bill_of_materials(root), encoding="utf-8")
        sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(staging.iterdir())]
        (staging / SUMS).write_text("".join(sums), encoding="utf-8")
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(staging, out)
    return sorted(out.iterdir())


def check_versions(root: Path) -> None:
    """Raise BundleError where version, protocol version and changelog do not agree."""
    changelog = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    if f"## [{__version__}]" not in changelog and f"What {__version__}" not in changelog:
        raise BundleError(f"CHANGELOG.md says nothing of {__version__}: name its part `## [{__version__}] - DATE`")
    for name in ("CHANGELOG.md", "docs/wire-protocol.md"):
        if f"`{PROTOCOL}`" not in (root / name).read_text(encoding="utf-8"):
            raise BundleError(f"{name} does not name the protocol `{PROTOCOL}`")
    npm_version(__version__)


def _build_python(root: Path, out: Path) -> None:
    """Build wheel and sdist; times in them are those of the last commit."""
    epoch = _git(root, "log", "-1", "--format=%ct") or "1767225600"
    environ = os.environ | {"SOURCE_DATE_EPOCH": epoch, "PYTHONPATH": str(root / "backend")}
    command = [sys.executable, "-m", "hatchling", "build", "--directory", str(out)]
    done = subprocess.run(  # noqa: S603 (our own arguments)
        command, cwd=root, env=environ, capture_output=True, text=True, timeout=BUILD_TIMEOUT_S, check=False
    )
    if done.returncode != 0:
        raise BundleError(f"the wheel could not be built:\n{(done.stderr or done.stdout).strip()}")


def _git(root: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)  # noqa: S603, S607
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def bill_of_materials(root: Path) -> str:
    """Return a CycloneDX 1.6 document of what is installed beside the tracker, and bundled into its scripts."""
    from cyclonedx.contrib.license.factories import LicenseFactory  # noqa: PLC0415 - development only
    from cyclonedx.model.bom import Bom  # noqa: PLC0415
    from cyclonedx.model.component import Component, ComponentType  # noqa: PLC0415
    from cyclonedx.output.json import JsonV1Dot6  # noqa: PLC0415
    from packageurl import PackageURL  # noqa: PLC0415

    bom, licences = Bom(), LicenseFactory()
    ours = Component(
        name=PACKAGE, version=__version__, type=ComponentType.APPLICATION, bom_ref=f"{PACKAGE}@{__version__}"
    )
    bom.metadata.component = ours
    for kind, name, version, licence in [*python_packages(), *npm_packages(root)]:
        group, _, bare = name.rpartition("/")
        bom.components.add(
            Component(
                name=name,
                version=version,
                type=ComponentType.LIBRARY,
                bom_ref=f"{kind}:{name}@{version}",
                purl=PackageURL(kind, group or None, bare, version),
                licenses=[licences.make_from_string(licence)] if licence else [],
            )
        )
    bom.register_dependency(ours, bom.components)
    document = json.loads(JsonV1Dot6(bom).output_as_string())
    del document["metadata"]["timestamp"]
    del document["serialNumber"]
    document["serialNumber"] = f"urn:uuid:{uuid5(NAMESPACE, json.dumps(document, sort_keys=True))}"
    return json.dumps(document, indent=2, sort_keys=True) + "\n"


Package = tuple[str, str, str, str]


def python_packages() -> list[Package]:
    """Return kind, name, version and licence of every package that installing ours installs."""
    found: dict[str, Package] = {}
    waiting = [PACKAGE]
    while waiting:
        name = waiting.pop()
        for requirement in metadata.requires(name) or []:
            matched = _REQUIREMENT.match(requirement)
            if matched is None or (matched[2] and "extra" in matched[2]):
                continue
            needed = re.sub(r"[-_.]+", "-", matched[1]).lower()
            if needed in found:
                continue
            try:
                about = metadata.metadata(needed)
            except metadata.PackageNotFoundError:
                continue  # of another system or version
            found[needed] = ("pypi", needed, about["Version"], _licence_of(about))
            waiting.append(needed)
    return sorted(found.values())


def _licence_of(about: metadata.PackageMetadata) -> str:
    """Return the licence in one line, as far as it is said."""
    if "License-Expression" in about:
        return str(about["License-Expression"])
    classifiers = [one.rpartition(" :: ")[2] for one in about.get_all("Classifier") or [] if "License ::" in one]
    text = str(about["License"]) if "License" in about else ""
    return classifiers[0] if classifiers else text if "\n" not in text else ""


def npm_packages(root: Path) -> list[Package]:
    """Return kind, name, version and licence of every package that is bundled into our scripts."""
    found = []
    for folder in bundle.third_parties(root):
        about = json.loads((folder / "package.json").read_text(encoding="utf-8"))
        found.append(("npm", str(about["name"]), str(about["version"]), str(about.get("license", ""))))
    return sorted(found)
