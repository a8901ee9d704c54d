//! What happens to one item: the transforms with all their numbers drawn.

use crate::pipeline::crop::PartDraw;
use crate::pipeline::rand_augment::{self, Operation};
use crate::pipeline::sampling::projective::Map;
use crate::rng::Rng;
use crate::transforms::padding::PaddingMode;
use crate::transforms::size::Size;
use crate::transforms::transform::Transform;

/// What was drawn for one item: a [`Pipeline`](crate::Pipeline) does the same to every image it is applied to
/// with it.
#[derive(Clone, Debug)]
pub struct Draw {
    /// In the order in which they are applied.
    pub(crate) steps: Vec<Step>,
}

/// A transform that does happen.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Part(PartDraw),
    Pad {
        pixels: u32,
        mode: PaddingMode,
    },
    Warp(Map),
    Jitter {
        magnitude: f64,
        rng: Rng,
    },
    ZoomSquish(ZoomSquishDraw),
    /// To be scaled for the aspect ratio of the grid.
    Affine(Map),
    /// Of the logits.
    Lighting {
        factor: f64,
        offset: f64,
    },
    FlipLr,
    Dihedral(u32),
    Crop {
        size: Size,
        row: f64,
        col: f64,
    },
    Noise {
        channel: u32,
        thresh: f64,
        rng: Rng,
    },
    /// Row and column of the centre as parts of the image, and the length in pixels.
    Cutout(Vec<(f64, f64, u32)>),
    CropPad {
        row: f64,
        col: f64,
    },
    Operations(Vec<Operation>),
}

/// The eight attempts of a `ZoomSquish`.
#[derive(Clone, Debug)]
pub(crate) struct ZoomSquishDraw {
    /// Scale, squish, and whether the squish is turned round.
    tries: [(f64, f64, bool); 8],
    row: f64,
    col: f64,
}

impl Draw {
    /// Draws for each of `transforms` in turn.
    pub(crate) fn new(transforms: &[Transform], rng: &mut Rng) -> Self {
        let happens = |transform: &&Transform, rng: &mut Rng| rng.uniform() < transform.p();
        let mut steps = Vec::with_capacity(transforms.len());
        for transform in transforms {
            if happens(&transform, rng) {
                steps.push(Step::of(transform, rng));
            }
        }
        Self { steps }
    }

    /// Whether pixels are moved other than by whole pixels.
    pub(crate) fn moves(&self) -> bool {
        self.steps.iter().any(|step| {
            matches!(
                step,
                Step::Warp(_) | Step::Jitter { .. } | Step::ZoomSquish(_) | Step::Affine(_)
            )
        })
    }

    /// What is cut out and resized before anything else.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &PartDraw> {
        self.steps.iter().filter_map(|step| match step {
            Step::Part(part) => Some(part),
            _ => None,
        })
    }

    /// What is done to 8-bit pixels after everything else.
    pub(crate) fn operations(&self) -> impl Iterator<Item = &Operation> {
        self.steps.iter().flat_map(|step| match step {
            Step::Operations(operations) => operations.as_slice(),
            _ => &[],
        })
    }

    /// Whether the place of the crop was drawn.
    pub(crate) fn crops(&self) -> bool {
        let crops = |step: &Step| matches!(step, Step::CropPad { .. });
        self.steps.iter().any(crops)
    }
}

