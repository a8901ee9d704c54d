//! What was drawn for a transform, in words.

use std::fmt::Write as _;

use crate::pipeline::draw::Step;
use crate::pipeline::sampling::projective::Map;
use crate::transforms::resizing::Resizing;
use crate::transforms::transform::Transform;

impl Step {
    /// What it does to an image of height and width `source`; `transform` is what it was drawn of.
    pub(crate) fn words(
        &self,
        transform: &Transform,
        source: (usize, usize),
        resizing: &Resizing,
    ) -> String {
        match self {
            Self::Part(part) => {
                let part = part.part(source, resizing.target(source));
                let (from, size) = (part.source, part.size);
                format!(
                    "rows {} to {}, columns {} to {}, resized to {}x{}",
                    from.top,
                    from.top + from.height,
                    from.left,
                    from.left + from.width,
                    size.1,
                    size.0
                )
            }
            Self::Pad { pixels, mode } => format!("{pixels} pixels on each side, {mode:?}"),
            Self::Warp(map) => corners(&map.inverse()),
            Self::Jitter { magnitude, .. } => format!("by up to {magnitude:.4}"),
            Self::ZoomSquish(draw) => {
                let (height, width) = resizing.resized(source);
                shown(&draw.map(height, width))
            }
            Self::Affine(map) => affine(transform, map),
            Self::Lighting { factor, offset } => match transform {
                Transform::Contrast { .. } => format!("scale {factor:.4}"),
                _ => format!("change {:.4}", 1.0 / (1.0 + (-offset).exp())),
            },
            Self::FlipLr => String::new(),
            Self::Dihedral(k) => format!("k {k}"),
            Self::Crop { row, col, .. } | Self::CropPad { row, col } => {
                format!("row {row:.3}, col {col:.3}")
            }
            Self::Noise {
                channel, thresh, ..
            } => format!("channel {channel}, noise below {thresh:.4}"),
            Self::Cutout(holes) => holes.iter().fold(String::new(), |mut text, hole| {
                let (row, col, length) = hole;
                let comma = if text.is_empty() { "" } else { ", " };
                let _ = write!(text, "{comma}{length} pixels at row {row:.3}, col {col:.3}");
                text
            }),
            Self::Operations(operations) => {
                let (height, width) = resizing.target(source);
                let words = operations.iter().map(|operation| {
                    let magnitude = operation.magnitude(height, width);
                    format!("{:?} {magnitude:.3}", operation.kind)
                });
                words.collect::<Vec<_>>().join(", ")
            }
        }
    }
}

fn affine(transform: &Transform, map: &Map) -> String {
    let Map([[a, _, _], [d, e, _], _]) = map;
    match transform {
        Transform::Rotate { .. } => format!("by {:.2} degrees", d.atan2(*a).to_degrees()),
        Transform::Zoom { .. } => format!("scale {:.4}, {}", 1.0 / a, shown(map)),
        Transform::Squish { .. } => {
            let scale = if *a < 1.0 { *a } else { 1.0 / e };
            format!("scale {scale:.4}, {}", shown(map))
        }
        Transform::DihedralAffine { .. } => {
            let k = (0..8).find(|&k| Map::dihedral(k) == *map);
            k.map(|k| format!("k {k}")).unwrap_or_default()
        }
        _ => String::new(),
    }
}

/// Which part of the image a map without turns shows.
fn shown(map: &Map) -> String {
    let percent = |(coordinate, _): (f64, f64)| 50.0 * (coordinate + 1.0);
    let swapped = |(x, y)| (y, x);
    let [left, right] = [-1.0, 1.0].map(|x| percent(map.apply(x, 0.0)));
    let [top, bottom] = [-1.0, 1.0].map(|y| percent(swapped(map.apply(0.0, y))));
    format!("shows {left:.1} to {right:.1} % across and {top:.1} to {bottom:.1} % down")
}

/// Where the corners go, by the coordinates that run from -1 to 1.
fn corners(map: &Map) -> String {
    let corner = |name, x, y| {
        let (x, y) = map.apply(x, y);
        format!("{name} ({x:.3}, {y:.3})")
    };
    format!(
        "corners to {}, {}, {}, {}",
        corner("upper left", -1.0, -1.0),
        corner("lower left", -1.0, 1.0),
        corner("upper right", 1.0, -1.0),
        corner("lower right", 1.0, 1.0)
    )
}
