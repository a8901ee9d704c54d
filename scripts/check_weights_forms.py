#!/usr/bin/env python3
"""Files of other programs, written by those programs, read by this library and by the program's own loader.

    pip install torch torchvision timm lightning torchmetrics fastai lightly transformers safetensors onnx onnxruntime onnxscript
    cargo build --workspace --examples
    python3 scripts/check_weights_forms.py [--reader target/debug/examples/load_weights] [GROUP ..]

Prints a table: the form, the program, what happened, and the largest difference over all values and over the logits
of torchvision's model with the values that were read. GROUPs are the functions below, such as `lightning`. Each file is deleted
after its row. `docs/weights.md` has the table of the last run.
"""
import argparse, collections, copy, dataclasses, datetime, decimal, enum, functools, importlib.metadata, io, os, pathlib, re, subprocess, sys
import tempfile, types, uuid, warnings, zipfile

import numpy as np
import torch
import torch.nn.utils.prune
import torchvision
from safetensors.torch import load_file, save_file
from torch import nn

warnings.filterwarnings("ignore")
os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT="29531", HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="forms"))
INPUT = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
FAILED, ARGS = [], None


def randomize(net, seed=0):
    """Distinct values for all parameters and statistics."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, t in net.state_dict().items():
            if t.is_floating_point():
                scale = 0.1 if t.dim() < 2 else t[0].numel() ** -0.5
                t.copy_(torch.randn(t.shape, generator=generator) * scale + (1.0 if name.endswith(("running_var", "bn1.weight")) else 0.0))
                if name.endswith("running_var"):
                    t.abs_().add_(0.5)
    return net.eval()


def resnet(seed=0):
    return randomize(torchvision.models.resnet18(), seed)


def version(package):
    return f"{package} {importlib.metadata.version(package)}"


def plain(state):
    return {k: v.detach() for k, v in state.items() if v.is_floating_point()}


def behind(prefix, state):
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}


def trained(net=None):
    net = net or resnet()
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-4)
    net.train()(INPUT).sum().backward()
    optimizer.step()
    return net.eval(), optimizer


def read(path, arch, options):
    out = FOLDER / "read.safetensors"
    done = subprocess.run([ARGS.reader, arch, str(path), str(out), *options], capture_output=True, text=True)
    if done.returncode:
        return None, done.stderr.rpartition("Error: ")[2].strip()
    return load_file(out), done.stderr


def shortened(text):
    """A message of ours in the words of the table."""
    for old, new in [(r"\n", " "), (r"\|", "/"), (r" Supported are .*", ""), (r"FILE is not a weights file: ", ""),
                     (r"FILE (does not fit the model): (\d+ missing).*?(, \d+ with another shape)?[^;]*(; .*)?$", r"\1, \2\4"),
                     (r"FILE holds (several sets.*?), under the prefixes (.*); choose.*", r"\1: \2"), (r'"([^"\s]+\.)"', r"`\1`"),
                     (r"found under the prefix", "prefix"), (r"(the plain|an averaged) set of .* prefix (\S+): .*", r"names \1 set, \2"),
                     (r"(folded into the layer before them): .*", r"\1")]:
        text = re.sub(old, new, text)
    return text


def row(form, program, path, expected=None, net=None, logits=None, refused=None, options=(), arch="resnet18", body=False):
    """Reads `path`. `expected` are the values, by torchvision's names, that the program's own loader gives, `logits`
    those of the program's own model for INPUT; `refused` are words of the refusal."""
    values, text = read(path, arch, options)
    if path.is_file():
        path.unlink()
    found, worst = "", ""
    if values is None:
        found = ("refused: " if refused else "NOT LOADED: ") + shortened(text.replace(str(path), "FILE"))
        good = refused is not None and refused in text
    else:
        model = getattr(torchvision.models, arch)().eval()
        head = next(reversed(list(model._modules)))
        left_out = ("skipped", "unused", "outside", *(["initialized anew"] if body else []))
        notes = [shortened(line.strip()) for line in text.splitlines()[1:] if not any(word in line for word in left_out)]
        found = "; ".join(["loads" + (", the body" if body else ""), *notes])
        good, worst = refused is None, "not compared"
        if expected is not None:
            names = [k for k in values if not body or not k.startswith(head + ".")]
            missing = [k for k in names if k not in expected]
            assert not missing, f"{form}: expected lacks {missing[:3]}"
            difference = max((values[k] - expected[k].float().reshape(values[k].shape)).abs().max().item() for k in names)
            worst = f"{difference:g}"
            good &= difference == 0
        if logits is not None:
            model.load_state_dict(values, strict=False)
            with torch.no_grad():
                difference = (model(INPUT) - logits).abs().max().item() / logits.abs().max().item()
            worst = f"{worst}, logits {difference:.1g}" if expected is not None else f"logits {difference:.1g}"
            good &= difference < 1e-5
    if not good:
        FAILED.append(form)
    chosen = " ".join(options)
    print(f"| {form}{', `' + chosen + '`' if chosen else ''} | {program} | {found} | {worst} |{'' if good else ' <<<'}", flush=True)