impl Step {
    fn of(transform: &Transform, rng: &mut Rng) -> Self {
        match transform {
            Transform::RandomResizedCrop { scale, ratio } => {
                Self::Part(PartDraw::random(scale, ratio, rng))
            }
            Transform::ResizeCenterCrop { extra } => Self::Part(PartDraw::centre(*extra)),
            Transform::Pad { pixels, mode } => Self::Pad {
                pixels: *pixels,
                mode: *mode,
            },
            Transform::SymmetricWarp { magnitude, .. } => {
                Self::Warp(Map::symmetric_warp(magnitude.map(|m| m.draw(rng))))
            }
            Transform::PerspectiveWarp { magnitude, .. } => {
                Self::Warp(Map::perspective_warp(magnitude.map(|m| m.draw(rng))))
            }
            Transform::Tilt {
                direction,
                magnitude,
                ..
            } => Self::Warp(Map::tilt(direction.draw(rng), magnitude.draw(rng))),
            Transform::Skew {
                direction,
                magnitude,
                ..
            } => Self::Warp(Map::skew(direction.draw(rng), magnitude.draw(rng))),
            Transform::Jitter { magnitude, .. } => Self::Jitter {
                magnitude: magnitude.draw(rng),
                rng: rng.split(),
            },
            Transform::ZoomSquish {
                scale,
                squish,
                row,
                col,
                ..
            } => Self::ZoomSquish(ZoomSquishDraw {
                tries: [(); 8].map(|()| (scale.draw(rng), squish.draw(rng), rng.uniform() < 0.5)),
                row: row.draw(rng),
                col: col.draw(rng),
            }),
            Transform::Rotate { degrees, .. } => Self::Affine(Map::rotate(degrees.draw(rng))),
            Transform::Zoom {
                scale, row, col, ..
            } => Self::Affine(Map::zoom(scale.draw(rng), row.draw(rng), col.draw(rng))),
            Transform::Squish {
                scale, row, col, ..
            } => Self::Affine(Map::squish(scale.draw(rng), row.draw(rng), col.draw(rng))),
            Transform::FlipAffine { .. } => Self::Affine(Map::dihedral(1)),
            Transform::DihedralAffine { k, .. } => Self::Affine(Map::dihedral(k.draw(rng))),
            Transform::Brightness { change, .. } => {
                let change = change.draw(rng);
                Self::Lighting {
                    factor: 1.0,
                    offset: (change / (1.0 - change)).ln(),
                }
            }
            Transform::Contrast { scale, .. } => Self::Lighting {
                factor: scale.draw_log(rng),
                offset: 0.0,
            },
            Transform::FlipLr { .. } => Self::FlipLr,
            Transform::Dihedral { k, .. } => Self::Dihedral(k.draw(rng)),
            Transform::Crop { size, row, col } => Self::Crop {
                size: *size,
                row: row.draw(rng),
                col: col.draw(rng),
            },
            Transform::RgbRandomize {
                channel, thresh, ..
            } => Self::Noise {
                channel: channel.draw(rng),
                thresh: thresh * rng.uniform(),
                rng: rng.split(),
            },
            Transform::Cutout { holes, length, .. } => {
                let holes = holes.draw(rng);
                let hole = |_| (rng.uniform(), rng.uniform(), length.draw(rng));
                Self::Cutout((0..holes).map(hole).collect())
            }
            Transform::CropPad { row, col } => Self::CropPad {
                row: row.draw(rng),
                col: col.draw(rng),
            },
            Transform::RandAugment {
                ops,
                magnitude,
                bins,
            } => Self::Operations(rand_augment::rand_augment(*ops, *magnitude, *bins, rng)),
            Transform::TrivialAugment { bins } => {
                Self::Operations(vec![rand_augment::trivial_augment(*bins, rng)])
            }
        }
    }
}

