//! The backward passes.
//!
//! With `g` the gradient of the activation's input, `n` the number of pixels and `d = x - mean`:
//!
//! ```text
//! dbeta = Σ g      dgamma = inv_std Σ g d      dresidual = g
//! dx = gamma inv_std (g - dbeta / n - d inv_std dgamma / n)      (training)
//! dx = gamma inv_std g                                           (evaluation)
//! ```

use super::forward::Affine;
use super::mask::{Gate, Mask, Open, with_gate};
use super::sums::Sums;
use super::{BatchNorm, Stats, Total};
use crate::activation::Activation;
use crate::blocks::repeated;
use crate::error::check_len;
use crate::isa::{Kernel, Lanes, dispatch};
use crate::{Isa, ShapeError, blocks};

/// The arguments and results of the forward pass.
#[derive(Clone, Copy, Debug)]
pub struct Forward<'a> {
    /// The input, `[pixels, channels]`.
    pub x: &'a [f32],
    /// The output, `[pixels, channels]`, which gives the gradient of the activation. Required if a residual
    /// was added. Without a residual it can be `None`: what is needed is then computed again from `x`,
    /// which is faster.
    pub y: Option<&'a [f32]>,
    /// The scale, `[channels]`.
    pub gamma: &'a [f32],
    /// The shift, `[channels]`.
    pub beta: &'a [f32],
    /// The statistics used for normalization.
    pub stats: &'a Stats,
}

/// Gradients of the parameters, `[channels]` each.
#[derive(Clone, Debug, PartialEq)]
pub struct ParamGrads {
    /// Gradient of the scale.
    pub gamma: Vec<f32>,
    /// Gradient of the shift.
    pub beta: Vec<f32>,
}

/// The gradients of [`batch_norm_train`](super::batch_norm_train), from `dy`, the gradient of its
/// output.
///
/// Writes the gradient of the input and, if requested, of the residual, all `[pixels, channels]`.
/// As in PyTorch, no gradient passes where a ReLU gave 0, and it does pass where it gave NaN.
///
/// # Errors
///
/// If a length does not fit `args.channels` and `forward.x`, or `x` is empty; or if the gradient of a residual is requested
/// and that of the activation cannot be computed from its output ([`Activation::saves_output`](crate::activation::Activation::saves_output)).
pub fn batch_norm_backward(
    isa: Isa,
    args: &BatchNorm,
    forward: &Forward<'_>,
    dy: &[f32],
    dx: &mut [f32],
    dresidual: Option<&mut [f32]>,
) -> Result<ParamGrads, ShapeError> {
    backward(isa, args, forward, dy, dx, dresidual, None)
}

