#!/usr/bin/env python3
"""What timm writes beside its weights on Hugging Face's hub, how it prepares images for them, and which weights it knows.

    pip install timm==1.0.31 torch==2.15.0 torchvision==0.29.2 huggingface_hub==2.4.0
    python3 scripts/make_timm_hub_fixture.py > crates/vision-models/tests/fixtures/timm_hub.json

`tags` are those of `timm.list_pretrained`, for the table in crates/vision-models/src/arch/timm.rs. No weights are downloaded.
"""
import json
import re
import tempfile
from pathlib import Path

import timm
from timm.data import create_transform, resolve_model_data_config
from timm.models import list_pretrained
from timm.models._hub import save_config_for_hf

TABLE = Path(__file__).parent.parent / "crates/vision-models/src/arch/timm.rs"
ARCHS = re.findall(r'\(\s*"(\w+)",\s*Arch::', TABLE.read_text()) + ["alexnet", "squeezenet1_0", "squeezenet1_1"]
NAMES = [
    "resnet18.a1_in1k",
    "tf_efficientnet_lite0.in1k",
    "mobilenetv2_100.ra_in1k",
    "convnext_tiny.fb_in22k",
    "vit_small_patch14_dinov2.lvd142m",
    "tf_efficientnetv2_s.in21k_ft_in1k",
    "dm_nfnet_f0.dm_in1k",
    "swinv2_tiny_window8_256.ms_in1k",
]

configs = []
for name in NAMES:
    model = timm.create_model(name, pretrained=False)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "config.json")
        save_config_for_hf(model, path)
        text = path.read_text()
    data = resolve_model_data_config(model)
    resize, crop = create_transform(**data).transforms[:2]
    cfg = model.pretrained_cfg
    configs.append(
        {
            "name": name,
            "config": json.loads(text),
            "architecture": cfg["architecture"],
            "classes": model.num_classes,
            "fixed_size": bool(cfg["fixed_input_size"]),
            "resized": resize.size,
            "cropped": list(crop.size) if hasattr(crop, "size") else None,
            **data,
        }
    )

tags = {arch: sorted(name.split(".", 1)[1] for name in list_pretrained(f"{arch}.*")) for arch in ARCHS}
print(json.dumps({"timm": timm.__version__, "tags": tags, "configs": configs}, indent=1))
