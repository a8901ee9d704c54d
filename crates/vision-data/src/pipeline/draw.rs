//! The random draw for one item: the transforms with all their numbers drawn.

use std::sync::Arc;

use crate::pipeline::step::Step;
use crate::rng::Rng;
use crate::transforms::transform::Transform;

/// The random draw for one item. A [`Pipeline`](crate::Pipeline) applies it in the same way to
/// every image.
#[derive(Clone, Debug)]
pub struct Draw {
    /// In the order in which they are applied.
    pub(crate) steps: Vec<Drawn>,
}

/// A transform that is applied, with its numbers drawn.
#[derive(Clone, Debug)]
pub(crate) struct Drawn {
    /// The index of the transform in the pipeline.
    pub(crate) transform: usize,
    pub(crate) order: i8,
    pub(crate) step: Arc<dyn Step>,
}

impl Draw {
    /// Draws each of `transforms` in order.
    pub(crate) fn new(transforms: &[Transform], rng: &mut Rng) -> Self {
        let mut steps = Vec::with_capacity(transforms.len());
        for (number, transform) in transforms.iter().enumerate() {
            let kind = transform.kind();
            if rng.uniform() < kind.p() {
                steps.push(Drawn {
                    transform: number,
                    order: kind.order(),
                    step: kind.draw(rng),
                });
            }
        }
        Self { steps }
    }

    /// The draw without the transforms from index `len` on.
    pub(crate) fn first(&self, len: usize) -> Self {
        let steps = self.steps.iter().filter(|drawn| drawn.transform < len);
        Self {
            steps: steps.cloned().collect(),
        }
    }

    /// Whether the position of the crop was drawn.
    pub(crate) fn crops(&self) -> bool {
        self.steps.iter().any(|drawn| drawn.step.crops())
    }
}

#[cfg(test)]
mod tests {
    use std::any::Any;

    use super::*;
    use crate::pipeline::warp::Warp;
    use crate::rng::Purpose;
    use crate::transforms::builtin::brightness::Brightened;
    use crate::transforms::builtin::contrast::Contrasted;
    use crate::transforms::builtin::dihedral::Turned;
    use crate::transforms::builtin::flip_lr::FlipLr;
    use crate::transforms::builtin::rotate::Rotated;
    use crate::transforms::config::get_transforms;

    fn draws(transforms: &[Transform], n: u64) -> Vec<Draw> {
        (0..n)
            .map(|i| Draw::new(transforms, &mut Rng::keyed(Purpose::Augment, 11, 0, i)))
            .collect()
    }

    /// The steps of one type in some draws.
    fn steps<T: 'static>(draws: &[Draw]) -> Vec<&T> {
        let steps = draws.iter().flat_map(|draw| &draw.steps);
        steps
            .filter_map(|drawn| (drawn.step.as_ref() as &dyn Any).downcast_ref())
            .collect()
    }

    /// Whether a binomial count is within five standard deviations of its mean.
    fn about(count: usize, n: usize, p: f64) -> bool {
        let (mean, n) = (n as f64 * p, n as f64);
        (count as f64 - mean).abs() <= 5.0 * (n * p * (1.0 - p)).sqrt()
    }

    #[test]
    fn each_default_transform_happens_with_its_probability_and_on_its_own() {
        let transforms = get_transforms().train;
        let n = 4_000;
        // Each transform alone: count the draws with a step.
        for transform in &transforms {
            let p = transform.p();
            let drawn = draws(std::slice::from_ref(transform), n);
            let count = drawn.iter().filter(|draw| draw.steps.len() == 1).count();
            assert!(about(count, n as usize, p), "{transform:?}: {count}");
        }
        // Together: a flip in half and a warp in three quarters.
        let drawn = draws(&transforms, n);
        let has = |draw: &Draw| {
            let one = std::slice::from_ref(draw);
            !steps::<FlipLr>(one).is_empty() && !steps::<Warp>(one).is_empty()
        };
        let both = drawn.iter().filter(|draw| has(draw));
        assert!(about(both.count(), n as usize, 0.5 * 0.75));
        // None of the six in 1/2 · (1/4)^5, which leaves only the crop.
        let none = drawn.iter().filter(|draw| draw.steps.len() == 1).count();
        assert!(about(none, n as usize, 0.5 * 0.25_f64.powi(5)), "{none}");
    }

    /// Whether numbers are uniform in `low..high`: each tenth of the range has its share.
    fn uniform(numbers: &[f64], low: f64, high: f64) -> bool {
        let tenth = |x: &f64| ((x - low) / (high - low) * 10.0).floor() as i64;
        let count = |i| numbers.iter().filter(|x| tenth(x) == i).count();
        (0..10).all(|i| about(count(i), numbers.len(), 0.1))
    }

    #[test]
    fn numbers_are_uniform_between_their_bounds_and_those_of_contrast_in_the_logarithm() {
        let drawn = draws(&[Transform::rotate([-10.0, 10.0])], 5_000);
        let angles = steps::<Rotated>(&drawn).into_iter();
        let angles: Vec<f64> = angles.map(|rotated| rotated.degrees).collect();
        assert_eq!(angles.len(), 5_000);
        assert!(uniform(&angles, -10.0, 10.0));

        let drawn = draws(&[Transform::brightness([0.4, 0.6])], 5_000);
        let changes = steps::<Brightened>(&drawn).into_iter();
        let changes: Vec<f64> = changes.map(|brightened| brightened.change).collect();
        assert!(uniform(&changes, 0.4, 0.6));
        let drawn = draws(&[Transform::contrast([0.8, 1.25])], 5_000);
        let scales = steps::<Contrasted>(&drawn).into_iter();
        let logs: Vec<f64> = scales.map(|contrasted| contrasted.scale.ln()).collect();
        assert!(uniform(&logs, 0.8_f64.ln(), 1.25_f64.ln()));
    }

    #[test]
    fn the_four_magnitudes_of_a_warp_are_drawn_one_by_one() {
        // Corner (1, 1) shows (1 + m2, 1 + m0) of the result, corner (-1, -1) shows (-1 - m3, -1 - m1).
        let drawn = draws(&[Transform::symmetric_warp([-0.2, 0.2])], 5_000);
        let signs = steps::<Warp>(&drawn).into_iter().map(|Warp(map)| {
            let ((x, _), (_, v)) = (map.apply(1.0, 1.0), map.apply(1.0, -1.0));
            (x > 1.0, v < -1.0)
        });
        let signs: Vec<(bool, bool)> = signs.collect();
        for pair in [(false, false), (false, true), (true, false), (true, true)] {
            let count = signs.iter().filter(|signs| **signs == pair).count();
            assert!(count > 500, "{pair:?}: {count}");
        }
    }

    #[test]
    fn each_symmetry_and_each_direction_is_as_likely() {
        let drawn = draws(&[Transform::dihedral()], 8_000);
        for wanted in 0..8 {
            let turned = steps::<Turned>(&drawn).into_iter();
            let count = turned.filter(|turned| turned.0 == wanted).count();
            assert!(about(count, 8_000, 0.125));
        }
    }

    #[test]
    fn one_draw_does_not_change_the_next() {
        let transforms = [Transform::jitter(0.1), Transform::rotate([-10.0, 10.0])];
        let drawn = draws(&transforms, 2);
        let angle = |draw: &[Draw]| steps::<Rotated>(draw)[0].degrees;
        assert_ne!(angle(&drawn[..1]), angle(&drawn[1..]));
        assert_eq!(angle(&drawn[1..]), angle(&draws(&transforms, 2)[1..]));
    }
}
