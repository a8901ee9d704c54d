#!/usr/bin/env python3
"""Other programs' names of timm's ConvNeXts and vision transformers: torchvision, transformers, and the authors' own.

    pip install torch==2.15.0 torchvision==0.29.2 timm==1.0.31 transformers==5.24.0
    python3 scripts/make_other_names.py > crates/vision-models/tests/fixtures/weights/other_names.json

For each model a list of: timm's name, the names that hold its values one after the other, and their shape. Names are
paired by rules, and the pairs are proven: two networks with the paired weights give the same numbers, or timm's own
filter for the authors' files maps each tensor to its name.
"""
import functools, json, re, sys, tempfile
import timm, torch, torchvision, transformers
from safetensors.torch import load_file
from timm.models import convnext, vision_transformer

torch.manual_seed(0)


def random(net):
    """Random weights in float64, so that no two tensors are alike."""
    net = net.double().eval()
    for tensor in net.parameters():
        tensor.data = 0.1 * torch.randn_like(tensor)
    return net


def proven(arch, theirs, rename, run=lambda net, x: net(x), last="head", **options):
    """Pairs by `rename`, of which each name of `theirs` is in one; both networks give the same output."""
    ours, pairs = timm.create_model(arch, **options).double().eval(), []
    state = theirs.state_dict()
    if hasattr(theirs, "save_pretrained"):  # in files, the names are those of older versions
        with tempfile.TemporaryDirectory() as folder:
            theirs.save_pretrained(folder)
            state = load_file(f"{folder}/model.safetensors")
    left = set(state)
    new = {}
    for name, tensor in ours.state_dict().items():
        names = rename(name)
        names = [names] if isinstance(names, str) else names
        left -= set(names)
        new[name] = torch.cat([state[n] for n in names]).reshape(tensor.shape)
        pairs.append([name, names, list(state[names[0]].shape)])
    ours.load_state_dict(new)
    x = torch.randn(2, 3, options.get("img_size", 224), options.get("img_size", 224)).double()
    with torch.no_grad():
        a, b = ours(x), run(theirs, x)
    assert (a - b).abs().max() <= 1e-9 * b.abs().max(), (arch, (a - b).abs().max())
    print(arch, "left", sorted(left), file=sys.stderr)
    return pairs


def filtered(arch, rename, reshape, function):
    """Pairs by `rename`; timm's filter gives each tensor back."""
    ours = timm.create_model(arch)
    state = {rename(name): reshape(name, tensor) for name, tensor in random(ours).state_dict().items()}
    back = function(dict(state), ours)
    for name, tensor in ours.state_dict().items():
        assert torch.equal(back[name], tensor), name
    return [[name, [rename(name)], list(state[rename(name)].shape)] for name in ours.state_dict()]


def rules(*rules):
    def rename(name):
        for old, new in rules:
            name, count = re.subn(f"^{old}$", new, name)
            if count:
                return name
        return name
    return rename


def convnext_of_torchvision(name):
    layer = {"conv_dw": 0, "norm": 2, "mlp.fc1": 3, "mlp.fc2": 5}
    name = re.sub(r"^stem", "features.0", name)
    name = re.sub(r"^stages\.(\d)\.downsample", lambda m: f"features.{2 * int(m[1])}", name)
    name = re.sub(r"^stages\.(\d)\.blocks", lambda m: f"features.{2 * int(m[1]) + 1}", name)
    name = re.sub(r"(conv_dw|norm|mlp\.fc1|mlp\.fc2)\.(weight|bias)$", lambda m: f"block.{layer[m[1]]}.{m[2]}", name) \
        if name.startswith("features.") and name.count(".") > 2 else name
    return name.replace("gamma", "layer_scale").replace("head.norm", "classifier.0").replace("head.fc", "classifier.2")


def vit_of_torchvision(name):
    name = re.sub(r"^blocks\.(\d+)", r"encoder.layers.encoder_layer_\1", name)
    for old, new in [("norm1", "ln_1"), ("norm2", "ln_2"), ("attn.qkv.", "self_attention.in_proj_"), ("attn.proj", "self_attention.out_proj"),
                     ("mlp.fc1", "mlp.0"), ("mlp.fc2", "mlp.3"), ("cls_token", "class_token"), ("pos_embed", "encoder.pos_embedding"),
                     ("patch_embed.proj", "conv_proj")]:
        name = name.replace(old, new)
    return re.sub(r"^norm", "encoder.ln", re.sub(r"^head", "heads.head", name))


