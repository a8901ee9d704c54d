//! The bounds within which a transform makes sense.

use vision_base::OptionError;

use crate::error::{Error, Result};
use crate::transforms::size::Size;
use crate::transforms::transform::Transform;

/// The most pixels that `Pad` adds on a side, and the longest `Cutout`. A typing error should not ask
/// for terabytes.
const MOST_PIXELS: u32 = Size::MAX_SIDE as u32;
/// The most operations of a `RandAugment`, and the most holes of a `Cutout`.
const MOST_TIMES: u32 = 100;

impl Transform {
    /// Checks that all numbers are within their ranges.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] that names the field.
    pub fn check(&self) -> Result<()> {
        let bad = |expected| {
            Err(Error::Option(OptionError::new(
                "transform",
                expected,
                format!("{self:?}"),
            )))
        };
        // Where `get_transforms` makes such a transform, its argument is named: it is what was given.
        if !(0.0..=1.0).contains(&self.p()) {
            return bad(match self {
                Self::SymmetricWarp { .. } | Self::Rotate { .. } | Self::Zoom { .. } => {
                    "a probability `p` in [0, 1] (`p_affine` of `get_transforms`)"
                }
                Self::Brightness { .. } | Self::Contrast { .. } => {
                    "a probability `p` in [0, 1] (`p_lighting` of `get_transforms`)"
                }
                _ => "a probability `p` in [0, 1]",
            });
        }
        const PART: (&str, f64, f64) = ("`row` and `col` in order within [0, 1]", 0.0, 1.0);
        const MAGNITUDE: (&str, f64, f64) = ("`magnitude` in order within [-0.5, 0.5]", -0.5, 0.5);
        const K: &str = "`k` in order within [0, 7]";
        const BINS: &str = "`bins` in 2 to 1000";
        let mut rules = Vec::new();
        let mut parts = |row, col, (expected, low, high): (&'static str, f64, f64)| {
            for bounds in [row, col] {
                let bounds: &crate::transforms::bounds::Bounds = bounds;
                rules.push((bounds.within(low, high), expected));
            }
        };
        match self {
            Self::CropPad { row, col } => parts(row, col, PART),
            Self::Zoom {
                scale, row, col, ..
            } => {
                const ZOOM: &str = "`scale` in order within [0.001, 1000] (`max_zoom` of \
                                    `get_transforms`: 1 to 1000)";
                parts(row, col, PART);
                parts(scale, scale, (ZOOM, 1e-3, 1e3));
            }
            Self::Squish {
                scale, row, col, ..
            } => {
                const SCALE: &str = "`scale` in order within [0.001, 1000]";
                parts(row, col, PART);
                parts(scale, scale, (SCALE, 1e-3, 1e3));
            }
            Self::Contrast { scale, .. } => {
                const SCALE: &str = "`scale` in order within [0.001, 1000] (`max_lighting` of \
                                     `get_transforms`: up to 0.999)";
                parts(scale, scale, (SCALE, 1e-3, 1e3));
            }
            Self::ZoomSquish {
                scale,
                squish,
                row,
                col,
                ..
            } => {
                parts(row, col, PART);
                parts(
                    scale,
                    scale,
                    ("`scale` in order within [1, 1000]", 1.0, 1e3),
                );
                parts(
                    squish,
                    squish,
                    ("`squish` in order within [0.001, 1000]", 1e-3, 1e3),
                );
            }
            Self::Crop { size, row, col } => {
                parts(row, col, PART);
                size.check()?;
            }
            Self::Tilt {
                direction,
                magnitude,
                ..
            } => {
                parts(magnitude, magnitude, MAGNITUDE);
                rules.push((direction.within(0, 3), "`direction` in order within [0, 3]"));
            }
            Self::Skew {
                direction,
                magnitude,
                ..
            } => {
                parts(magnitude, magnitude, MAGNITUDE);
                rules.push((direction.within(0, 7), "`direction` in order within [0, 7]"));
            }
            Self::SymmetricWarp { magnitude, .. } => {
                const WARP: &str = "`magnitude` in order within [-0.5, 0.5] (`max_warp` of \
                                    `get_transforms`: up to 0.5)";
                magnitude
                    .iter()
                    .for_each(|m| parts(m, m, (WARP, -0.5, 0.5)));
            }
            Self::PerspectiveWarp { magnitude, .. } => {
                magnitude.iter().for_each(|m| parts(m, m, MAGNITUDE));
            }
            Self::Jitter { magnitude, .. } => parts(
                magnitude,
                magnitude,
                ("`magnitude` in order within [0, 1]", 0.0, 1.0),
            ),
            Self::Rotate { degrees, .. } => {
                const TURN: &str = "`degrees` in order within [-3600, 3600] (`max_rotate` of \
                                    `get_transforms`: up to 3600)";
                parts(degrees, degrees, (TURN, -3600.0, 3600.0));
            }
            Self::Brightness { change, .. } => {
                const CHANGE: &str = "`change` in order within (0, 1) (`max_lighting` of \
                                      `get_transforms`: below 1)";
                parts(change, change, (CHANGE, 1e-6, 1.0 - 1e-6));
            }
            Self::RandomResizedCrop { scale, ratio } => {
                parts(
                    scale,
                    scale,
                    ("`scale` in order within [0.0001, 1]", 1e-4, 1.0),
                );
                parts(
                    ratio,
                    ratio,
                    ("`ratio` in order within [0.001, 1000]", 1e-3, 1e3),
                );
            }
            Self::ResizeCenterCrop { extra } => {
                rules.push((*extra <= MOST_PIXELS, "`extra` up to 16384"));
            }
            Self::Pad { pixels, .. } => {
                rules.push((*pixels <= MOST_PIXELS, "`pixels` up to 16384"));
            }
            Self::DihedralAffine { k, .. } | Self::Dihedral { k, .. } => {
                rules.push((k.within(0, 7), K));
            }
            Self::RgbRandomize {
                channel, thresh, ..
            } => {
                rules.push((channel.within(0, 2), "`channel` in order within [0, 2]"));
                rules.push(((0.0..=1.0).contains(thresh), "`thresh` in [0, 1]"));
            }
            Self::Cutout { holes, length, .. } => {
                rules.push((
                    holes.within(0, MOST_TIMES),
                    "`holes` in order within [0, 100]",
                ));
                rules.push((
                    length.within(0, MOST_PIXELS),
                    "`length` in order within [0, 16384]",
                ));
            }
            Self::RandAugment {
                ops,
                magnitude,
                bins,
            } => {
                rules.push(((2..=1000).contains(bins), BINS));
                rules.push((magnitude < bins, "`magnitude` below `bins`"));
                rules.push((*ops <= MOST_TIMES, "`ops` up to 100"));
            }
            Self::TrivialAugment { bins } => rules.push(((2..=1000).contains(bins), BINS)),
            Self::FlipLr { .. } | Self::FlipAffine { .. } => {}
        }
        match rules.into_iter().find(|(holds, _)| !holds) {
            Some((_, expected)) => bad(expected),
            None => Ok(()),
        }
    }
}