def out(net):
    with torch.no_grad():
        return net.eval()(INPUT)


# ---- PyTorch ----

def pytorch():
    by, net = version("torch"), resnet()
    state = net.state_dict()

    def save(form, obj, name="model.pth", own=None, **more):
        path = FOLDER / name
        how = {k: more.pop(k) for k in list(more) if k.startswith(("pickle", "_use"))}
        torch.save(obj, path, **how)
        loaded = torch.load(path, weights_only=False)
        own = own or (lambda o: o)
        row(form, by, path, plain(own(loaded)), **more)

    save("`state_dict()`", state, logits=out(net))
    for name in ("n" * 21 + ".pth", "ä 模型 (1).pth", "a.b.c.d", "x" * 200 + ".pt", "model.pth.tar", "weights.onnx"):
        save(f"`state_dict()`, file name `{name if len(name) < 40 else name[:8] + '..'}`", state, name)
    save("old format", state, _use_new_zipfile_serialization=False)
    for protocol in (3, 4, 5):
        save(f"pickle protocol {protocol}", state, pickle_protocol=protocol)
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        save(f"{dtype}".removeprefix("torch."), {k: v.to(dtype) if v.is_floating_point() else v for k, v in state.items()})
    save("channels last", resnet().to(memory_format=torch.channels_last).state_dict())
    save("whole module", net, own=lambda o: o.state_dict())
    save("whole module, old format", net, own=lambda o: o.state_dict(), _use_new_zipfile_serialization=False)
    buffer = io.BytesIO()
    torch.save(state, buffer)
    path = FOLDER / "buffer.bin"
    path.write_bytes(buffer.getvalue())
    row("saved to memory, then to a file", by, path, plain(state))
    # Unpacked and packed again, as some hosts do.
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        with zipfile.ZipFile(buffer) as old, zipfile.ZipFile(path, "w", method) as new:
            for name in sorted(old.namelist(), reverse=True):
                new.writestr(name.replace("archive/", "other é/"), old.read(name))
        row(f"packed again by Python's zipfile, method {method}", by, path, plain(torch.load(path)))

    compiled = torch.compile(resnet(), backend="eager")
    save("`torch.compile`, run once", (compiled(INPUT), compiled.state_dict())[1], own=lambda o: behind("_orig_mod.", o), logits=out(compiled))
    save("`torch.compile`, whole module", compiled, own=lambda o: behind("_orig_mod.", o.state_dict()))
    torch.distributed.init_process_group("gloo", rank=0, world_size=1)
    ddp = nn.parallel.DistributedDataParallel(resnet())
    save("DistributedDataParallel", ddp.state_dict(), own=lambda o: behind("module.", o), logits=out(ddp))
    save("DistributedDataParallel of a compiled model", nn.parallel.DistributedDataParallel(compiled).state_dict(),
         own=lambda o: behind("module._orig_mod.", o))
    save("compiled DistributedDataParallel", torch.compile(ddp).state_dict(), own=lambda o: behind("_orig_mod.module.", o))
    save("SyncBatchNorm", nn.SyncBatchNorm.convert_sync_batchnorm(resnet()).state_dict())
    try:
        from torch.distributed.fsdp import fully_shard
        from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
        from torch.distributed.device_mesh import init_device_mesh
        sharded = resnet()
        fully_shard(sharded, mesh=init_device_mesh("cpu", (1,)))
        full = get_model_state_dict(sharded, options=StateDictOptions(full_state_dict=True))
        save("FSDP 2, full state dict", full)
        torch.save(sharded.state_dict(), FOLDER / "sharded.pth")
        row("FSDP 2, sharded tensors", by, FOLDER / "sharded.pth", refused="DTensor")
        import torch.distributed.checkpoint as dcp
        dcp.save({"model": state}, checkpoint_id=FOLDER / "dcp")
        row("`torch.distributed.checkpoint`", by, FOLDER / "dcp", refused="dcp_to_torch")
    finally:
        torch.distributed.destroy_process_group()

    net, optimizer = trained()
    swa = torch.optim.swa_utils.AveragedModel(net)
    swa.update_parameters(resnet(1))
    swa.update_parameters(resnet(2))
    save("SWA (`AveragedModel`)", swa.state_dict(), own=lambda o: behind("module.", o), logits=out(swa))
    ema = torch.optim.swa_utils.AveragedModel(net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.9), use_buffers=True)
    ema.update_parameters(resnet(1))
    ema.update_parameters(resnet(2))
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1)
    checkpoint = {"model": net.state_dict(), "optimizer": optimizer.state_dict(), "lr_scheduler": scheduler.state_dict(), "epoch": 1,
                  "args": argparse.Namespace(lr=0.1, device="cuda", model_ema=True), "model_ema": ema.state_dict(),
                  "scaler": torch.amp.GradScaler("cpu").state_dict()}
    by = f"as train.py of {version('torchvision')} puts it together"
    save("torchvision's reference scripts", checkpoint, own=lambda o: o["model"], logits=out(net))
    save("torchvision's reference scripts", checkpoint, own=lambda o: behind("module.", o["model_ema"]), logits=out(ema), options=["--averaged"])
    by = version("torch")
    for key in ("state_dict", "net", "model_state_dict", "weights", "ckpt.best.net"):
        nested = functools.reduce(lambda inner, k: {k: inner, "epoch": 1}, reversed(key.split(".")), state)
        save(f"under the key `{key}`", nested, own=lambda o: functools.reduce(lambda o, k: o[k], key.split("."), o))
    save("tuple `(state_dict, optimizer)`", (state, optimizer.state_dict()), own=lambda o: o[0])
    renamed = {"encoder.net.0." + k: v for k, v in state.items()}
    save("under another attribute (`encoder.net.0.`)", renamed, own=lambda o: behind("encoder.net.0.", o))
    save("`nn.Sequential(*children)`", nn.Sequential(*list(net.children())[:-1]).state_dict(), own=lambda o: net.state_dict(), body=True)
    beside = containers()
    for protocol in (2, 4, 5):
        save(f"{len(beside)} kinds of Python and NumPy values beside the weights, protocol {protocol}", {**beside, "model": state},
             own=lambda o: o["model"], pickle_protocol=protocol)
    save("the same, old format", {**beside, "model": state}, own=lambda o: o["model"], _use_new_zipfile_serialization=False)
    for kind in (collections.OrderedDict, lambda s: collections.defaultdict(list, s), collections.UserDict, types.SimpleNamespace):
        made = kind(**state) if kind is types.SimpleNamespace else kind(state)
        name = getattr(kind, "__name__", "").replace("<lambda>", "defaultdict")
        if kind is types.SimpleNamespace:
            made = types.SimpleNamespace(state=state)
        save(f"weights in a {name}", made, own=lambda o: o if hasattr(o, "items") else o.state)
    frozen = resnet()
    for p in frozen.parameters():
        p.requires_grad_(False)
    save("parameters, not tensors", dict(frozen.named_parameters()) | dict(frozen.named_buffers()))
    pruned = resnet()
    nn.utils.prune.l1_unstructured(pruned.conv1, "weight", 0.3)
    torch.save(pruned.state_dict(), FOLDER / "pruned.pth")
    row("pruned, the mask not applied", by, FOLDER / "pruned.pth", refused="prune.remove")
    normed = resnet()
    nn.utils.parametrizations.weight_norm(normed.conv1)
    torch.save(normed.state_dict(), FOLDER / "normed.pth")
    row("weight norm, not removed", by, FOLDER / "normed.pth", refused="remove_parametrizations")

    save_file({k: v.contiguous() for k, v in state.items()}, FOLDER / "model.safetensors", metadata={"format": "pt"})
    row("safetensors", version("safetensors"), FOLDER / "model.safetensors", plain(state))
    save_file({"model." + k: v.contiguous() for k, v in state.items()}, FOLDER / "model.safetensors")
    row("safetensors under a prefix", version("safetensors"), FOLDER / "model.safetensors", plain(state))
    torch.save([t for t in state.values()], FOLDER / "list.pth")
    row("tensors without names", by, FOLDER / "list.pth", refused="names")
    torch.save(torch.zeros(3), FOLDER / "one.pth")
    row("a single tensor", by, FOLDER / "one.pth", refused="names")
    torch.save(optimizer.state_dict(), FOLDER / "optimizer.pth")
    row("the optimizer alone", by, FOLDER / "optimizer.pth", refused="optimizer")
    import pickle
    (FOLDER / "bare.pkl").write_bytes(pickle.dumps({k: v.numpy() for k, v in state.items()}))
    row("`pickle.dump` of NumPy arrays", "Python", FOLDER / "bare.pkl", refused="pickle")


