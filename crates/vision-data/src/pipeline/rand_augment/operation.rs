//! The operations and their strengths.

use crate::image::Image;
use crate::pipeline::canvas::Canvas;
use crate::pipeline::rand_augment::affine::{self, Matrix};
use crate::pipeline::rand_augment::pixels;
use crate::pipeline::step::{Failed, Step};
use crate::rng::Rng;
use crate::transforms::resizing::Resizing;

/// The fourteen operations of torchvision, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Identity,
    ShearX,
    ShearY,
    TranslateX,
    TranslateY,
    Rotate,
    Brightness,
    Color,
    Contrast,
    Sharpness,
    Posterize,
    Solarize,
    AutoContrast,
    Equalize,
}

const KINDS: [Kind; 14] = [
    Kind::Identity,
    Kind::ShearX,
    Kind::ShearY,
    Kind::TranslateX,
    Kind::TranslateY,
    Kind::Rotate,
    Kind::Brightness,
    Kind::Color,
    Kind::Contrast,
    Kind::Sharpness,
    Kind::Posterize,
    Kind::Solarize,
    Kind::AutoContrast,
    Kind::Equalize,
];

/// The range of the strengths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Space {
    Rand,
    Trivial,
}

/// One operation with all its numbers drawn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operation {
    pub(crate) kind: Kind,
    pub(crate) space: Space,
    pub(crate) bin: u32,
    pub(crate) bins: u32,
    pub(crate) negative: bool,
}

/// Operations that are applied in sequence.
#[derive(Debug)]
pub(crate) struct Operations(pub(crate) Vec<Operation>);

impl Step for Operations {
    fn apply<'a>(&'a self, canvas: &mut Canvas<'a>) -> Result<(), Failed> {
        canvas.edit(|image| {
            let size = (image.height() as usize, image.width() as usize);
            let rgb = image.into_rgb_image().into_raw();
            let operations = self.0.iter();
            let rgb = operations.fold(rgb, |rgb, op| op.apply(rgb, size.0, size.1));
            Ok(Image::from_pixels(size, rgb))
        })
    }

    fn words(&self, source: (usize, usize), resizing: &Resizing) -> String {
        let (height, width) = resizing.target(source);
        let words = self.0.iter().map(|operation| {
            let magnitude = operation.magnitude(height, width);
            format!("{:?} {magnitude:.3}", operation.kind)
        });
        words.collect::<Vec<_>>().join(", ")
    }
}

/// Draws `ops` operations of strength `bin`.
pub(crate) fn rand_augment(ops: u32, bin: u32, bins: u32, rng: &mut Rng) -> Vec<Operation> {
    (0..ops)
        .map(|_| Operation::draw(Space::Rand, |_| bin, bins, rng))
        .collect()
}

/// Draws one operation of random strength.
pub(crate) fn trivial_augment(bins: u32, rng: &mut Rng) -> Operation {
    let any = |rng: &mut Rng| rng.below(bins as usize) as u32;
    Operation::draw(Space::Trivial, any, bins, rng)
}

impl Operation {
    fn draw(space: Space, bin: impl Fn(&mut Rng) -> u32, bins: u32, rng: &mut Rng) -> Self {
        let kind = KINDS[rng.below(KINDS.len())];
        Self {
            kind,
            space,
            bin: bin(rng),
            bins,
            negative: rng.below(2) == 1,
        }
    }

    /// The strength in pixels, degrees, levels or bits, for an image of this size.
    pub(crate) fn magnitude(&self, height: usize, width: usize) -> f64 {
        let trivial = self.space == Space::Trivial;
        let either = |rand: f64, wide: f64| if trivial { wide } else { rand };
        let shift = |side: usize| either(150.0 / 331.0 * side as f64, 32.0);
        let most = match self.kind {
            Kind::Identity | Kind::AutoContrast | Kind::Equalize => return 0.0,
            Kind::Posterize => {
                let bits = f64::from(self.bins - 1) / either(4.0, 6.0);
                return 8.0 - (f64::from(self.bin) / bits).round_ties_even();
            }
            Kind::Solarize => return f64::from(linspace(255.0, 0.0, self.bins, self.bin)),
            Kind::ShearX | Kind::ShearY => either(0.3, 0.99),
            Kind::TranslateX => shift(width),
            Kind::TranslateY => shift(height),
            Kind::Rotate => either(30.0, 135.0),
            Kind::Brightness | Kind::Color | Kind::Contrast | Kind::Sharpness => either(0.9, 0.99),
        };
        let magnitude = f64::from(linspace(0.0, most as f32, self.bins, self.bin));
        if self.negative { -magnitude } else { magnitude }
    }

