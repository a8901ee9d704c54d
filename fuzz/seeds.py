#!/usr/bin/env python3
"""Creates the initial corpus of the fuzz targets from the test fixtures: `python3 fuzz/seeds.py`."""
import pathlib, struct, zipfile

HERE = pathlib.Path(__file__).resolve().parent
FIXTURES = HERE.parent / "crates/vision-models/tests/fixtures/weights"


def put(target, name, data):
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


for path in FIXTURES.rglob("*.pth"):
    put("pth", path.name, path.read_bytes())
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.endswith("data.pkl"):
                    put("pickle", path.stem, archive.read(name))
for path in FIXTURES.glob("*.safetensors"):
    data = path.read_bytes()
    put("safetensors", path.name, data)
    put("safetensors", path.stem + ".header", data[8:8 + struct.unpack("<Q", data[:8])[0]])
for path in (FIXTURES.parent / "onnx").glob("*.onnx"):
    put("onnx", path.name, path.read_bytes())
put("index", "plain", b'{"metadata":{"total_size":1},"weight_map":{"fc.bias":"a.safetensors","bn.bias":"b.safetensors"}}')