class Color(enum.Enum):
    RED = 1


@dataclasses.dataclass
class Settings:
    lr: float = 0.1
    sizes: list = dataclasses.field(default_factory=lambda: [1, 2])


Point = collections.namedtuple("Point", "x y")


class Slots:
    __slots__ = ("a", "b")

    def __init__(self):
        self.a, self.b = 1, [2]


def containers():
    return {
        "defaultdict": collections.defaultdict(list, a=[1, 2]), "nested": collections.defaultdict(functools.partial(dict, a=1), x={}),
        "ordered": collections.OrderedDict(a=1), "counter": collections.Counter("abca"), "deque": collections.deque([1, 2], maxlen=3),
        "chain": collections.ChainMap({"a": 1}, {"b": 2}), "set": {1, 2}, "frozenset": frozenset({"a"}), "tuple": (1, (2, ()), [3]),
        "empty": [set(), frozenset(), {}, [], ()], "datetime": datetime.datetime(2024, 1, 2, tzinfo=datetime.timezone.utc),
        "date": datetime.date(2024, 1, 2), "time": datetime.time(1), "delta": datetime.timedelta(days=1), "path": pathlib.PurePosixPath("/a/b"),
        "posix": pathlib.Path("a"), "windows": pathlib.PureWindowsPath("C:/a"), "namespace": argparse.Namespace(lr=0.1, resume=None),
        "simple": types.SimpleNamespace(a=1), "enum": Color.RED, "dataclass": Settings(), "namedtuple": Point(1, 2), "slots": Slots(),
        "partial": functools.partial(int, base=2), "decimal": decimal.Decimal("1.5"), "uuid": uuid.UUID(int=1), "complex": 1 + 2j,
        "slice": slice(1, 2), "range": range(3), "bytes": b"abc", "bytearray": bytearray(b"abc"), "text": "é 模 \0", "big": 2**100,
        "negative": -(2**70), "floats": [1e300, float("nan"), float("inf")], "none": None, "bool": [True, False], "dtype": torch.float16,
        "device": torch.device("cpu"), "size": torch.Size([1, 2]), "array": np.arange(3.0),
        "strings": np.array(["a", "b"]), "objects": np.array([1, "a"], dtype=object), "scalars": [np.float64(1.5), np.int64(1), np.bool_(True), np.float32(2)],
        "numpy date": np.datetime64("2024-01-02"), "numpy dtype": np.dtype("float32"), "random": np.random.default_rng(0), "old random": np.random.get_state(),
        "generator": torch.get_rng_state(), "class": Settings, "function": len, "method": collections.Counter, "sparse": torch.eye(2).to_sparse(),
        "regex": re.compile("a+"), "zone": datetime.timezone(datetime.timedelta(hours=1)), "ellipsis": ..., "module class": nn.ReLU, "module": nn.Linear(2, 2),
        "meta": torch.empty(2, device="meta"), "exception": ValueError("a"), "cycle": cycle(),
    }


