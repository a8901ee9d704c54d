"""Images with transparency over backgrounds, by Pillow.

    python scripts/make_alpha_fixtures.py      # needs Pillow and numpy

Writes crates/vision-data/tests/fixtures/alpha/: small files of the formats that have alpha, and expected.json with the
pixels of each: as stored (`convert("RGB")`), and pasted over white, black and a color.
"""

import json
from pathlib import Path

import numpy as np
import PIL
from PIL import Image

OUT = Path(__file__).parent.parent / "crates/vision-data/tests/fixtures/alpha"
OUT.mkdir(parents=True, exist_ok=True)
rng = np.random.default_rng(0)
H, W = 5, 7
alpha = rng.integers(0, 256, (H, W), dtype=np.uint8)
alpha[0, :3] = [0, 255, 128]
rgb = rng.integers(0, 256, (H, W, 3), dtype=np.uint8)
rgba = Image.fromarray(np.dstack([rgb, alpha]))
la = Image.fromarray(np.dstack([rgb[..., 0], alpha]))
palette = Image.fromarray(rng.integers(0, 4, (H, W), dtype=np.uint8)).convert("P")
palette.putpalette([200, 10, 10, 10, 200, 10, 10, 10, 200, 90, 80, 70])

rgba.save(OUT / "rgba.png")
la.save(OUT / "gray_alpha.png")
palette.save(OUT / "palette.png", transparency=2)
palette.save(OUT / "palette_alpha.png", transparency=bytes([0, 64, 128, 255]))
Image.fromarray(rgb).save(OUT / "color_key.png", transparency=tuple(int(v) for v in rgb[2, 3]))
palette.save(OUT / "palette.gif", transparency=1)
rgba.save(OUT / "rgba.webp", lossless=True, exact=True)
rgba.save(OUT / "rgba.tiff")
rgba.save(OUT / "rgba_lzw.tiff", compression="tiff_lzw")
la.save(OUT / "gray_alpha.tiff")
Image.fromarray(rgb).save(OUT / "opaque.png")

backgrounds = {"white": (255, 255, 255), "black": (0, 0, 0), "color": (30, 144, 255)}
expected = {}
for path in sorted(OUT.glob("*.*")):
    if path.suffix == ".json":
        continue
    image = Image.open(path)
    has_alpha = image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info
    layer = image.convert("RGBA") if has_alpha else None
    values = {"stored": np.asarray(image.convert("RGB")).ravel().tolist()}
    for name, color in backgrounds.items():
        result = Image.new("RGB", image.size, color)
        if has_alpha:
            result.paste(layer.convert("RGB"), mask=layer.getchannel("A"))
        else:
            result.paste(image.convert("RGB"))
        values[name] = np.asarray(result).ravel().tolist()
    expected[path.name] = values
(OUT / "expected.json").write_text(json.dumps({"pillow": PIL.__version__, "backgrounds": backgrounds, "images": expected}))
print(len(expected), "images", sum(f.stat().st_size for f in OUT.iterdir()), "bytes")