/// The gradients of [`batch_norm_train_shared`](super::batch_norm_train_shared). `whole` has the number of pixels that it
/// returned, and what it was given to form sums over all processes. The gradients of the parameters are those of the part
/// of the batch that is here: their sums over the processes are those of the whole batch.
///
/// # Errors
///
/// As [`batch_norm_backward`].
pub fn batch_norm_backward_shared(
    isa: Isa,
    args: &BatchNorm,
    forward: &Forward<'_>,
    dy: &[f32],
    dx: &mut [f32],
    dresidual: Option<&mut [f32]>,
    whole: (usize, Total<'_>),
) -> Result<ParamGrads, ShapeError> {
    backward(isa, args, forward, dy, dx, dresidual, Some(whole))
}

fn backward(
    isa: Isa,
    args: &BatchNorm,
    forward: &Forward<'_>,
    dy: &[f32],
    dx: &mut [f32],
    mut dresidual: Option<&mut [f32]>,
    whole: Option<(usize, Total<'_>)>,
) -> Result<ParamGrads, ShapeError> {
    let mut pixels = check(args, forward, dy, dx, dresidual.as_deref())?;
    let scale = forward.stats.scale(forward.gamma);
    let mut pass = Pass {
        affine: Affine::new(&forward.stats.mean, &scale, forward.beta),
        mask: Mask::new(args, forward),
        x: forward.x,
        dy,
    };
    // The gradients of the parameters, and those of the whole batch, through which the input acts on all of it.
    let mut grads_of = |sums: &[Vec<f64>; 2]| {
        let own = param_grads(sums, forward.stats);
        let Some((count, total)) = whole else {
            return (own.clone(), own);
        };
        pixels = count;
        let mut values = sums.concat();
        total(&mut values);
        let (g, gd) = values.split_at(args.channels);
        let all = param_grads(&[g.to_vec(), gd.to_vec()], forward.stats);
        (own, all)
    };
    if dresidual.is_none() && !args.activation.is_none_or(Activation::is_cheap) {
        // A pass of its own is vector code of one function, and its result is read twice.
        pass.gradient(isa, dx);
        let gated = Pass {
            affine: pass.affine,
            mask: Mask::None,
            x: forward.x,
            dy: &*dx,
        };
        let (grads, all) = grads_of(&gated.sums(isa, args.channels, None, None));
        let in_place = Pass {
            affine: gated.affine,
            mask: Mask::None,
            x: forward.x,
            dy: &[],
        };
        in_place.input(isa, &all, forward.stats, (pixels, None), dx);
        return Ok(grads);
    }
    let sums = pass.sums(isa, args.channels, None, dresidual.as_deref_mut());
    let (grads, all) = grads_of(&sums);
    let mut gradient = dy;
    if let Some(masked) = dresidual {
        // It now holds the gradient after the activation: one array to read instead of two.
        pass.mask = Mask::None;
        gradient = masked;
    }
    pass.input(isa, &all, forward.stats, (pixels, Some(gradient)), dx);
    Ok(grads)
}

/// The gradients of [`batch_norm_eval`](super::batch_norm_eval). Like [`batch_norm_backward`], with
/// statistics that do not depend on the input.
///
/// # Errors
///
/// As [`batch_norm_backward`].
pub fn batch_norm_eval_backward(
    isa: Isa,
    args: &BatchNorm,
    forward: &Forward<'_>,
    dy: &[f32],
    dx: &mut [f32],
    dresidual: Option<&mut [f32]>,
) -> Result<ParamGrads, ShapeError> {
    check(args, forward, dy, dx, dresidual.as_deref())?;
    let scale = forward.stats.scale(forward.gamma);
    let pass = Pass {
        affine: Affine::new(&forward.stats.mean, &scale, forward.beta),
        mask: Mask::new(args, forward),
        x: forward.x,
        dy,
    };
    let sums = pass.sums(isa, args.channels, Some(dx), dresidual);
    Ok(param_grads(&sums, forward.stats))
}

fn check(
    args: &BatchNorm,
    forward: &Forward<'_>,
    dy: &[f32],
    dx: &[f32],
    dresidual: Option<&[f32]>,
) -> Result<usize, ShapeError> {
    let pixels = args.pixels(forward.x)?;
    args.per_channel("gamma", forward.gamma)?;
    args.per_channel("beta", forward.beta)?;
    forward.stats.check(args)?;
    let elements = forward.x.len();
    if let Some(y) = forward.y {
        check_len("y", elements, y.len())?;
    }
    check_len("dy", elements, dy.len())?;
    check_len("dx", elements, dx.len())?;
    if let Some(dresidual) = dresidual {
        check_len("dresidual", elements, dresidual.len())?;
        if args
            .activation
            .is_some_and(|function| !function.saves_output())
        {
            return Err(ShapeError::ResidualGradient);
        }
    }
    Ok(pixels)
}

fn param_grads([g, gd]: &[Vec<f64>; 2], stats: &Stats) -> ParamGrads {
    let gamma = |(gd, &inv_std): (&f64, &f32)| (gd * f64::from(inv_std)) as f32;
    ParamGrads {
        gamma: gd.iter().zip(&stats.inv_std).map(gamma).collect(),
        beta: g.iter().map(|&g| g as f32).collect(),
    }
}

/// The inputs of both passes.
struct Pass<'a> {
    affine: Affine,
    mask: Mask<'a>,
    x: &'a [f32],
    dy: &'a [f32],
}

impl Pass<'_> {
    /// Computes `Σ g` and `Σ g d`. Also writes `g * scale` and `g`, if requested.
    fn sums(
        &self,
        isa: Isa,
        channels: usize,
        scaled: Option<&mut [f32]>,
        masked: Option<&mut [f32]>,
    ) -> [Vec<f64>; 2] {
        let size = blocks::pixels_per_sum(channels) * channels;
        let tasks = (self.x.chunks(size).zip(self.dy.chunks(size)))
            .zip(self.mask.blocks(size))
            .zip(blocks::optional_mut(scaled, size).zip(blocks::optional_mut(masked, size)))
            .map(|(((x, dy), mask), (scaled, masked))| Sums {
                channels,
                affine: &self.affine,
                mask,
                x,
                dy,
                scaled,
                masked,
            })
            .collect();
        let parts = blocks::run(tasks, self.x.len(), |task| dispatch(isa, task));
        blocks::total(parts)
    }

    /// Computes the gradient before the activation.
    fn gradient(&self, isa: Isa, g: &mut [f32]) {
        let period = self.affine.mean.len();
        let size = (blocks::BLOCK / period).max(1) * period;
        let tasks = (self.x.chunks(size).zip(self.dy.chunks(size)))
            .zip(self.mask.blocks(size))
            .zip(g.chunks_mut(size))
            .map(|(((x, dy), mask), g)| Gated {
                affine: &self.affine,
                mask,
                x,
                dy,
                g,
            })
            .collect();
        blocks::run(tasks, self.x.len(), |task| dispatch(isa, task));
    }

    /// Computes `dx` of training, as `g * scale - (d * slope + offset)`. Without a gradient `dx` holds it.
    fn input(
        &self,
        isa: Isa,
        grads: &ParamGrads,
        stats: &Stats,
        (pixels, gradient): (usize, Option<&[f32]>),
        dx: &mut [f32],
    ) {
        let count = pixels as f32;
        let channels = stats.mean.len();
        let scale = &self.affine.scale[..channels];
        let slope =
            |((scale, gamma), inv_std): ((&f32, &f32), &f32)| scale * (gamma * inv_std / count);
        let slope: Vec<_> = scale
            .iter()
            .zip(&grads.gamma)
            .zip(&stats.inv_std)
            .map(slope)
            .collect();
        let offset: Vec<_> = (scale.iter().zip(&grads.beta))
            .map(|(scale, beta)| scale * (beta / count))
            .collect();
        let (slope, offset) = (repeated(&slope), repeated(&offset));

        let period = self.affine.mean.len();
        let size = (blocks::BLOCK / period).max(1) * period;
        let mut tasks: Vec<_> = (self.x.chunks(size).zip(blocks::optional(gradient, size)))
            .zip(self.mask.blocks(size))
            .zip(dx.chunks_mut(size))
            .map(|(((x, dy), mask), dx)| Input {
                affine: &self.affine,
                slope: &slope,
                offset: &offset,
                mask,
                x,
                dy,
                dx,
            })
            .collect();
        // The end of the arrays was read last, so it may still be in a cache.
        tasks.reverse();
        blocks::run(tasks, self.x.len(), |task| dispatch(isa, task));
    }
}