def cycle():
    loop = {"a": 1}
    loop["self"] = loop
    return loop


def refused():
    by, net = version("torch"), resnet()
    torch.jit.trace(net, INPUT).save(FOLDER / "script.pt")
    row("TorchScript, traced", by, FOLDER / "script.pt", refused="TorchScript")
    torch.jit.script(net).save(FOLDER / "script.pt")
    row("TorchScript, scripted", by, FOLDER / "script.pt", refused="TorchScript")
    torch.jit.script(net)._save_for_lite_interpreter(str(FOLDER / "lite.ptl"))
    row("TorchScript for the lite interpreter", by, FOLDER / "lite.ptl", refused="TorchScript")
    torch.export.save(torch.export.export(net, (INPUT,)), FOLDER / "model.pt2")
    row("`torch.export`", by, FOLDER / "model.pt2", refused="torch.export")
    from torch.ao import quantization
    dynamic = quantization.quantize_dynamic(resnet(), {nn.Linear}, dtype=torch.qint8)
    torch.save(dynamic.state_dict(), FOLDER / "dynamic.pth")
    row("quantized, the linear layer alone (`quantize_dynamic`)", by, FOLDER / "dynamic.pth", refused="quantized")
    from torchvision.models.quantization import resnet18
    static = resnet18(quantize=False).eval()
    static.fuse_model()
    static.qconfig = quantization.get_default_qconfig("x86")
    quantization.prepare(static, inplace=True)
    static(INPUT)
    quantization.convert(static, inplace=True)
    torch.save(static.state_dict(), FOLDER / "static.pth")
    row("quantized (`torchvision.models.quantization`)", version("torchvision"), FOLDER / "static.pth", refused="quantized")
    torch.save(static, FOLDER / "static.pth")
    row("quantized, whole module", version("torchvision"), FOLDER / "static.pth", refused="quantized")
    import onnxruntime as ort
    from onnxruntime.quantization import quantize_dynamic
    path = FOLDER / "plain.onnx"
    for dynamo in (False, True):
        torch.onnx.export(net, (INPUT,), path, dynamo=dynamo, verbose=False, **({"external_data": False} if dynamo else {"opset_version": 17}))
        kept = path.read_bytes()
        row(f"ONNX, dynamo={dynamo}", by, path, logits=out(net))
        path.write_bytes(kept)
        for name in ("BASIC", "EXTENDED", "ALL"):
            options = ort.SessionOptions()
            options.graph_optimization_level = getattr(ort.GraphOptimizationLevel, f"ORT_ENABLE_{name}")
            options.optimized_model_filepath = str(FOLDER / "other.onnx")
            ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
            if name == "BASIC":
                row(f"ONNX, dynamo={dynamo}, optimized at the level {name}", version("onnxruntime"), FOLDER / "other.onnx", logits=out(net))
            else:
                row(f"ONNX, dynamo={dynamo}, optimized at the level {name}", version("onnxruntime"), FOLDER / "other.onnx", refused="optimized")
    quantize_dynamic(path, FOLDER / "other.onnx")
    row("ONNX, quantized", version("onnxruntime"), FOLDER / "other.onnx", refused="quantized")
    ort_path = FOLDER / "ort"
    ort_path.mkdir(exist_ok=True)
    options = ort.SessionOptions()
    options.add_session_config_entry("session.save_model_format", "ORT")
    options.optimized_model_filepath = str(FOLDER / "model.ort")
    ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    row("ONNX Runtime's own format (`.ort`)", version("onnxruntime"), FOLDER / "model.ort", refused="ONNX Runtime")
    np.savez(FOLDER / "arrays.npz", **{k: v.numpy() for k, v in net.state_dict().items()})
    row("NumPy arrays (`.npz`)", version("numpy"), FOLDER / "arrays.npz", refused="NumPy")
    path.unlink()


