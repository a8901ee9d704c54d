//! Names of timm's networks in other programs.

/// The names of a model in another program, or `None` if it is another network.
type Renamed = Option<Vec<String>>;

/// Renames all names by `rename`, which returns `None` for a name that it does not know.
fn all(names: &[String], rename: impl Fn(&[&str]) -> Option<String>) -> Renamed {
    let renamed = names.iter().map(|name| {
        let parts: Vec<&str> = name.split('.').collect();
        rename(&parts)
    });
    renamed.collect()
}

fn has(names: &[String], all: &[&str]) -> bool {
    all.iter()
        .all(|wanted| names.iter().any(|name| name == wanted))
}

fn is_convnext(names: &[String]) -> bool {
    has(
        names,
        &["stem.0.weight", "stages.0.blocks.0.conv_dw.weight"],
    )
}

fn is_transformer(names: &[String]) -> bool {
    has(
        names,
        &["cls_token", "pos_embed", "blocks.0.attn.qkv.weight"],
    )
}

/// torchvision's names of timm's ConvNeXts.
pub(super) fn torchvision_convnext(names: &[String]) -> Renamed {
    if !is_convnext(names) {
        return None;
    }
    // Stages and what is before them take turns.
    let place = |stage: &str, odd: usize| Some(2 * stage.parse::<usize>().ok()? + odd);
    all(names, |parts| {
        Some(match parts {
            ["stem", i, last] => format!("features.0.{i}.{last}"),
            ["stages", stage, "downsample", i, last] => {
                format!("features.{}.{i}.{last}", place(stage, 0)?)
            }
            ["stages", stage, "blocks", i, rest @ ..] => {
                let block = format!("features.{}.{i}", place(stage, 1)?);
                let layer = match rest {
                    ["gamma"] => return Some(format!("{block}.layer_scale")),
                    ["conv_dw", _] => 0,
                    ["norm", _] => 2,
                    ["mlp", "fc1", _] => 3,
                    ["mlp", "fc2", _] => 5,
                    _ => return None,
                };
                format!("{block}.block.{layer}.{}", rest.last()?)
            }
            ["head", "norm", last] => format!("classifier.0.{last}"),
            ["head", "fc", last] => format!("classifier.2.{last}"),
            _ => return None,
        })
    })
}

/// The names of timm's ConvNeXts in the files of their authors.
pub(super) fn original_convnext(names: &[String]) -> Renamed {
    if !is_convnext(names) {
        return None;
    }
    all(names, |parts| {
        Some(match parts {
            ["stem", i, last] => format!("downsample_layers.0.{i}.{last}"),
            ["stages", stage, "downsample", i, last] => {
                format!("downsample_layers.{stage}.{i}.{last}")
            }
            ["stages", stage, "blocks", i, rest @ ..] => {
                let layer = match rest {
                    ["gamma"] => "gamma".to_owned(),
                    ["conv_dw", last] => format!("dwconv.{last}"),
                    ["norm", last] => format!("norm.{last}"),
                    ["mlp", "fc1", last] => format!("pwconv1.{last}"),
                    ["mlp", "fc2", last] => format!("pwconv2.{last}"),
                    ["mlp", "grn", "weight"] => "grn.gamma".to_owned(),
                    ["mlp", "grn", "bias"] => "grn.beta".to_owned(),
                    _ => return None,
                };
                format!("stages.{stage}.{i}.{layer}")
            }
            ["head", "norm", last] => format!("norm.{last}"),
            ["head", "fc", last] => format!("head.{last}"),
            _ => return None,
        })
    })
}