impl ZoomSquishDraw {
    /// On a grid of this size.
    pub(crate) fn map(&self, height: usize, width: usize) -> Map {
        for (scale, squish, inverted) in self.tries {
            let (side, squish) = (1.0 / scale.sqrt(), squish.sqrt());
            let (long, short) = (side * squish, side / squish);
            if long <= 1.0 && short <= 1.0 {
                let (w, h) = if inverted {
                    (short, long)
                } else {
                    (long, short)
                };
                return Map::stretch(
                    w,
                    h,
                    (1.0 - w) * (2.0 * self.col - 1.0),
                    (1.0 - h) * (2.0 * self.row - 1.0),
                );
            }
        }
        let ratio = width as f64 / height as f64;
        if ratio > 1.0 {
            Map::stretch(1.0 / ratio, 1.0, 0.0, 0.0)
        } else {
            Map::stretch(1.0, ratio, 0.0, 0.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Purpose;
    use crate::transforms::config::get_transforms;

    fn draws(transforms: &[Transform], n: u64) -> Vec<Draw> {
        (0..n)
            .map(|i| Draw::new(transforms, &mut Rng::keyed(Purpose::Augment, 11, 0, i)))
            .collect()
    }

    /// Binomial counts are within five deviations of their mean.
    fn about(count: usize, n: usize, p: f64) -> bool {
        let (mean, n) = (n as f64 * p, n as f64);
        (count as f64 - mean).abs() <= 5.0 * (n * p * (1.0 - p)).sqrt()
    }

    #[test]
    fn each_default_transform_happens_with_its_probability_and_on_its_own() {
        let transforms = get_transforms().train;
        let n = 4_000;
        // Each of them alone, by how many of its draws have a step.
        for transform in &transforms {
            let p = transform.p();
            let drawn = draws(std::slice::from_ref(transform), n);
            let count = drawn.iter().filter(|draw| draw.steps.len() == 1).count();
            assert!(about(count, n as usize, p), "{transform:?}: {count}");
        }
        // Together: a flip and a warp in half of three quarters.
        let drawn = draws(&transforms, n);
        let has = |draw: &Draw, what: fn(&Step) -> bool| draw.steps.iter().any(what);
        let both = drawn.iter().filter(|draw| {
            has(draw, |s| matches!(s, Step::FlipLr)) && has(draw, |s| matches!(s, Step::Warp(_)))
        });
        assert!(about(both.count(), n as usize, 0.5 * 0.75));
        // And none of the six in 1/2 · (1/4)^5, so that only the crop is left.
        let none = drawn.iter().filter(|draw| draw.steps.len() == 1).count();
        assert!(about(none, n as usize, 0.5 * 0.25_f64.powi(5)), "{none}");
    }

    /// Whether numbers are uniform in `low..high`: each tenth of it has its share.
    fn uniform(numbers: &[f64], low: f64, high: f64) -> bool {
        let tenth = |x: &f64| ((x - low) / (high - low) * 10.0).floor() as i64;
        let count = |i| numbers.iter().filter(|x| tenth(x) == i).count();
        (0..10).all(|i| about(count(i), numbers.len(), 0.1))
    }

    #[test]
    fn numbers_are_uniform_between_their_bounds_and_those_of_contrast_in_the_logarithm() {
        let angles: Vec<f64> = draws(&[Transform::rotate([-10.0, 10.0])], 5_000)
            .iter()
            .flat_map(|draw| &draw.steps)
            .filter_map(|step| match step {
                Step::Affine(Map([[cos, _, _], [sin, _, _], _])) => Some(sin.atan2(*cos)),
                _ => None,
            })
            .map(f64::to_degrees)
            .collect();
        assert_eq!(angles.len(), 5_000);
        assert!(uniform(&angles, -10.0, 10.0));

        let lighting = |transform| -> Vec<(f64, f64)> {
            let drawn = draws(&[transform], 5_000);
            let steps = drawn.into_iter().flat_map(|draw| draw.steps);
            steps
                .filter_map(|step| match step {
                    Step::Lighting { factor, offset } => Some((factor, offset)),
                    _ => None,
                })
                .collect()
        };
        let changes = lighting(Transform::brightness([0.4, 0.6])).into_iter();
        let changes: Vec<f64> = changes
            .map(|(_, logit)| 1.0 / (1.0 + (-logit).exp()))
            .collect();
        assert!(uniform(&changes, 0.4, 0.6));
        let scales = lighting(Transform::contrast([0.8, 1.25])).into_iter();
        let logs: Vec<f64> = scales.map(|(factor, _)| factor.ln()).collect();
        assert!(uniform(&logs, 0.8_f64.ln(), 1.25_f64.ln()));
    }

    #[test]
    fn the_four_magnitudes_of_a_warp_are_drawn_one_by_one() {
        // A corner (1, 1) shows (1 + m2, 1 + m0) of the result, the corner (-1, -1) (-1 - m3, -1 - m1).
        let drawn = draws(&[Transform::symmetric_warp([-0.2, 0.2])], 5_000);
        let maps = drawn.iter().flat_map(|draw| &draw.steps);
        let signs: Vec<(bool, bool)> = maps
            .filter_map(|step| match step {
                Step::Warp(map) => {
                    let ((x, _), (_, v)) = (map.apply(1.0, 1.0), map.apply(1.0, -1.0));
                    Some((x > 1.0, v < -1.0))
                }
                _ => None,
            })
            .collect();
        for pair in [(false, false), (false, true), (true, false), (true, true)] {
            let count = signs.iter().filter(|signs| **signs == pair).count();
            assert!(count > 500, "{pair:?}: {count}");
        }
    }

    #[test]
    fn each_symmetry_and_each_direction_is_as_likely() {
        let drawn = draws(&[Transform::dihedral()], 8_000);
        for wanted in 0..8 {
            let is = |draw: &&Draw| matches!(draw.steps[..], [Step::Dihedral(k)] if k == wanted);
            assert!(about(drawn.iter().filter(is).count(), 8_000, 0.125));
        }
    }

    #[test]
    fn zoom_squish_never_looks_beyond_the_image() {
        let transforms = crate::transforms::presets::rand_resize_crop(224, 2.0, [0.75, 1.33]);
        for draw in draws(&transforms, 500) {
            for step in &draw.steps {
                if let Step::ZoomSquish(squish) = step {
                    let map = squish.map(300, 200);
                    for corner in [(-1.0, -1.0), (1.0, 1.0)] {
                        let (x, y) = map.apply(corner.0, corner.1);
                        assert!(x.abs() <= 1.0 + 1e-9 && y.abs() <= 1.0 + 1e-9);
                    }
                }
            }
        }
    }

    #[test]
    fn one_draw_does_not_change_the_next() {
        let transforms = [Transform::jitter(0.1), Transform::rotate([-10.0, 10.0])];
        let angle = |draw: &Draw| match draw.steps.last() {
            Some(Step::Affine(map)) => *map,
            _ => Map::IDENTITY,
        };
        let drawn = draws(&transforms, 2);
        assert_ne!(angle(&drawn[0]), angle(&drawn[1]));
        assert_eq!(angle(&drawn[1]), angle(&draws(&transforms, 2)[1]));
    }
}