# ---- Lightning ----

def lightning():
    import lightning.pytorch as pl
    import torchmetrics
    from lightning.pytorch.callbacks import EMAWeightAveraging, StochasticWeightAveraging
    by = version("lightning")

    class Plain(pl.LightningModule):
        def __init__(self, lr=1e-4):
            super().__init__()
            self.lr = lr
            self.save_hyperparameters()
            self.model = self.make()

        def make(self):
            return resnet()

        def forward(self, x):
            return self.model(x)

        def training_step(self, batch, _):
            return nn.functional.cross_entropy(self(batch[0]), batch[1])

        def configure_optimizers(self):
            return torch.optim.AdamW(self.parameters(), lr=self.lr)

    class Compiled(Plain):
        def make(self):
            return torch.compile(resnet(), backend="eager")

    class Loss(Plain):
        def __init__(self, lr=1e-4):
            super().__init__(lr)
            self.loss = nn.CrossEntropyLoss(weight=torch.rand(1000))
            self.centers = nn.Parameter(torch.randn(1000, 8))
            self.margin = nn.Linear(1000, 8)

        def training_step(self, batch, _):
            y = self(batch[0])
            return self.loss(y, batch[1]) + (self.margin(y) - self.centers[batch[1]]).pow(2).mean()

    class Metrics(Plain):
        def __init__(self, lr=1e-4):
            super().__init__(lr)
            self.accuracy = torchmetrics.MetricCollection({"top1": torchmetrics.Accuracy("multiclass", num_classes=1000),
                                                           "auc": torchmetrics.AUROC("multiclass", num_classes=1000)})
            self.accuracy.persistent(True)

        def training_step(self, batch, _):
            y = self(batch[0])
            self.accuracy.update(y.softmax(1), batch[1])
            return nn.functional.cross_entropy(y, batch[1])

    class Perceptual(Plain):
        """A second ResNet beside the model, in the loss, without a head."""
        def __init__(self, lr=1e-4):
            super().__init__(lr)
            self.perceptual = nn.Sequential(*list(resnet(5).children())[:6])

    class Backbone(Plain):
        """The body and the head apart, as Lightning's docs on transfer learning do."""
        def __init__(self, lr=1e-4):
            pl.LightningModule.__init__(self)
            self.lr = lr
            net = resnet()
            self.feature_extractor = nn.Sequential(*list(net.children())[:-1])
            self.classifier = nn.Linear(512, 10)

        def forward(self, x):
            return self.classifier(self.feature_extractor(x).flatten(1))

    class Teacher(Plain):
        """Distillation: two whole networks."""
        def __init__(self, lr=1e-4):
            super().__init__(lr)
            self.teacher = resnet(5)

    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(INPUT, torch.tensor([1, 2])), batch_size=2)
    quiet = dict(accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False, enable_checkpointing=False,
                 default_root_dir=FOLDER)

    def fit(kind, epochs=1, wrap=lambda m: m, weights_only=False, **more):
        trainer = pl.Trainer(max_epochs=epochs, **quiet, **more)
        trainer.fit(wrap(kind()), loader)
        path = FOLDER / "lightning.ckpt"
        trainer.save_checkpoint(path, weights_only=weights_only)
        return path, kind.load_from_checkpoint(path, weights_only=False).eval()

    def values(module, prefix="model."):
        return plain(behind(prefix, {k.replace("_orig_mod.", ""): v for k, v in module.state_dict().items()}))

    for form, kind, more in [
        ("plain", Plain, {}), ("weights only", Plain, {"weights_only": True}), ("compiled model", Compiled, {}),
        ("compiled LightningModule", Plain, {"wrap": lambda m: torch.compile(m, backend="eager")}), ("a loss with weights beside", Loss, {}),
        ("torchmetrics with saved states beside", Metrics, {}), ("part of another ResNet beside, in the loss", Perceptual, {}),
        ("SWA callback", Plain, {"epochs": 3, "callbacks": [StochasticWeightAveraging(1e-3, swa_epoch_start=1)]}),
        ("bf16-true", Plain, {"precision": "bf16-true"})]:
        path, module = fit(kind, **more)
        program = f"{by}, {version('torchmetrics')}" if kind is Metrics else by
        row(f"Lightning, {form}", program, path, values(module), logits=out(module.float()))
    path, module = fit(Backbone)
    expected = dict(zip(plain(resnet().state_dict()), plain(module.feature_extractor.state_dict()).values()))
    row("Lightning, body and head apart", by, path, expected, body=True)
    path, module = fit(Teacher)
    kept = path.read_bytes()
    row("Lightning, two whole networks", by, path, refused="model.")
    path.write_bytes(kept)
    row("Lightning, two whole networks", by, path, values(module), options=["--prefix", "model"])
    # The averaged set is in `state_dict`, as load_from_checkpoint has it.
    callback = lambda: dict(callbacks=[EMAWeightAveraging(decay=0.5)], epochs=2)
    trainer = pl.Trainer(max_epochs=2, **quiet | dict(enable_checkpointing=True), callbacks=[EMAWeightAveraging(decay=0.5), pl.callbacks.ModelCheckpoint(FOLDER)])
    trainer.fit(Plain(), loader)
    path = pathlib.Path(trainer.checkpoint_callback.best_model_path)
    module = Plain.load_from_checkpoint(path, weights_only=False)
    saved = torch.load(path, weights_only=False)
    kept = path.read_bytes()
    row("Lightning, EMAWeightAveraging", by, path, values(module), logits=out(module))
    path.write_bytes(kept)
    row("Lightning, EMAWeightAveraging", by, path, plain(behind("model.", saved["current_model_state"])), options=["--key", "current_model_state"])
    import lightning as L
    fabric = L.Fabric(accelerator="cpu", devices=1)
    net, optimizer = trained()
    net, optimizer = fabric.setup(net, optimizer)
    fabric.save(FOLDER / "fabric.ckpt", {"model": net, "optimizer": optimizer, "step": 3})
    other = fabric.setup_module(resnet(3))
    fabric.load(FOLDER / "fabric.ckpt", {"model": other})
    row("Fabric", by, FOLDER / "fabric.ckpt", plain(other.state_dict()), logits=out(other))


