#!/usr/bin/env python3
"""Creates the initial corpus of the fuzz targets, and their dictionaries: `python3 fuzz/seeds.py`.

The seeds are the test fixtures, and what this script makes of them: TAR files in the formats of GNU and PAX, zip
archives of odd names and methods, safetensors files with a hash in their header.
"""
import hashlib, io, json, math, pathlib, struct, tarfile, zipfile

HERE = pathlib.Path(__file__).resolve().parent
FIXTURES = HERE.parent / "crates/vision-models/tests/fixtures/weights"
# libFuzzer works best with small inputs.
LARGEST = 64 << 10


def put(target, name, data):
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    if len(data) <= LARGEST:
        (folder / name).write_bytes(data)


def words(target, *tokens):
    lines = ('"' + "".join(f"\\x{byte:02x}" for byte in token) + '"\n' for token in tokens)
    (HERE / "corpus" / f"{target}.dict").write_text("".join(lines))


def entries(path):
    with zipfile.ZipFile(path) as archive:
        return [(name.split("/", 1)[1], archive.read(name)) for name in archive.namelist()]


def zips(name, parts):
    """One archive under odd names, with other methods, comments, checksums and order."""
    def write(kind, root="archive/", method=zipfile.ZIP_STORED, order=1, comment=b"", extra=b"", change=None):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", method) as archive:
            archive.comment = comment
            for entry, data in parts[::order]:
                info = zipfile.ZipInfo(root + entry)
                info.compress_type, info.extra = method, extra
                archive.writestr(info, data if change is None else change(entry, data))
        put("pth", f"{name}.{kind}", out.getvalue())

    write("plain")
    for kind, root in {"30": "n" * 21 + "/", "empty": "", "slash": "/", "dots": "../", "deep": "a/b/c/", "unicode": "模型/",
                       "blank": " /", "back": "a\\b/", "absolute": "/tmp/x/", "long": "n" * 300 + "/", "zip": "model.pth.tar/"}.items():
        write(f"root-{kind}", root)
    write("reversed", order=-1)
    write("deflated", method=zipfile.ZIP_DEFLATED)
    write("comment", comment=b"PK\x05\x06" * 6)
    write("extra", extra=struct.pack("<HH", 0x4246, 28) + b"Z" * 28)
    write("zip64", extra=struct.pack("<HHQQ", 1, 16, 1, 1))
    write("big", change=lambda entry, data: b"big" if entry == "byteorder" else data)


def tars(name, path):
    """One TAR file in each format, also with names that need long headers."""
    with tarfile.open(path) as archive:
        parts = [(member.name, archive.extractfile(member).read()) for member in archive.getmembers()]
    for kind, form in {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}.items():
        for prefix in ("", "./", "é/", "n" * 90 + "/" + "n" * 90 + "/"):
            out = io.BytesIO()
            with tarfile.open(fileobj=out, mode="w", format=form) as archive:
                for entry, data in parts:
                    info = tarfile.TarInfo(prefix + entry)
                    info.size = len(data)
                    if form == tarfile.PAX_FORMAT:
                        info.mtime, info.pax_headers = 1.5, {"comment": "é" * 40}
                    archive.addfile(info, io.BytesIO(data))
            put("pth", f"{name}.{kind}.{len(prefix)}", out.getvalue())


def sealed(name, data, old):
    """Adds the hash that `write_sealed` writes; `old` is a wrong one of another form."""
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + length])
    header["__metadata__"] = {**header.get("__metadata__", {}), "sha256": "0" * 64}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    blank = struct.pack("<Q", len(text)) + text + data[8 + length:]
    digits = old or hashlib.sha256(blank).hexdigest().encode()
    put("safetensors", name, blank.replace(b"0" * 64, digits, 1))


for path in sorted(p for p in FIXTURES.rglob("*") if p.suffix in {".pth", ".ckpt", ".tar", ".pt", ".pt2", ".npz"}):
    put("pth", path.name, path.read_bytes())
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.endswith("data.pkl"):
                    put("pickle", path.name, archive.read(name))
