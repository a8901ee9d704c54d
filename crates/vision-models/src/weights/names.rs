//! Naming schemes for a model's tensors.

use std::collections::BTreeSet;

use super::other_names;
use super::torchvision::torchvision_names;

/// A naming scheme: the names of a model in another program, in the model's order.
#[derive(Clone, Debug)]
pub(super) struct Form {
    pub(super) names: Vec<String>,
    /// The note for the report.
    pub(super) note: Option<&'static str>,
    /// Whether a matrix may be stored as a convolution over the whole feature map, and whether sides of 1 count.
    reshapes: bool,
}

impl Form {
    /// The model's own names, and the other names of torchvision's models.
    pub(super) fn of_torchvision(names: &[String]) -> Vec<Self> {
        let mut forms = vec![Self {
            names: names.to_vec(),
            note: None,
            reshapes: false,
        }];
        let mut add = |rename: fn(&str) -> Option<String>, note, reshapes| {
            let renamed: Vec<_> = names.iter().map(|name| rename(name)).collect();
            if renamed.iter().any(Option::is_some) {
                let both = renamed.into_iter().zip(names);
                forms.push(Self {
                    names: both
                        .map(|(new, old)| new.unwrap_or_else(|| old.clone()))
                        .collect(),
                    note: Some(note),
                    reshapes,
                });
            }
        };
        add(
            hosted_densenet,
            "names of older DenseNets, such as norm.1 for norm1",
            false,
        );
        add(timm, "timm's names", true);
        add(transformers, "transformers' names", false);
        let body = |name: &str| Some(transformers(name)?.strip_prefix("resnet.")?.to_owned());
        add(body, "transformers' names", false);
        let mut add = |names: Option<Vec<String>>, note, reshapes| {
            let form = names.map(|names| Self {
                names,
                note: Some(note),
                reshapes,
            });
            forms.extend(form);
        };
        add(
            efficientnet_pytorch(names),
            "EfficientNet-PyTorch's names",
            false,
        );
        let note = "torchvision's names";
        add(torchvision_names(names), note, true);
        add(other_names::torchvision_vit(names, true), note, false);
        let note = "the authors' names";
        add(other_names::original_convnext(names), note, true);
        add(other_names::original_deit(names), note, false);
        let note = "transformers' names";
        for model in ["vit.", ""] {
            add(other_names::transformers_vit(names, model), note, false);
        }
        add(other_names::transformers_dinov2(names), note, false);
        forms
    }

    /// `layer1.0.conv1.weight` becomes `4.0.conv1.weight`, where child 4 is `layer1`.
    pub(super) fn by_position(names: &[String], children: &[&str]) -> Self {
        let rename = |name: &String| {
            let (child, rest) = name.split_once('.')?;
            let position = children.iter().position(|c| *c == child)?;
            Some(format!("{position}.{rest}"))
        };
        Self {
            names: names
                .iter()
                .map(|name| rename(name).unwrap_or_else(|| name.clone()))
                .collect(),
            note: Some("the model's children taken by position, as fastai names them"),
            reshapes: false,
        }
    }

    /// `0.4.0.conv1.weight` becomes `0.model.layer1.0.conv1.weight`, where child 4 is `layer1`.
    pub(super) fn fastai_of_timm(names: &[String], children: &[&str]) -> Self {
        let rename = |name: &String| {
            let inside = name.strip_prefix("0.")?;
            let Some((position, rest)) = inside.split_once('.') else {
                // Without a child's name: the tokens of a vision transformer.
                return Some(format!("0.model.{inside}"));
            };
            let child = children.get(position.parse::<usize>().ok()?)?;
            let name = format!("{child}.{rest}");
            Some(format!("0.model.{}", timm(&name).unwrap_or(name)))
        };
        Self {
            names: names
                .iter()
                .map(|name| rename(name).unwrap_or_else(|| name.clone()))
                .collect(),
            note: Some("fastai's names around a body of timm"),
            reshapes: false,
        }
    }

    /// Whether a tensor of the file fits a parameter of the model.
    pub(super) fn fits(&self, found: &[usize], expected: &[usize]) -> bool {
        let values = |shape: &[usize]| shape.iter().product::<usize>();
        let alike = found.first() == expected.first() && values(found) == values(expected);
        let without_ones = |shape: &[usize]| {
            let sides = shape.iter().copied().filter(|side| *side != 1);
            sides.collect::<Vec<_>>()
        };
        let matrix = || found.len() == 4 && expected.len() == 2 && alike;
        let ones = || without_ones(found) == without_ones(expected);
        found == expected || self.reshapes && (matrix() || ones())
    }
}