# ---- timm ----

def timm_():
    import timm
    by = version("timm")
    net = randomize(timm.create_model("resnet18"))
    net, optimizer = trained(net)
    ema = timm.utils.ModelEmaV3(net, decay=0.5)
    ema.update(randomize(timm.create_model("resnet18"), 4))
    args = argparse.Namespace(model="resnet18", lr=0.1, opt="adamw")
    for options, use_ema in ([], False), (["--averaged"], True):
        saver = timm.utils.CheckpointSaver(net, optimizer, args=args, model_ema=ema, amp_scaler=timm.utils.NativeScaler(device="cpu"),
                                           checkpoint_dir=str(FOLDER), recovery_dir=str(FOLDER), decreasing=False)
        saver.save_checkpoint(1, 0.5)
        path = FOLDER / "model_best.pth.tar"
        other = timm.create_model("resnet18")
        timm.models.load_checkpoint(other, str(path), use_ema=use_ema)
        row("timm's CheckpointSaver with ModelEmaV3", by, path, plain(other.state_dict()), logits=out(other), options=options)
    for path in FOLDER.glob("*.pth.tar"):
        path.unlink()
    for theirs, ours in ("resnet18", "resnet18"), ("mobilenetv2_100", "mobilenet_v2"), ("densenet121", "densenet121"), ("resnet50", "resnet50"):
        net = randomize(timm.create_model(theirs))
        torch.save(net.state_dict(), FOLDER / "timm.pth")
        row(f"timm's `{theirs}`, `state_dict()`", by, FOLDER / "timm.pth", logits=out(net), arch=ours)
    net = randomize(timm.create_model("resnet18"))
    for safe in (True, False):
        timm.models.save_for_hf(net, FOLDER / "hub", safe_serialization=safe)
        path = FOLDER / "hub" / ("model.safetensors" if safe else "pytorch_model.bin")
        row(f"timm's `save_for_hf`, safe_serialization={safe}", by, path, plain(net.state_dict()), logits=out(net))
    body = timm.create_model("resnet18", num_classes=0)
    randomize(body)
    torch.save(body.state_dict(), FOLDER / "body.pth")
    row("timm, `num_classes=0`", by, FOLDER / "body.pth", plain(body.state_dict()), body=True)
    body = timm.create_model("resnet18", features_only=True)
    randomize(body)
    torch.save(body.state_dict(), FOLDER / "body.pth")
    row("timm, `features_only=True`", by, FOLDER / "body.pth", plain(body.state_dict()), body=True)
    torch.save(timm.create_model("resnet18d").state_dict(), FOLDER / "body.pth")
    row("timm's `resnet18d`, another architecture", by, FOLDER / "body.pth", refused="conv1.6.weight")


