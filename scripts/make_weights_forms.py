#!/usr/bin/env python3
"""One small model in the forms that training programs save, written by those programs where they can be had.

    pip install torch==2.15.0 torchvision==0.29.2 timm==1.0.31 fastai==2.8.12 onnx==1.23.2 onnxruntime onnxscript
    python3 scripts/make_weights_forms.py crates/vision-models/tests/fixtures/weights/forms

`forms.json` has the bits of the values of the model and of its averaged set, and for each file the prefix behind
which they are, or in which words it is refused. Lightning's, fastai's and MoCo's dicts are written by hand, as their
own code puts them together; `check_weights_forms.py` has the programs themselves write them, around a ResNet.
"""
import argparse, collections, dataclasses, datetime, decimal, enum, fractions, functools, json, os, pathlib, pickle, sys, types, uuid, warnings
import numpy as np
import onnx
import timm.utils
import torch
import torch.nn.utils.prune
from torch import nn

warnings.filterwarnings("ignore")
FORMS = {}


def model(scale=1.0):
    torch.manual_seed(0)
    net = nn.Sequential(collections.OrderedDict(
        conv=nn.Conv2d(2, 3, 2), bn=nn.BatchNorm2d(3), pool=nn.AdaptiveAvgPool2d(1), flat=nn.Flatten(), fc=nn.Linear(3, 2)))
    for _ in range(3):
        net(torch.randn(4, 2, 5, 5))
    with torch.no_grad():
        for t in net.state_dict().values():
            if t.is_floating_point():
                t.mul_(scale)
    return net


NET, MEAN = model(), model(0.5)
PLAIN, AVERAGED = NET.state_dict(), MEAN.state_dict()


def behind(prefix, state=None):
    return collections.OrderedDict((prefix + k, v) for k, v in (state or PLAIN).items())


def trained():
    """A model whose optimizer has taken a step."""
    net = model()
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.0)
    net(torch.randn(4, 2, 5, 5)).sum().backward()
    optimizer.step()
    net.load_state_dict(PLAIN)
    return net, optimizer


def save(name, obj, prefix, values="plain", **extra):
    torch.save(obj, FOLDER / name, **{k: extra.pop(k) for k in list(extra) if k.startswith(("_use", "pickle"))})
    FORMS[name] = {"prefix": prefix, "values": values, **extra}


class Color(enum.Enum):
    RED = 1


@dataclasses.dataclass
class Settings:
    lr: float = 0.1


Point = collections.namedtuple("Point", "x y")


class Callback:
    def __init__(self, trainer):
        self.trainer = trainer


class Trainer:
    """Its parts refer to it and to each other, as in fastai's Learner and Lightning's Trainer."""
    def __init__(self):
        self.callbacks = [Callback(self) for _ in range(30)]
        self.loop = {"trainer": self, "callbacks": self.callbacks}
        self.loop["self"] = self.loop


def containers():
    nested = collections.defaultdict(list, a=[1, 2])
    deque = collections.deque([1, 2], maxlen=3)
    return {
        "defaultdict": nested, "ordered": collections.OrderedDict(a=1), "counter": collections.Counter("abca"), "deque": deque,
        "set": {1, 2}, "frozenset": frozenset({"a"}), "tuple": (1, (2, ()), [3]), "empty": [set(), frozenset(), {}, [], ()],
        "datetime": datetime.datetime(2024, 1, 2, tzinfo=datetime.timezone.utc), "date": datetime.date(2024, 1, 2),
        "delta": datetime.timedelta(days=1), "path": pathlib.PurePosixPath("/a/b"), "posix": pathlib.Path("a"),
        "namespace": argparse.Namespace(lr=0.1, resume=None), "simple": types.SimpleNamespace(a=1), "enum": Color.RED,
        "dataclass": Settings(), "namedtuple": Point(1, 2), "partial": functools.partial(int, base=2), "decimal": decimal.Decimal("1.5"),
        "fraction": fractions.Fraction(1, 3), "uuid": uuid.UUID(int=1), "complex": 1 + 2j, "slice": slice(1, 2), "range": range(3),
        "bytes": b"abc", "long bytes": b"x" * 300, "bytearray": bytearray(b"abc"), "text": "é 模", "big": 2**100, "negative": -(2**70),
        "float": 1e300, "none": None, "bool": [True, False], "dtype": torch.float16, "device": torch.device("cpu"), "size": torch.Size([1, 2]),
        "array": np.arange(3.0), "scalar": np.float64(1.5), "generator": torch.get_rng_state(), "class": Settings, "function": len,
    }


