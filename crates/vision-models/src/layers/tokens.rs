use burn::module::{Module, Param};
use burn::tensor::{Tensor, TensorData};
use vision_kernels::ops::like;

use super::channels_last;
use crate::init::{Init, WeightInit};
use crate::state::values;

/// Makes the tokens of a vision transformer of the maps of its patches: each patch is a token, before them comes a class
/// token, and all get a learned vector for their position.
///
/// The positions are learned on a square grid. For images of another size they are interpolated as in timm
/// (`resample_abs_pos_embed`): bicubic, with antialiasing.
///
/// Its parameters have no level of their own in a [`Sequential`](super::Sequential): `cls_token` and `pos_embed` are at
/// the root of timm's models.
#[derive(Module, Debug)]
pub struct Tokens {
    /// Shape `[1, 1, channels]`.
    pub cls_token: Param<Tensor<3>>,
    /// Shape `[1, positions, channels]`, row by row. If the class token has a position, it is the first.
    pub pos_embed: Param<Tensor<3>>,
    /// Whether the class token has a position.
    #[module(skip)]
    class: bool,
}

impl Tokens {
    /// For `channels` channels and a grid of `grid` × `grid` patches. `class`: the class token has a position.
    pub fn new(channels: usize, grid: usize, class: bool, init: &mut Init) -> Self {
        let positions = grid * grid + usize::from(class);
        Self {
            cls_token: init.normal([1, 1, channels], 1e-6),
            pos_embed: init.normal([1, positions, channels], Self::START),
            class,
        }
    }

    const START: f64 = 0.02;

    /// Maps patches `[batch, channels, height, width]` to tokens `[batch, channels, 1, 1 + height * width]`.
    ///
    /// # Panics
    ///
    /// If the number of channels is not the layer's own.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        channels_last(x, |x| self.run(x))
    }

    pub(crate) fn run(&self, x: Tensor<4>) -> Tensor<4> {
        let [n, h, w, c] = x.dims();
        let patches = x.reshape([n, 1, h * w, c]);
        let token = like(self.cls_token.val(), &patches).reshape([1, 1, 1, c]);
        let positions = like(self.positions([h, w]), &patches);
        let count = positions.dims()[0];
        let positions = positions.reshape([1, 1, count, c]);
        if self.class {
            Tensor::cat(vec![token.expand([n, 1, 1, c]), patches], 2) + positions
        } else {
            Tensor::cat(vec![token.expand([n, 1, 1, c]), patches + positions], 2)
        }
    }

    /// The positions of a grid of this height and width, `[positions, channels]`.
    fn positions(&self, size: [usize; 2]) -> Tensor<2> {
        let [channels, grid] = self.sizes();
        let positions = self.pos_embed.val();
        let [_, count, _] = positions.dims();
        let positions = positions.reshape([count, channels]);
        if size == [grid, grid] {
            return positions;
        }
        let device = positions.device();
        let [h, w] = size;
        let [down, across] = size.map(|side| {
            let matrix = bicubic(grid, side).into_iter().map(|v| v as f32).collect();
            Tensor::<2>::from_data(TensorData::new::<f32, _>(matrix, [side, grid]), &device)
        });
        let old = positions
            .clone()
            .narrow(0, count - grid * grid, grid * grid);
        let rows = down.matmul(old.reshape([grid, grid * channels]));
        let rows = rows.reshape([h, grid, channels]).permute([1, 0, 2]);
        let new = across.matmul(rows.reshape([grid, h * channels]));
        let new = new.reshape([w, h, channels]).permute([1, 0, 2]);
        let new = new.reshape([h * w, channels]);
        if self.class {
            Tensor::cat(vec![positions.narrow(0, 0, 1), new], 0)
        } else {
            new
        }
    }

    /// The values of the positions of a grid of this height and width, if they are not the learned ones.
    pub(crate) fn resized(&self, size: [usize; 2]) -> Option<Vec<f32>> {
        let [channels, grid] = self.sizes();
        if size == [grid, grid] {
            return None;
        }
        let all = values(self.pos_embed.val());
        let (mut new, old) = match self.class {
            true => (all[..channels].to_vec(), &all[channels..]),
            false => (Vec::new(), &all[..]),
        };
        let [down, across] = size.map(|side| bicubic(grid, side));
        for down in down.chunks(grid) {
            for across in across.chunks(grid) {
                let mut sums = vec![0.0; channels];
                for (i, a) in down.iter().enumerate().filter(|(_, a)| **a != 0.0) {
                    for (j, b) in across.iter().enumerate().filter(|(_, b)| **b != 0.0) {
                        let at = (i * grid + j) * channels;
                        let vector = &old[at..at + channels];
                        for (sum, value) in sums.iter_mut().zip(vector) {
                            *sum += a * b * f64::from(*value);
                        }
                    }
                }
                new.extend(sums.into_iter().map(|sum| sum as f32));
            }
        }
        Some(new)
    }

    /// Channels, and the side of the learned grid.
    pub(crate) fn sizes(&self) -> [usize; 2] {
        let shape = self.pos_embed.lazy_shape();
        let patches = shape[1] - usize::from(self.class);
        [shape[2], patches.isqrt()]
    }

    /// Whether the class token has a position.
    pub(crate) fn class(&self) -> bool {
        self.class
    }
}

/// The multiple of `patch` pixels that is nearest to a side, at least one patch.
///
/// ```
/// use vision_models::layers::nearest_multiple;
/// assert_eq!(nearest_multiple(224, 14), 224);
/// assert_eq!(nearest_multiple(300, 14), 294);
/// assert_eq!(nearest_multiple(3, 14), 14);
/// ```
pub fn nearest_multiple(side: usize, patch: usize) -> usize {
    let patch = patch.max(1);
    let whole = side / patch + usize::from(side % patch > patch / 2);
    whole.max(1).saturating_mul(patch)
}

/// The first of the tokens `[batch, 1, tokens, channels]`.
pub(crate) fn class_token(x: Tensor<4>) -> Tensor<4> {
    x.narrow(1, 0, 1).narrow(2, 0, 1)
}

/// How the linear layers of transformers start in timm: normal, cut off at a hundred deviations.
pub(crate) const TRANSFORMER_START: WeightInit = WeightInit::Normal(Tokens::START);

/// The matrix `[to, from]` of the bicubic interpolation with antialiasing of PyTorch (`upsample_bicubic2d_aa`) and
/// Pillow, with Keys' kernel for a = -1/2.
fn bicubic(from: usize, to: usize) -> Vec<f64> {
    let scale = from as f64 / to as f64;
    let support = 2.0 * scale.max(1.0);
    let kernel = |x: f64| {
        let x = x.abs();
        if x < 1.0 {
            (1.5 * x - 2.5) * x * x + 1.0
        } else if x < 2.0 {
            ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
        } else {
            0.0
        }
    };
    let mut matrix = Vec::with_capacity(to * from);
    for i in 0..to {
        let center = scale * (i as f64 + 0.5);
        let first = (center - support + 0.5).max(0.0) as usize;
        let end = ((center + support + 0.5) as usize).min(from);
        let weights: Vec<f64> = (0..from)
            .map(|j| match (first..end).contains(&j) {
                true => kernel((j as f64 - center + 0.5) / scale.max(1.0)),
                false => 0.0,
            })
            .collect();
        let sum: f64 = weights.iter().sum();
        matrix.extend(weights.iter().map(|weight| weight / sum));
    }
    matrix
}