def vit_of_transformers(name):
    rename = rules((r"blocks\.(\d+)\.norm1\.(.*)", r"encoder.layer.\1.layernorm_before.\2"), (r"blocks\.(\d+)\.norm2\.(.*)", r"encoder.layer.\1.layernorm_after.\2"),
                   (r"blocks\.(\d+)\.attn\.proj\.(.*)", r"encoder.layer.\1.attention.output.dense.\2"),
                   (r"blocks\.(\d+)\.attn\.qkv\.(.*)", r"encoder.layer.\1.attention.attention.QKV.\2"),
                   (r"blocks\.(\d+)\.mlp\.fc1\.(.*)", r"encoder.layer.\1.intermediate.dense.\2"), (r"blocks\.(\d+)\.mlp\.fc2\.(.*)", r"encoder.layer.\1.output.dense.\2"),
                   (r"cls_token", "embeddings.cls_token"), (r"pos_embed", "embeddings.position_embeddings"),
                   (r"patch_embed\.proj\.(.*)", r"embeddings.patch_embeddings.projection.\1"), (r"norm\.(.*)", r"layernorm.\1"), (r"head\.(.*)", r"classifier.\1"))
    name = rename(name)
    name = name if name.startswith("classifier") else f"vit.{name}"
    return [name.replace("QKV", part) for part in ("query", "key", "value")] if "QKV" in name else name


def dinov2_of_transformers(name):
    rename = rules((r"blocks\.(\d+)\.ls(\d)\.gamma", r"encoder.layer.\1.layer_scale\2.lambda1"),
                   (r"blocks\.(\d+)\.attn\.proj\.(.*)", r"encoder.layer.\1.attention.output.dense.\2"),
                   (r"blocks\.(\d+)\.attn\.qkv\.(.*)", r"encoder.layer.\1.attention.attention.QKV.\2"),
                   (r"blocks\.(\d+)\.(.*)", r"encoder.layer.\1.\2"),
                   (r"cls_token", "embeddings.cls_token"), (r"pos_embed", "embeddings.position_embeddings"),
                   (r"patch_embed\.proj\.(.*)", r"embeddings.patch_embeddings.projection.\1"), (r"norm\.(.*)", r"layernorm.\1"))
    name = rename(name)
    return [name.replace("QKV", part) for part in ("query", "key", "value")] if "QKV" in name else name


original_convnext = rules((r"stem\.(.*)", r"downsample_layers.0.\1"), (r"stages\.(\d)\.downsample\.(.*)", r"downsample_layers.\1.\2"),
                          (r"stages\.(\d)\.blocks\.(\d+)\.conv_dw\.(.*)", r"stages.\1.\2.dwconv.\3"), (r"stages\.(\d)\.blocks\.(\d+)\.mlp\.fc(\d)\.(.*)", r"stages.\1.\2.pwconv\3.\4"),
                          (r"stages\.(\d)\.blocks\.(\d+)\.mlp\.grn\.weight", r"stages.\1.\2.grn.gamma"), (r"stages\.(\d)\.blocks\.(\d+)\.mlp\.grn\.bias", r"stages.\1.\2.grn.beta"),
                          (r"stages\.(\d)\.blocks\.(\d+)\.(.*)", r"stages.\1.\2.\3"), (r"head\.norm\.(.*)", r"norm.\1"), (r"head\.fc\.(.*)", r"head.\1"))


def original_shape(name, tensor):
    """Linear layers have two dimensions, and the response norms four."""
    if "mlp.fc" in name and tensor.dim() == 4:
        return tensor.flatten(1)
    return tensor.reshape(1, 1, 1, -1) if ".grn." in name else tensor


small = dict(hidden_size=384, num_attention_heads=6, intermediate_size=1536)
vit = transformers.ViTForImageClassification(transformers.ViTConfig(num_labels=1000, layer_norm_eps=1e-6, **small))
dinov2 = transformers.Dinov2Model(transformers.Dinov2Config(image_size=518, patch_size=14, **small))
torchvision_vit = torchvision.models.vit_b_16()
models = [
    ["convnext_tiny", "torchvision's names", proven("convnext_tiny", random(torchvision.models.convnext_tiny()), convnext_of_torchvision)],
    ["convnext_atto", "the authors' names", filtered("convnext_atto", original_convnext, original_shape, convnext.checkpoint_filter_fn)],
    ["convnextv2_atto", "the authors' names", filtered("convnextv2_atto", original_convnext, original_shape, convnext.checkpoint_filter_fn)],
    ["vit_base_patch16_224", "torchvision's names", proven("vit_base_patch16_224", random(torchvision_vit), vit_of_torchvision)],
    ["vit_small_patch16_224", "transformers' names", proven("vit_small_patch16_224", random(vit), vit_of_transformers, lambda net, x: net(x).logits)],
    ["vit_small_patch14_dinov2", "transformers' names", proven("vit_small_patch14_dinov2", random(dinov2), dinov2_of_transformers,
                                                                 lambda net, x: net(x).pooler_output, num_classes=0, img_size=518)],
    ["deit3_small_patch16_224", "the authors' names",
     filtered("deit3_small_patch16_224", rules((r"blocks\.(\d+)\.ls(\d)\.gamma", r"blocks.\1.gamma_\2")), lambda _, tensor: tensor,
              functools.partial(vision_transformer.checkpoint_filter_fn, adapt_layer_scale=True))],
]
versions = {"torch": torch.__version__, "torchvision": torchvision.__version__, "timm": timm.__version__, "transformers": transformers.__version__}
print(json.dumps({**versions, "models": models}, separators=(",", ":")))