/// torchvision's names of timm's ViTs; `old`: in the files that it hosts.
pub(super) fn torchvision_vit(names: &[String], old: bool) -> Renamed {
    if !is_transformer(names) {
        return None;
    }
    let maps = if old {
        ["linear_1", "linear_2"]
    } else {
        ["0", "3"]
    };
    all(names, |parts| {
        Some(match parts {
            ["cls_token"] => "class_token".to_owned(),
            ["pos_embed"] => "encoder.pos_embedding".to_owned(),
            ["patch_embed", "proj", last] => format!("conv_proj.{last}"),
            ["blocks", i, rest @ ..] => {
                let layer = match rest {
                    ["norm1", last] => format!("ln_1.{last}"),
                    ["attn", "qkv", last] => format!("self_attention.in_proj_{last}"),
                    ["attn", "proj", last] => format!("self_attention.out_proj.{last}"),
                    ["norm2", last] => format!("ln_2.{last}"),
                    ["mlp", "fc1", last] => format!("mlp.{}.{last}", maps[0]),
                    ["mlp", "fc2", last] => format!("mlp.{}.{last}", maps[1]),
                    _ => return None,
                };
                format!("encoder.layers.encoder_layer_{i}.{layer}")
            }
            ["norm", last] => format!("encoder.ln.{last}"),
            ["head", last] => format!("heads.head.{last}"),
            _ => return None,
        })
    })
}

/// The names of timm's DeiT III in the files of its authors.
pub(super) fn original_deit(names: &[String]) -> Renamed {
    if !is_transformer(names) || !has(names, &["blocks.0.ls1.gamma"]) {
        return None;
    }
    all(names, |parts| {
        Some(match parts {
            ["blocks", i, "ls1", "gamma"] => format!("blocks.{i}.gamma_1"),
            ["blocks", i, "ls2", "gamma"] => format!("blocks.{i}.gamma_2"),
            parts => parts.join("."),
        })
    })
}

/// transformers' names of timm's ViTs; `model` is what the body is called in it, with a dot.
///
/// Its queries, keys and values are three layers: `qkv` stands for them (`joined`).
pub(super) fn transformers_vit(names: &[String], model: &str) -> Renamed {
    if !is_transformer(names) || has(names, &["blocks.0.ls1.gamma"]) {
        return None;
    }
    all(names, |parts| {
        let layer = match parts {
            ["head", last] => return Some(format!("classifier.{last}")),
            ["norm", last] => format!("layernorm.{last}"),
            ["blocks", i, rest @ ..] => {
                let layer = match rest {
                    ["norm1", last] => format!("layernorm_before.{last}"),
                    ["norm2", last] => format!("layernorm_after.{last}"),
                    ["mlp", "fc1", last] => format!("intermediate.dense.{last}"),
                    ["mlp", "fc2", last] => format!("output.dense.{last}"),
                    rest => attention(rest)?,
                };
                format!("encoder.layer.{i}.{layer}")
            }
            parts => embeddings(parts)?,
        };
        Some(format!("{model}{layer}"))
    })
}

/// transformers' names of timm's DINOv2.
pub(super) fn transformers_dinov2(names: &[String]) -> Renamed {
    if !is_transformer(names) || !has(names, &["blocks.0.ls1.gamma"]) {
        return None;
    }
    all(names, |parts| {
        Some(match parts {
            ["head", last] => format!("classifier.{last}"),
            ["norm", last] => format!("layernorm.{last}"),
            ["blocks", i, rest @ ..] => {
                let layer = match rest {
                    ["ls1", "gamma"] => "layer_scale1.lambda1".to_owned(),
                    ["ls2", "gamma"] => "layer_scale2.lambda1".to_owned(),
                    ["attn", ..] => attention(rest)?,
                    rest => rest.join("."),
                };
                format!("encoder.layer.{i}.{layer}")
            }
            parts => embeddings(parts)?,
        })
    })
}

fn attention(parts: &[&str]) -> Option<String> {
    match parts {
        ["attn", "qkv", last] => Some(format!("attention.attention.qkv.{last}")),
        ["attn", "proj", last] => Some(format!("attention.output.dense.{last}")),
        _ => None,
    }
}

fn embeddings(parts: &[&str]) -> Option<String> {
    Some(match parts {
        ["cls_token"] => "embeddings.cls_token".to_owned(),
        ["pos_embed"] => "embeddings.position_embeddings".to_owned(),
        ["patch_embed", "proj", last] => format!("embeddings.patch_embeddings.projection.{last}"),
        _ => return None,
    })
}