/// `..denselayer1.norm1.weight` becomes `..denselayer1.norm.1.weight`: the files that torchvision
/// hosts are older than its modules.
fn hosted_densenet(name: &str) -> Option<String> {
    let (head, rest) = name.split_once(".denselayer")?;
    let mut parts = rest.split('.');
    let (layer, kind, last) = (parts.next()?, parts.next()?, parts.next()?);
    let (kind, number) = kind.split_at_checked(4)?;
    let known = ["norm", "conv"].contains(&kind) && ["1", "2"].contains(&number);
    (known && parts.next().is_none())
        .then(|| format!("{head}.denselayer{layer}.{kind}.{number}.{last}"))
}

/// timm's name of a parameter of torchvision's VGGs and MobileNet V2. timm's ResNets and DenseNets
/// use torchvision's names, and it has no AlexNet or SqueezeNet.
fn timm(name: &str) -> Option<String> {
    // The number of blocks in each stage of MobileNet V2, whose features are numbered from 1.
    const STAGES: [usize; 7] = [1, 2, 3, 4, 3, 3, 1];
    let parts: Vec<&str> = name.split('.').collect();
    let layer = match parts[..] {
        ["classifier", "0", last] => return Some(format!("pre_logits.fc1.{last}")),
        ["classifier", "3", last] => return Some(format!("pre_logits.fc2.{last}")),
        ["classifier", "6", last] => return Some(format!("head.fc.{last}")),
        ["classifier", "1", last] => return Some(format!("classifier.{last}")),
        ["features", "0", "0", _] => "conv_stem".to_owned(),
        ["features", "0", "1", _] => "bn1".to_owned(),
        ["features", "18", "0", _] => "conv_head".to_owned(),
        ["features", "18", "1", _] => "bn2".to_owned(),
        ["features", block, "conv", .., last] => {
            let mut block = block.parse::<usize>().ok()?.checked_sub(1)?;
            let stage = STAGES.iter().position(|&blocks| {
                let here = block < blocks;
                block -= if here { 0 } else { blocks };
                here
            })?;
            let layer = match (stage, parts.get(3..parts.len() - 1)?) {
                (0, ["0", "0"]) | (1.., ["1", "0"]) => "conv_dw",
                (0, ["1"]) | (1.., ["0", "0"]) => "conv_pw",
                (_, ["0", "1"]) => "bn1",
                (0, ["2"]) | (1.., ["1", "1"]) => "bn2",
                (1.., ["2"]) => "conv_pwl",
                (1.., ["3"]) => "bn3",
                _ => return None,
            };
            return Some(format!("blocks.{stage}.{block}.{layer}.{last}"));
        }
        _ => return None,
    };
    Some(format!("{layer}.{}", parts.last()?))
}

/// timm's names of the parameters of torchvision's VGGs and MobileNet V2. `None` for another network.
pub(crate) fn timm_names(names: &[String]) -> Option<Vec<String>> {
    let has = |wanted: &str| names.iter().any(|name| name == wanted);
    let vgg = has("classifier.0.weight") && has("classifier.6.weight");
    if !vgg && !has("features.18.0.weight") {
        return None;
    }
    // Names without another form, such as those of a VGG's convolutions, are the same.
    let names = names.iter();
    Some(
        names
            .map(|name| timm(name).unwrap_or_else(|| name.clone()))
            .collect(),
    )
}

/// transformers' name of a parameter of torchvision's ResNets.
fn transformers(name: &str) -> Option<String> {
    let parts: Vec<&str> = name.split('.').collect();
    let kind = |kind: &str| match kind {
        "conv" => Some("convolution"),
        "bn" => Some("normalization"),
        _ => None,
    };
    // The number in `layer1` or `conv1`, which transformers counts from 0.
    let number = |n: &str| n.parse::<usize>().ok()?.checked_sub(1);
    let layer = match parts[..] {
        ["fc", last] => return Some(format!("classifier.1.{last}")),
        ["conv1", _] => "embedder.embedder.convolution".to_owned(),
        ["bn1", _] => "embedder.embedder.normalization".to_owned(),
        [stage, block, layer, .., _] => {
            let stage = number(stage.strip_prefix("layer")?)?;
            let block = format!("encoder.stages.{stage}.layers.{block}");
            match (layer, parts.get(3..parts.len() - 1)?) {
                ("downsample", ["0"]) => format!("{block}.shortcut.convolution"),
                ("downsample", ["1"]) => format!("{block}.shortcut.normalization"),
                (layer, []) => {
                    let (name, n) = layer.split_at_checked(layer.len().checked_sub(1)?)?;
                    format!("{block}.layer.{}.{}", number(n)?, kind(name)?)
                }
                _ => return None,
            }
        }
        _ => return None,
    };
    Some(format!("resnet.{layer}.{}", parts.last()?))
}