# ---- fastai ----

def fastai():
    from fastai.vision import all as fa
    from PIL import Image
    by = version("fastai")
    for name in ("a", "b"):
        (FOLDER / "images" / name).mkdir(parents=True, exist_ok=True)
        for i in range(4):
            Image.fromarray(np.random.default_rng(i).integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(FOLDER / "images" / name / f"{i}.png")
    dls = fa.ImageDataLoaders.from_folder(FOLDER / "images", valid_pct=0.5, bs=2, num_workers=0, item_tfms=fa.Resize(64))

    def body(learner):
        named = plain(learner.model[0].state_dict()) if not hasattr(learner.model[0], "model") else plain(learner.model[0].model.state_dict())
        return dict(zip([k for k in plain(resnet().state_dict()) if not k.startswith("fc.")], named.values()))

    for form, arch in ("torchvision", torchvision.models.resnet18), ("timm", "resnet18"):
        learner = fa.vision_learner(dls, arch, pretrained=False, metrics=fa.accuracy)
        randomize(learner.model)
        with learner.no_bar(), learner.no_logging():
            learner.fit(1, 1e-4)
        for with_opt in (True, False):
            learner.save("saved", with_opt=with_opt)
            learner.load("saved", with_opt=with_opt)
            row(f"fastai, body of {form}, `learn.save`, with_opt={with_opt}", by, learner.path / "models" / "saved.pth", body(learner), body=True)
        learner.export("export.pkl")
        row(f"fastai, body of {form}, `learn.export`", by, learner.path / "export.pkl", refused="load_learner")
    torch.save(learner.model.state_dict(), FOLDER / "state.pth")
    row("fastai, body of timm, `learn.model.state_dict()`", by, FOLDER / "state.pth", body(learner), body=True)


# ---- lightly ----

def lightly():
    import lightning.pytorch as pl
    from lightly.models import modules
    from lightly.models.utils import deactivate_requires_grad, update_momentum
    by = f"{version('lightly')}, {version('lightning')}"

    class Base(pl.LightningModule):
        def __init__(self):
            super().__init__()
            self.backbone = nn.Sequential(*list(resnet().children())[:-1])
            self.projection_head = modules.SimCLRProjectionHead(512, 512, 128)

        def training_step(self, batch, _):
            return self.projection_head(self.backbone(batch[0]).flatten(1)).sum()

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=1e-4, momentum=0.9)

    class MoCo(Base):
        def __init__(self):
            super().__init__()
            self.projection_head = modules.MoCoProjectionHead(512, 512, 128)
            self.backbone_momentum = copy.deepcopy(self.backbone)
            self.projection_head_momentum = copy.deepcopy(self.projection_head)
            deactivate_requires_grad(self.backbone_momentum)
            self.register_buffer("queue", torch.randn(4, 128))

        def on_train_batch_end(self, *_):
            update_momentum(self.backbone, self.backbone_momentum, m=0.5)

    class BYOL(MoCo):
        def __init__(self):
            super().__init__()
            self.projection_head = modules.BYOLProjectionHead(512, 1024, 256)
            self.prediction_head = modules.BYOLPredictionHead(256, 1024, 256)

    class DINO(Base):
        def __init__(self):
            super().__init__()
            net = self.backbone
            del self.backbone, self.projection_head
            self.student_backbone, self.student_head = net, modules.DINOProjectionHead(512, 512, 64, 256, freeze_last_layer=1)
            self.teacher_backbone, self.teacher_head = copy.deepcopy(net), modules.DINOProjectionHead(512, 512, 64, 256)
            deactivate_requires_grad(self.teacher_backbone)

        def training_step(self, batch, _):
            return self.student_head(self.student_backbone(batch[0]).flatten(1)).sum()

        def on_train_batch_end(self, *_):
            update_momentum(self.student_backbone, self.teacher_backbone, m=0.5)

    class SwaV(Base):
        def __init__(self):
            super().__init__()
            self.projection_head = modules.SwaVProjectionHead(512, 512, 128)
            self.prototypes = modules.SwaVPrototypes(128, 16)

    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(INPUT), batch_size=2)

    def named(module):
        return dict(zip([k for k in plain(resnet().state_dict()) if not k.startswith("fc.")], plain(module.state_dict()).values()))

    for kind, sets in (Base, [([], "backbone")]), (SwaV, [([], "backbone")]), (MoCo, [([], "backbone"), (["--averaged"], "backbone_momentum")]), \
            (BYOL, [([], "backbone"), (["--averaged"], "backbone_momentum")]), \
            (DINO, [([], None), (["--prefix", "student_backbone"], "student_backbone"), (["--averaged"], "teacher_backbone")]):
        trainer = pl.Trainer(max_epochs=2, accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False,
                             enable_checkpointing=False, default_root_dir=FOLDER)
        trainer.fit(kind(), loader)
        path = FOLDER / "lightly.ckpt"
        trainer.save_checkpoint(path)
        kept = path.read_bytes()
        name = "SimCLR" if kind is Base else kind.__name__
        module = kind.load_from_checkpoint(path, weights_only=False)
        for options, attribute in sets:
            path.write_bytes(kept)
            if attribute is None:
                row(f"lightly's modules, {name}", by, path, refused="teacher_backbone")
            else:
                row(f"lightly's modules, {name}", by, path, named(getattr(module, attribute)), body=True, options=options)


