//! torchvision's names of the parameters of networks that have timm's names here.

use std::collections::BTreeSet;

use super::other_names;

/// torchvision's names, if it has the network under others than timm.
pub(crate) fn torchvision_names(names: &[String]) -> Option<Vec<String>> {
    let known: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    let has = |name: &str| known.contains(name);
    if has("s1.b1.conv1.conv.weight") {
        return names.iter().map(|name| regnet(name)).collect();
    }
    let other = other_names::torchvision_convnext(names);
    if let Some(names) = other.or_else(|| other_names::torchvision_vit(names, false)) {
        return Some(names);
    }
    if !has("conv_stem.weight") || !has("conv_head.weight") || !has("blocks.0.0.bn1.weight") {
        return None;
    }
    // The head of MobileNetV3 has no batch norm, and its blocks are not grouped.
    let flat = has("conv_head.bias");
    if !flat && !has("bn2.weight") {
        return None;
    }
    Blocks::new(flat, names).rename(names)
}

/// `s1.b2.conv1.bn.weight` becomes `trunk_output.block1.block1-1.f.a.1.weight`.
fn regnet(name: &str) -> Option<String> {
    let parts: Vec<&str> = name.split('.').collect();
    let unit = |kind: &str| match kind {
        "conv" => Some("0"),
        "bn" => Some("1"),
        _ => None,
    };
    Some(match parts[..] {
        ["stem", kind, last] => format!("stem.{}.{last}", unit(kind)?),
        ["head", "fc", last] => format!("fc.{last}"),
        [stage, block, layer, kind, last] => {
            let stage = stage.strip_prefix('s')?;
            let block = block
                .strip_prefix('b')?
                .parse::<usize>()
                .ok()?
                .checked_sub(1)?;
            let block = format!("trunk_output.block{stage}.block{stage}-{block}");
            match layer {
                "conv1" => format!("{block}.f.a.{}.{last}", unit(kind)?),
                "conv2" => format!("{block}.f.b.{}.{last}", unit(kind)?),
                "se" => format!("{block}.f.se.{kind}.{last}"),
                "conv3" => format!("{block}.f.c.{}.{last}", unit(kind)?),
                "downsample" => format!("{block}.proj.{}.{last}", unit(kind)?),
                _ => return None,
            }
        }
        _ => return None,
    })
}

/// The blocks of an EfficientNet or a MobileNetV3.
struct Blocks<'a> {
    /// Whether torchvision counts the blocks through all stages.
    flat: bool,
    /// Stage and number in it, in order.
    all: Vec<[&'a str; 2]>,
    stages: usize,
}

impl<'a> Blocks<'a> {
    fn new(flat: bool, names: &'a [String]) -> Self {
        let mut all: Vec<[&str; 2]> = Vec::new();
        for name in names {
            let mut parts = name.split('.');
            if let (Some("blocks"), Some(stage), Some(block)) =
                (parts.next(), parts.next(), parts.next())
                && all.last() != Some(&[stage, block])
            {
                all.push([stage, block]);
            }
        }
        let stages = all.iter().map(|[stage, _]| stage);
        let stages = stages.collect::<BTreeSet<_>>().len();
        Self { flat, all, stages }
    }

    fn rename(&self, names: &[String]) -> Option<Vec<String>> {
        // The block, the number of its convolution or squeeze and excitation, and the layer of the name before.
        let (mut here, mut unit, mut before) = (["", ""], 0, "");
        let renamed = names.iter().map(|name| {
            let (layer, last) = name.rsplit_once('.')?;
            let Some(rest) = layer.strip_prefix("blocks.") else {
                return Some(format!("{}.{last}", self.outside(layer)?));
            };
            let (stage, rest) = rest.split_once('.')?;
            let (block, inner) = rest.split_once('.')?;
            let at = self.all.iter().position(|known| *known == [stage, block])?;
            let path = if self.flat {
                format!("features.{}", at + 1)
            } else {
                format!("features.{}.{block}", stage.parse::<usize>().ok()? + 1)
            };
            // The last layer of a MobileNetV3's body is no block in torchvision.
            if self.flat && at + 1 == self.all.len() {
                let part = usize::from(inner != "conv");
                return Some(format!("{path}.{part}.{last}"));
            }
            let first = inner != "se.conv_expand" && inner.contains("conv");
            if here != [stage, block] {
                (here, unit) = ([stage, block], 0);
            } else if first && inner != before {
                unit += 1;
            }
            before = inner;
            let part = match inner {
                "se.conv_reduce" => "fc1",
                "se.conv_expand" => "fc2",
                _ if first => "0",
                _ => "1",
            };
            Some(format!("{path}.block.{unit}.{part}.{last}"))
        });
        renamed.collect()
    }

    fn outside(&self, layer: &str) -> Option<String> {
        let end = self.stages + 1;
        Some(match (layer, self.flat) {
            ("conv_stem", _) => "features.0.0".to_owned(),
            ("bn1", _) => "features.0.1".to_owned(),
            ("conv_head", false) => format!("features.{end}.0"),
            ("bn2", false) => format!("features.{end}.1"),
            ("classifier", false) => "classifier.1".to_owned(),
            ("conv_head", true) => "classifier.0".to_owned(),
            ("classifier", true) => "classifier.3".to_owned(),
            _ => return None,
        })
    }
}