def forms():
    ddp = nn.DataParallel(NET)
    compiled = torch.compile(NET)
    both = torch.compile(ddp)
    save("a" * 21 + ".pth", PLAIN, "")
    save("zip.pth", PLAIN, "")
    save("old.pth", PLAIN, "", _use_new_zipfile_serialization=False)
    save("compiled.pth", compiled.state_dict(), "_orig_mod.")
    save("ddp.pth", ddp.state_dict(), "module.")
    save("compiled_ddp.pth", both.state_dict(), "_orig_mod.module.")
    save("ddp_compiled.pth", nn.DataParallel(compiled).state_dict(), "module._orig_mod.")
    save("whole_ddp.pth", ddp, "module.")

    net, optimizer = trained()
    lightning = {
        "epoch": 3, "global_step": 12, "pytorch-lightning_version": "2.5.0", "loops": {"fit_loop": {"state_dict": {}}},
        "callbacks": {"ModelCheckpoint{'monitor': 'val_loss'}": {"best_model_score": torch.tensor(0.25), "dirpath": "/tmp"}},
        "optimizer_states": [optimizer.state_dict()], "lr_schedulers": [], "hparams_name": "kwargs", "hyper_parameters": {"lr": 0.1}}
    save("lightning.ckpt", {**lightning, "state_dict": behind("model.")}, "state_dict.model.")
    save("lightning_compiled.ckpt", {**lightning, "state_dict": behind("model._orig_mod.")}, "state_dict.model._orig_mod.")
    beside = {**behind("model."), "criterion.weight": torch.ones(2), "metric.total": torch.zeros(())}
    save("lightning_loss.ckpt", {**lightning, "state_dict": beside}, "state_dict.model.")
    save("lightning_ema.ckpt", {**lightning, "state_dict": {**behind("model."), **behind("ema.module.", AVERAGED)}}, "state_dict.model.",
         averaged="state_dict.ema.module.")
    # WeightAveraging: load_from_checkpoint takes `state_dict`, the averaged set.
    save("lightning_moved.ckpt", {**lightning, "state_dict": behind("model."), "current_model_state": behind("model.", AVERAGED),
                                  "averaging_state": {"n_averaged": torch.tensor(3)}}, "state_dict.model.", plain="current_model_state.model.")
    twice = {**behind("model."), **behind("encoder.")}  # one module under two names
    save("lightning_twice.ckpt", {**lightning, "state_dict": twice}, "state_dict.encoder.")

    ema = timm.utils.ModelEmaV3(net, decay=0.5)
    ema.module.load_state_dict(AVERAGED)
    saver = timm.utils.CheckpointSaver(net, optimizer, args=argparse.Namespace(model="small", lr=0.1), model_ema=ema,
                                       checkpoint_dir=str(FOLDER), recovery_dir=str(FOLDER))
    saver.save_recovery(1)
    made = next(FOLDER.glob("recovery-*"))
    made.rename(FOLDER / "timm.pth.tar")
    FORMS["timm.pth.tar"] = {"prefix": "state_dict.", "values": "plain", "averaged": "state_dict_ema."}

    swa = torch.optim.swa_utils.AveragedModel(NET)
    averaged = torch.optim.swa_utils.AveragedModel(MEAN)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1)
    save("references.pth", {"model": PLAIN, "optimizer": optimizer.state_dict(), "lr_scheduler": scheduler.state_dict(), "epoch": 1,
                            "args": argparse.Namespace(lr=0.1, device="cuda"), "model_ema": averaged.state_dict(),
                            "scaler": {"scale": 65536.0, "_growth_tracker": 0}}, "model.", averaged="model_ema.module.")
    save("swa.pth", swa.state_dict(), "module.")
    save("moco.pth.tar", {"epoch": 200, "arch": "resnet50", "state_dict": {
        **behind("module.encoder_q."), **behind("module.encoder_k.", AVERAGED), "module.queue": torch.zeros(3, 4),
        "module.queue_ptr": torch.zeros(1, dtype=torch.long)}, "optimizer": optimizer.state_dict()},
        "state_dict.module.encoder_q.", averaged="state_dict.module.encoder_k.")
    # lightly's names.
    head = {"projection_head.layers.0.weight": torch.ones(3, 3)}
    followed = {**behind("backbone."), **head, **behind("backbone_momentum.", AVERAGED)}
    save("lightly_moco.ckpt", {**lightning, "state_dict": followed}, "state_dict.backbone.", averaged="state_dict.backbone_momentum.")
    save("byol.pth", {**behind("online_encoder.net."), **behind("target_encoder.net.", AVERAGED)}, "online_encoder.net.",
         averaged="target_encoder.net.")
    followed = {**behind("student_backbone."), **head, **behind("teacher_backbone.", AVERAGED)}
    save("lightly_dino.pth", followed, ["student_backbone.", "teacher_backbone."], averaged="teacher_backbone.")
    save("simclr.pth", {"state_dict": {**behind("backbone."), "projector.0.weight": torch.ones(3, 3)}, "epoch": 1}, "state_dict.backbone.")
    head = {"module.head.mlp.0.weight": torch.ones(3, 3), "module.head.last_layer.weight_g": torch.ones(3, 1)}
    save("dino.pth", {"student": {**behind("module.backbone."), **head}, "teacher": {**behind("backbone.", AVERAGED), **head},
                      "optimizer": optimizer.state_dict(), "dino_loss": {"center": torch.zeros(1, 3)}},
         ["student.module.backbone.", "teacher.backbone."], averaged="teacher.backbone.")
    save("teacher.pth", {"teacher": behind("backbone.")}, "teacher.backbone.")
    save("nested.pth", {"checkpoint": {"weights": {"net": PLAIN}}, "log": [torch.zeros(1)]}, "checkpoint.weights.net.")
    save("listed.pth", [{"lr": 0.1}, PLAIN], "1.")
    save("key.pth", {"net_g": PLAIN, "net_d": AVERAGED}, ["net_d.", "net_g."])
    sequential = nn.Sequential(*NET.children())
    save("by_position.pth", {"encoder": sequential.state_dict()}, "encoder.", note="position")
    fastai = nn.Sequential(nn.Sequential(*list(NET.children())[:2]), nn.Sequential(nn.Flatten(), nn.Linear(3, 7)))
    save("fastai.pth", fastai.state_dict(), "0.", note="position", without_head=True)
    save("fastai_optimizer.pth", {"model": fastai.state_dict(), "opt": {"state": [], "hypers": [{"lr": 0.1}]}}, "model.0.", note="position",
         without_head=True)
    save("trainer.pth", {"trainer": Trainer(), "model": PLAIN}, "model.")
    for protocol in (2, 3, 4, 5):
        save(f"containers_{protocol}.pth", {**containers(), "model": PLAIN}, "model.", pickle_protocol=protocol)


