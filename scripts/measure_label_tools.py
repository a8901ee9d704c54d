#!/usr/bin/env python3
"""Measures what docs/are-the-labels-right.md says about thresholds of near duplicates and about changed labels.

    pip install torch timm pillow scikit-learn cleanlab==2.9.0
    python3 scripts/measure_label_tools.py IMAGES WEIGHTS

IMAGES is a folder with CLASS/IMAGE, WEIGHTS a state dict in the order of timm's tf_efficientnet_lite0. Transparent pixels become
white; images are resized to 224 pixels on the short side and cropped in the center.
"""
import io, pathlib, sys, warnings
import numpy as np
import timm, torch
from cleanlab.filter import find_label_issues
from PIL import Image, ImageOps
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

warnings.simplefilter("ignore")
files = sorted(f for f in pathlib.Path(sys.argv[1]).rglob("*") if f.suffix.lower() in (".png", ".jpg", ".jpeg"))
model = timm.create_model("tf_efficientnet_lite0", pretrained=False)
own = model.state_dict()
loaded = torch.load(sys.argv[2], weights_only=True)
model.load_state_dict({k: v.reshape(own[k].shape) for k, v in zip(own, loaded.values(), strict=True)})
model.eval()


def opened(file):
    image = Image.open(file).convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, (255,) * 4), image).convert("RGB")


def jpeg(image, quality):
    data = io.BytesIO()
    image.save(data, "JPEG", quality=quality)
    return Image.open(io.BytesIO(data.getvalue())).convert("RGB")


def smaller(image, by):
    return image.resize((max(1, image.width // by), max(1, image.height // by)), Image.LANCZOS)


def cropped(image):
    w, h = image.size
    return image.crop((int(w * 0.05), int(h * 0.05), int(w * 0.95), int(h * 0.95)))


COPIES = {
    "JPEG 75": lambda i: jpeg(i, 75), "JPEG 30": lambda i: jpeg(i, 30), "half size": lambda i: smaller(i, 2),
    "third size": lambda i: smaller(i, 3), "mirrored": ImageOps.mirror, "90 % crop": cropped,
    "brighter": lambda i: Image.fromarray(np.clip(np.asarray(i) * 1.15, 0, 255).astype("uint8")),
    "gray": lambda i: i.convert("L").convert("RGB"),
}


def prepared(image):
    scale = 224 / min(image.size)
    image = image.resize([max(224, round(side * scale)) for side in image.size], Image.BILINEAR)
    left, top = (image.width - 224) // 2, (image.height - 224) // 2
    image = np.asarray(image.crop((left, top, left + 224, top + 224)))
    return torch.tensor(image).permute(2, 0, 1).float() / 127.5 - 1


def features(images):
    with torch.no_grad():
        maps = [model.forward_features(torch.stack([prepared(i) for i in images[at:at + 25]]))
                for at in range(0, len(images), 25)]
    maps = torch.cat(maps)
    return torch.cat([maps.amax((2, 3)), maps.mean((2, 3))], 1).double().numpy()


images = [opened(file) for file in files]
plain = features(images)
copies = {name: features([change(image) for image in images]) for name, change in COPIES.items()}
rows = np.concatenate([plain, *copies.values()])
rows /= np.linalg.norm(rows, axis=1, keepdims=True)
source = np.tile(np.arange(len(images)), 1 + len(copies))
pairs = np.triu_indices(len(rows), 1)
different = (source[:, None] != source)[pairs]
similar = (rows @ rows.T)[pairs]
print(len(images), "images,", different.sum(), "pairs of different ones")
print("threshold", *COPIES, "wrong", sep=" | ")
for threshold in (0.8, 0.85, 0.88, 0.9, 0.95):
    of = rows.reshape(1 + len(copies), len(images), -1)
    shares = [f"{((of[0] * copy).sum(1) >= threshold).mean():.2f}" for copy in of[1:]]
    print(threshold, *shares, (similar[different] >= threshold).sum(), sep=" | ")

_, labels = np.unique([file.parent.name for file in files], return_inverse=True)
classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500))
folds = StratifiedKFold(5, shuffle=True, random_state=0)
for seed in range(3):
    rng = np.random.default_rng(seed)
    changed = rng.choice(len(labels), 20, replace=False)
    given = labels.copy()
    given[changed] = (given[changed] + rng.integers(1, labels.max() + 1, 20)) % (labels.max() + 1)
    p = cross_val_predict(classifier, plain, given, cv=folds, method="predict_proba")
    found = find_label_issues(given, p, return_indices_ranked_by="self_confidence", n_jobs=1)
    print(f"20 labels changed: {len(found)} found, {len(set(found) & set(changed))} of the changed ones, "
          f"{len(set(found[:20]) & set(changed))} of them among the first 20; accuracy {(p.argmax(1) == labels).mean():.2f}")