for name in ("zip.pth", "forms/timm.pth.tar"):
    zips(pathlib.Path(name).stem, entries(FIXTURES / name))
tars("tar", FIXTURES / "tar.pth")
words("pth", b"PK\1\2", b"PK\3\4", b"PK\5\6", b"PK\6\6", b"PK\6\7", b"\1\0\x10\0", b"data.pkl", b"byteorder", b"/", b"ustar\0", b"ustar  \0",
      b"././@LongLink", b"././@PaxHeader", b"20 path=pickle\n", b"GNU.sparse.size", b"storages", b"tensors", b"pickle")
words("pickle", *b"( ) ] } t l d u s e a R Q b . 0 1 2 N o".split(), b"\x81", b"\x85", b"\x86", b"\x87", b"\x88", b"\x8f", b"\x90", b"\x91",
      b"\x92", b"\x93", b"\x94", b"h\0", b"q\0", b"K\1", b"M\xff\xff", b"J\xff\xff\xff\xff", b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f",
      b"X\7\0\0\0storage", b"ctorch._utils\n_rebuild_tensor_v2\n", b"ctorch._utils\n_rebuild_tensor_v3\n", b"ctorch._utils\n_rebuild_parameter\n",
      b"ctorch._tensor\n_rebuild_from_type_v2\n", b"ctorch\nDoubleStorage\n", b"ctorch.storage\nUntypedStorage\n", b"ctorch\nfloat16\n",
      b"ccollections\nOrderedDict\n", b"ccollections\ndefaultdict\n", b"ccollections\nCounter\n", b"cbuiltins\nset\n", b"ctorch\nSize\n",
      b"X\x0b\0\0\0conv.weight", b"X\7\0\0\0bn.bias", b"X\3\0\0\0ema")

for path in FIXTURES.glob("*.safetensors"):
    data = path.read_bytes()
    put("safetensors", path.name, data)
    put("safetensors", path.stem + ".header", data[8:8 + struct.unpack("<Q", data[:8])[0]])
    sealed(path.stem + ".sealed", data, None)
    sealed(path.stem + ".broken", data, b"f" * 64)
    sealed(path.stem + ".short", data, b"f")
# Queries, keys and values that become one layer, and such that do not fit together.
for name, shapes in {"apart": [[2, 2]] * 3, "uneven": [[2, 2], [2, 2], [3, 2]], "scalars": [[]] * 3}.items():
    header, end = {}, 0
    for part, shape in zip(("query", "key", "value"), shapes):
        begin, end = end, end + 4 * math.prod(shape)
        header[f"a.{part}.weight"] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    put("safetensors", name, struct.pack("<Q", len(text)) + text + bytes(range(end)))
words("safetensors", b'"__metadata__":{', b'"sha256":"', b'"dtype":"', b'"F32"', b'"F16"', b'"BF16"', b'"F64"', b'"I64"', b'"F4"', b'"F8_E4M3"', b'"C64"',
      b'"shape":[', b'"data_offsets":[', b"18446744073709551615", b"\\u0000", b'"conv.weight"', b".query.", b".key.", b".value.", b".qkv.", b"0" * 64)

for path in [*(FIXTURES.parent / "onnx").glob("*.onnx"), *FIXTURES.rglob("*.onnx")]:
    put("onnx", path.name, path.read_bytes())

put("index", "plain", b'{"metadata":{"total_size":1},"weight_map":{"fc.bias":"a.safetensors","bn.bias":"b.safetensors"}}')
put("index", "prefixed", b'{"weight_map":{"model.fc.bias":"a.safetensors","bn.bias":"../b.safetensors","x":"c"}}')
put("index", "missing", b'{"weight_map":{"fc.weight":"a.safetensors","fc.bias":"a.safetensors","conv.weight":"/etc/passwd"}}')
words("index", b'"weight_map":{', b'"a.safetensors"', b'"b.safetensors"', b"../", b"\\", b"\\u0000", b"fuzzed.safetensors.index.json", b"/")