def sharded():
    """The state dict of a model in FSDP, whose tensors are DTensors."""
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT="29532")
    torch.distributed.init_process_group("gloo", rank=0, world_size=1)
    net = model()
    torch.distributed.fsdp.fully_shard(net, mesh=torch.distributed.device_mesh.init_device_mesh("cpu", (1,)))
    torch.save(net.state_dict(), FOLDER / "sharded.pth")
    torch.distributed.destroy_process_group()


def refused():
    def refuse(name, words):
        FORMS[name] = {"refused": words}

    net = model().eval()
    example = torch.zeros(1, 2, 5, 5)
    torch.jit.trace(net, example).save(FOLDER / "torchscript.pt")
    refuse("torchscript.pt", "TorchScript")
    torch.export.save(torch.export.export(net, (example,)), FOLDER / "exported.pt2")
    refuse("exported.pt2", "torch.export")
    quantized = {**PLAIN, "fc.weight": torch.quantize_per_tensor(PLAIN["fc.weight"], 0.1, 0, torch.qint8)}
    torch.save(quantized, FOLDER / "quantized.pth")
    refuse("quantized.pth", "quantized")
    converted = nn.Sequential(torch.ao.nn.quantized.Linear(3, 2), nn.BatchNorm1d(2))
    torch.save(converted, FOLDER / "quantized_module.pth")
    refuse("quantized_module.pth", "quantized")
    sharded()
    refuse("sharded.pth", "full_state_dict=True")
    for name, change, words in [
        ("pruned.pth", lambda conv: nn.utils.prune.l1_unstructured(conv, "weight", 0.3), "torch.nn.utils.prune.remove"),
        ("weight_norm.pth", nn.utils.parametrizations.weight_norm, "remove_parametrizations"),
        ("old_weight_norm.pth", nn.utils.weight_norm, "remove_weight_norm"),
        ("old_spectral_norm.pth", nn.utils.spectral_norm, "remove_spectral_norm")]:
        changed = model()
        change(changed.conv)
        torch.save(changed.state_dict(), FOLDER / name)
        refuse(name, words)
    torch.save(list(PLAIN.values()), FOLDER / "unnamed.pth")
    refuse("unnamed.pth", "no names")
    torch.save(trained()[1].state_dict(), FOLDER / "optimizer.pth")
    refuse("optimizer.pth", "optimizer")
    from fastai.basics import Datasets, Learner
    loaders = Datasets([0, 1, 2, 3], [None], splits=[[0, 1], [2, 3]]).dataloaders(bs=1)
    learner = Learner(loaders, model(), loss_func=nn.CrossEntropyLoss(), path=FOLDER)
    learner.export("export.pkl")
    refuse("export.pkl", "torch.save(load_learner(path).model.state_dict()")
    (FOLDER / "bare.pkl").write_bytes(pickle.dumps({k: v.numpy() for k, v in PLAIN.items()}))
    refuse("bare.pkl", "torch.save did not write")
    np.savez(FOLDER / "arrays.npz", **{k: v.numpy() for k, v in PLAIN.items()})
    refuse("arrays.npz", "NumPy")

    import onnxruntime as ort
    from onnxruntime.quantization import quantize_dynamic
    plain = FOLDER / "plain.onnx"
    torch.onnx.export(net, (example,), plain, dynamo=False)
    for level, name in ((ort.GraphOptimizationLevel.ORT_ENABLE_ALL, "optimized.onnx"),):
        options = ort.SessionOptions()
        options.graph_optimization_level = level
        options.optimized_model_filepath = str(FOLDER / name)
        ort.InferenceSession(str(plain), options, providers=["CPUExecutionProvider"])
        refuse(name, "optimized")
    quantize_dynamic(plain, FOLDER / "quantized.onnx")
    refuse("quantized.onnx", "quantized")
    options = ort.SessionOptions()
    options.add_session_config_entry("session.save_model_format", "ORT")
    options.optimized_model_filepath = str(FOLDER / "model.ort")
    ort.InferenceSession(str(plain), options, providers=["CPUExecutionProvider"])
    refuse("model.ort", "ONNX Runtime's own format")
    plain.unlink()
    for name in ("optimized.onnx", "quantized.onnx"):
        print(name, sorted({(n.domain, n.op_type) for n in onnx.load(FOLDER / name).graph.node}))


def main():
    forms()
    refused()
    bits = lambda state: {k: v.numpy().ravel().view(np.uint32).tolist() for k, v in state.items() if v.is_floating_point()}
    out = {"made_with": {"torch": torch.__version__, "timm": timm.__version__}, "plain": bits(PLAIN), "averaged": bits(AVERAGED),
           "shapes": {k: list(v.shape) for k, v in PLAIN.items() if v.is_floating_point()}, "forms": FORMS}
    (FOLDER / "forms.json").write_text(json.dumps(out, indent=1) + "\n")


if __name__ == "__main__":
    FOLDER = pathlib.Path(sys.argv[1])
    FOLDER.mkdir(parents=True, exist_ok=True)
    main()