/// EfficientNet-PyTorch's names of the parameters of timm's EfficientNets, where blocks are counted through all stages.
/// `None` for another network.
fn efficientnet_pytorch(names: &[String]) -> Option<Vec<String>> {
    let known: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    if !known.contains("conv_head.weight") || !known.contains("blocks.0.0.conv_dw.weight") {
        return None;
    }
    let mut blocks: Vec<&str> = Vec::new();
    let renamed = names.iter().map(|name| {
        let Some(rest) = name.strip_prefix("blocks.") else {
            let (layer, last) = name.split_once('.')?;
            let layer = match layer {
                "conv_stem" => "_conv_stem",
                "bn1" => "_bn0",
                "conv_head" => "_conv_head",
                "bn2" => "_bn1",
                "classifier" => "_fc",
                _ => return None,
            };
            return Some(format!("{layer}.{last}"));
        };
        let (_stage, rest) = rest.split_once('.')?;
        let (_index, rest) = rest.split_once('.')?;
        let block = name.get(..name.len() - rest.len() - 1)?;
        if blocks.last() != Some(&block) {
            blocks.push(block);
        }
        let (layer, last) = rest.rsplit_once('.')?;
        // A block that has no more channels inside than outside has two convolutions.
        let widens = known.contains(format!("{block}.conv_pwl.weight").as_str());
        let layer = match (layer, widens) {
            ("conv_pw", true) => "_expand_conv",
            ("bn1", true) => "_bn0",
            ("conv_dw", _) => "_depthwise_conv",
            ("bn2", true) | ("bn1", false) => "_bn1",
            ("se.conv_reduce", _) => "_se_reduce",
            ("se.conv_expand", _) => "_se_expand",
            ("conv_pwl", true) | ("conv_pw", false) => "_project_conv",
            ("bn3", true) | ("bn2", false) => "_bn2",
            _ => return None,
        };
        Some(format!("_blocks.{}.{layer}.{last}", blocks.len() - 1))
    });
    renamed.collect()
}

/// The most similar name, if any is similar enough.
pub(super) fn nearest<'a>(name: &str, among: impl Iterator<Item = &'a str>) -> Option<String> {
    // A file can have any number of names of any length, so limit the work for a hint.
    const CANDIDATES: usize = 4096;
    const LONGEST: usize = 200;
    const SIMILAR: f64 = 0.6;
    if name.len() > LONGEST {
        return None;
    }
    let near = among.filter(|n| n.len() <= LONGEST).take(CANDIDATES);
    let near = near.map(|n| (strsim::normalized_levenshtein(name, n), n));
    let best = near.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 >= SIMILAR).then(|| best.1.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{hosted_densenet, timm};

    #[test]
    fn torchvisions_hosted_densenets_have_other_names_than_its_modules() {
        let old = |name: &str| hosted_densenet(name);
        assert_eq!(
            old("features.denseblock1.denselayer6.norm2.running_mean").as_deref(),
            Some("features.denseblock1.denselayer6.norm.2.running_mean")
        );
        assert_eq!(
            old("features.denseblock4.denselayer1.conv1.weight").as_deref(),
            Some("features.denseblock4.denselayer1.conv.1.weight")
        );
        for same in [
            "features.denseblock1.denselayer1.norm.1.weight",
            "features.transition1.norm.weight",
            "features.denseblock1.denselayer1.norm3.weight",
            "layer1.0.conv1.weight",
        ] {
            assert_eq!(old(same), None, "{same}");
        }
    }

    #[test]
    fn timms_names_are_counted_by_stage_and_block() {
        for (ours, theirs) in [
            ("features.1.conv.0.0.weight", "blocks.0.0.conv_dw.weight"),
            ("features.1.conv.1.weight", "blocks.0.0.conv_pw.weight"),
            ("features.1.conv.2.bias", "blocks.0.0.bn2.bias"),
            ("features.2.conv.0.0.weight", "blocks.1.0.conv_pw.weight"),
            (
                "features.3.conv.1.1.running_var",
                "blocks.1.1.bn2.running_var",
            ),
            ("features.17.conv.3.bias", "blocks.6.0.bn3.bias"),
            ("features.18.1.bias", "bn2.bias"),
        ] {
            assert_eq!(timm(ours).as_deref(), Some(theirs));
        }
    }
}