# ---- transformers ----

def transformers():
    from transformers import ResNetConfig, ResNetForImageClassification, ResNetModel
    by = version("transformers")
    for arch, config in [
        ("resnet18", dict(layer_type="basic", depths=[2, 2, 2, 2], hidden_sizes=[64, 128, 256, 512])),
        ("resnet50", dict(layer_type="bottleneck", depths=[3, 4, 6, 3], hidden_sizes=[256, 512, 1024, 2048]))]:
        net = randomize(ResNetForImageClassification(ResNetConfig(num_labels=1000, **config)))
        net.save_pretrained(FOLDER / "hf")
        other = ResNetForImageClassification.from_pretrained(FOLDER / "hf").eval()
        with torch.no_grad():
            logits = other(INPUT).logits
        row(f"`ResNetForImageClassification`, {arch}", by, FOLDER / "hf" / "model.safetensors", logits=logits, arch=arch)
    body = randomize(ResNetModel(ResNetConfig(layer_type="basic", depths=[2, 2, 2, 2], hidden_sizes=[64, 128, 256, 512])))
    body.save_pretrained(FOLDER / "hf")
    order = [v for k, v in plain(body.state_dict()).items()]
    row("`ResNetModel`, resnet18", by, FOLDER / "hf" / "model.safetensors", hf_names(plain(body.state_dict())), body=True)
    from transformers import TimmWrapperConfig, TimmWrapperForImageClassification
    net = TimmWrapperForImageClassification(TimmWrapperConfig(architecture="resnet18", num_labels=1000))
    randomize(net)
    net.save_pretrained(FOLDER / "hf")
    with torch.no_grad():
        logits = net(INPUT).logits
    row("`TimmWrapperForImageClassification`, resnet18", by, FOLDER / "hf" / "model.safetensors", logits=logits)
    net = ResNetForImageClassification(ResNetConfig(num_labels=1000, layer_type="basic", depths=[2, 2, 2, 2], hidden_sizes=[64, 128, 256, 512]))
    randomize(net).save_pretrained(FOLDER / "shards", max_shard_size="20MB")
    with torch.no_grad():
        logits = net(INPUT).logits
    row("`max_shard_size`, the index", by, FOLDER / "shards" / "model.safetensors.index.json", logits=logits)


def hf_names(state):
    """transformers' names of a ResNet, as torchvision's."""
    out = {}
    for name, value in state.items():
        last = name.rsplit(".", 1)[1]
        if found := re.match(r"encoder\.stages\.(\d)\.layers\.(\d+)\.layer\.(\d)\.(conv|norm)", name):
            stage, block, layer = (int(x) for x in found.groups()[:3])
            new = f"layer{stage + 1}.{block}.{'conv' if found[4] == 'conv' else 'bn'}{layer + 1}"
        elif found := re.match(r"encoder\.stages\.(\d)\.layers\.(\d+)\.shortcut\.(conv|norm)", name):
            new = f"layer{int(found[1]) + 1}.{found[2]}.downsample.{0 if found[3] == 'conv' else 1}"
        else:
            new = "conv1" if ".convolution." in name else "bn1"
        out[f"{new}.{last}"] = value
    return out


def main():
    global ARGS
    parser = argparse.ArgumentParser()
    parser.add_argument("--reader", default="target/debug/examples/load_weights")
    parser.add_argument("groups", nargs="*", default=[])
    ARGS = parser.parse_args()
    print("| form | made by | result | largest difference |\n|---|---|---|---|")
    for group in (pytorch, refused, lightning, timm_, fastai, lightly, transformers):
        if ARGS.groups and group.__name__.strip("_") not in ARGS.groups:
            continue
        try:
            group()
        except ImportError as error:
            print(f"| all of {group.__name__} | not installed: {error} | | |")
        except Exception:
            import traceback
            traceback.print_exc()
            FAILED.append(f"{group.__name__} stopped")
    print(f"\n{datetime.date.today()}, Python {sys.version.split()[0]}. Not as expected: {FAILED or 'none'}", file=sys.stderr)
    return len(FAILED)


if __name__ == "__main__":
    sys.exit(min(main(), 1))