struct Gated<'a> {
    affine: &'a Affine,
    mask: Mask<'a>,
    x: &'a [f32],
    dy: &'a [f32],
    g: &'a mut [f32],
}

impl Kernel for Gated<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        with_gate!(self.mask, |G, y| gated::<L, G>(self, y))
    }
}

#[inline(always)]
fn gated<L: Lanes, G: Gate>(task: Gated<'_>, y: &[f32]) {
    let Affine { mean, scale, shift } = task.affine;
    let period = mean.len();
    let blocks = (task.g.chunks_mut(period).zip(task.x.chunks(period))).zip(task.dy.chunks(period));
    for (index, ((g, x), dy)) in blocks.enumerate() {
        let n = g.len();
        let y = if G::READS {
            &y[index * period..][..n]
        } else {
            &[]
        };
        let (x, dy, mean, scale, shift) = (&x[..n], &dy[..n], &mean[..n], &scale[..n], &shift[..n]);
        for i in 0..n {
            let y = if G::READS { y[i] } else { 0.0 };
            g[i] = G::pass::<L>(dy[i], y, x[i] - mean[i], scale[i], shift[i]);
        }
    }
}

struct Input<'a> {
    affine: &'a Affine,
    slope: &'a [f32],
    offset: &'a [f32],
    mask: Mask<'a>,
    x: &'a [f32],
    dy: Option<&'a [f32]>,
    dx: &'a mut [f32],
}

impl Kernel for Input<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        match self.dy {
            Some(dy) => with_gate!(self.mask, |G, y| input::<L, G, false>(self, dy, y)),
            None => input::<L, Open, true>(self, &[], &[]),
        }
    }
}

/// With the gradient in `dx` if `IN_PLACE`.
#[inline(always)]
fn input<L: Lanes, G: Gate, const IN_PLACE: bool>(task: Input<'_>, dy: &[f32], y: &[f32]) {
    let Affine { mean, scale, shift } = task.affine;
    let period = mean.len();
    let blocks = task.dx.chunks_mut(period).zip(task.x.chunks(period));
    for (index, (dx, x)) in blocks.enumerate() {
        let n = dx.len();
        let part = |there: bool, all: &'_ [f32]| -> std::ops::Range<usize> {
            let start = if there { index * period } else { 0 };
            start..start + if there { n } else { all.len() }
        };
        let y = &y[part(G::READS, y)];
        let dy = &dy[part(!IN_PLACE, dy)];
        let (x, mean, scale, shift) = (&x[..n], &mean[..n], &scale[..n], &shift[..n]);
        let (slope, offset) = (&task.slope[..n], &task.offset[..n]);
        for i in 0..n {
            let d = x[i] - mean[i];
            let y = if G::READS { y[i] } else { 0.0 };
            let g = if IN_PLACE { dx[i] } else { dy[i] };
            let g = G::pass::<L>(g, y, d, scale[i], shift[i]);
            dx[i] = L::mul_add(g, scale[i], -L::mul_add(d, slope[i], offset[i]));
        }
    }
}