    /// Applies the operation to rows of red, green and blue.
    pub(crate) fn apply(&self, rgb: Vec<u8>, height: usize, width: usize) -> Vec<u8> {
        let magnitude = self.magnitude(height, width);
        let factor = (1.0 + magnitude) as f32;
        match self.kind {
            Kind::Brightness => pixels::brightness(rgb, factor),
            Kind::Color => pixels::color(rgb, factor),
            Kind::Contrast => pixels::contrast(rgb, factor),
            Kind::Sharpness => pixels::sharpness(rgb, height, width, factor),
            Kind::Posterize => pixels::posterize(rgb, magnitude as u32),
            Kind::Solarize => pixels::solarize(rgb, magnitude),
            Kind::AutoContrast => pixels::auto_contrast(rgb),
            Kind::Equalize => pixels::equalize(rgb),
            Kind::Identity
            | Kind::ShearX
            | Kind::ShearY
            | Kind::TranslateX
            | Kind::TranslateY
            | Kind::Rotate => match self.matrix(height, width) {
                Some(matrix) => affine::nearest(&rgb, height, width, matrix),
                None => rgb,
            },
        }
    }

    /// The matrix of an operation that moves pixels, otherwise `None`.
    fn matrix(&self, height: usize, width: usize) -> Option<Matrix> {
        let m = self.magnitude(height, width);
        Some(match self.kind {
            Kind::ShearX => [1.0, m, 0.0, 0.0, 1.0, 0.0],
            Kind::ShearY => [1.0, 0.0, 0.0, m, 1.0, 0.0],
            Kind::TranslateX => [1.0, 0.0, -m.trunc(), 0.0, 1.0, 0.0],
            Kind::TranslateY => [1.0, 0.0, 0.0, 0.0, 1.0, -m.trunc()],
            Kind::Rotate => affine::rotation(m, height, width),
            _ => return None,
        })
    }
}

/// Number `i` of `steps` from `start` to `end`, rounded like `torch.linspace`, so that truncation to
/// whole pixels gives the same result.
fn linspace(start: f32, end: f32, steps: u32, i: u32) -> f32 {
    let step = (end - start) / (steps - 1) as f32;
    if i < steps / 2 {
        step.mul_add(i as f32, start)
    } else {
        (-step).mul_add((steps - 1 - i) as f32, end)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::Value;
    use sha2::{Digest as _, Sha256};

    use super::*;
    use crate::rng::Purpose;

    fn digest(bytes: &[u8]) -> String {
        let sum = Sha256::digest(bytes);
        sum.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The image that `scripts/make_transform_fixtures.py` draws by the same rule.
    fn picture(height: usize, width: usize) -> Vec<u8> {
        let shade = |x: usize, y: usize, c: usize| (x * 23 + y * 41 + c * 67 + x * y * 5) % 256;
        (0..height)
            .flat_map(|y| (0..width).flat_map(move |x| [0, 1, 2].map(|c| shade(x, y, c))))
            .map(|shade| (40 + shade / 2) as u8)
            .collect()
    }

    #[test]
    fn each_operation_gives_the_bytes_of_torchvision_and_pillow() {
        let cases = include_str!("../../../tests/fixtures/operations.json");
        let cases: Vec<Value> = serde_json::from_str(cases).unwrap();
        let mut seen = std::collections::BTreeSet::new();
        for case in &cases {
            let number = |name: &str| case[name].as_u64().unwrap();
            let operation = Operation {
                kind: KINDS
                    .into_iter()
                    .find(|kind| format!("{kind:?}") == case["op"].as_str().unwrap())
                    .unwrap(),
                space: match case["space"].as_str() {
                    Some("rand_augment") => Space::Rand,
                    _ => Space::Trivial,
                },
                bin: number("bin") as u32,
                bins: number("bins") as u32,
                negative: case["negative"].as_bool().unwrap(),
            };
            let side = |i: usize| case["source"][i].as_u64().unwrap() as usize;
            let (height, width) = (side(0), side(1));
            let magnitude = operation.magnitude(height, width);
            let expected = case["magnitude"].as_f64().unwrap();
            assert!((magnitude - expected).abs() < 1e-12, "{magnitude}: {case}");
            let found = operation.apply(picture(height, width), height, width);
            assert_eq!(digest(&found), case["sha256"].as_str().unwrap(), "{case}");
            seen.insert(format!("{:?}", (operation.kind, operation.space)));
        }
        assert_eq!(seen.len(), 28);
    }

    #[test]
    fn every_operation_strength_and_sign_is_as_likely() {
        let mut rng = Rng::keyed(Purpose::Augment, 3, 0, 0);
        let drawn: Vec<Operation> = (0..14_000).map(|_| trivial_augment(31, &mut rng)).collect();
        let count =
            |which: &dyn Fn(&Operation) -> bool| drawn.iter().filter(|op| which(op)).count();
        // Binomial counts, each within five standard deviations: 1000 ± 5 · 30.5 of each operation,
        // 451.6 ± 5 · 20.9 of each strength, 7000 ± 5 · 59.2 of each sign.
        for kind in KINDS {
            assert!(
                (848..=1152).contains(&count(&|op| op.kind == kind)),
                "{kind:?}"
            );
        }
        for bin in 0..31 {
            assert!((347..=556).contains(&count(&|op| op.bin == bin)), "{bin}");
        }
        assert!((6704..=7296).contains(&count(&|op| op.negative)));
        let fixed = rand_augment(3, 9, 31, &mut rng);
        assert_eq!(fixed.len(), 3);
        assert!(fixed.iter().all(|op| op.bin == 9 && op.bins == 31));
    }
}
