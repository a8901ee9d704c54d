//! Batch normalization with the statistics of the batch, a residual and ReLU.
//!
//! A batch is a matrix with a row for each pixel and a column for each channel. Sums over rows are formed in two steps, the same in each
//! run: cubes of [`COLUMNS`] × [`ROWS`] units each add up a part of the rows, and cubes of the same form add up the parts.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, AutodiffBackend};
use burn::tensor::{DType, Tensor};
use burn_cubecl::Cube;
use burn_cubecl::cubecl::{self, calculate_cube_count_elemwise, ir::ElemType, prelude::*};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

use super::{cube_tensor, empty, primitive};
use crate::ops::{Activation, Normalized, activate};

const COLUMNS: u32 = 32;
const ROWS: u32 = 8;
/// Parts of the rows, at most.
const PARTS: usize = 64;
/// Cubes that keep a GPU busy.
const CUBES: usize = 512;
/// Rows that a unit adds up, at least.
const LEAST_ROWS: usize = 16;

type Tracked = FloatTensor<Autodiff<Cube>>;

/// See [`ops::batch_norm_training`](crate::ops::batch_norm_training). Functions other than ReLU follow as operations of their own.
pub(in crate::ops) fn batch_norm_training(
    x: &Tensor<4>,
    [gamma, beta]: [&Tensor<1>; 2],
    eps: f64,
    residual: Option<&Tensor<4>>,
    activation: Option<Activation>,
) -> Option<Normalized> {
    let dims = x.dims();
    let [n, h, w, channels] = dims;
    let fits = |own: &Tensor<1>| own.dtype() == DType::F32 && own.dims() == [channels];
    let like_x = |other: &Tensor<4>| other.dtype() == x.dtype() && other.dims() == dims;
    // Places in a tensor are numbers of 32 bits.
    let elements = u32::try_from(dims.iter().product::<usize>()).ok()?;
    if elements == 0 || !fits(gamma) || !fits(beta) || !residual.is_none_or(like_x) {
        return None;
    }
    let devices = [x.device(), gamma.device(), beta.device()];
    let mut devices = devices.into_iter().chain(residual.map(Tensor::device));
    // Burn's own operations stay without gradients.
    if !devices.any(|device| device.is_autodiff()) {
        return None;
    }
    let relu = activation == Some(Activation::Relu);
    let (x, gamma, beta) = (tracked(x)?, tracked(gamma)?, tracked(beta)?);
    let residual = match residual {
        Some(residual) => Some(tracked(residual)?),
        None => None,
    };
    // A node per input. Without a residual the fourth is the input again, and gets no gradient.
    let fourth = residual.as_ref().unwrap_or(&x).node();
    let nodes = [x.node(), gamma.node(), beta.node(), fourth];
    let batch = Batch {
        x: contiguous(x)?,
        gamma: contiguous(gamma)?,
        eps: eps as f32,
        rows: n * h * w,
        channels,
        relu,
    };
    let residual = match residual {
        Some(residual) => Some(contiguous(residual)?),
        None => None,
    };
    let moments = batch.moments();
    let y = batch.normalized(&moments, &contiguous(beta)?, residual.as_ref());
    let [mean, variance] = moments.clone().map(|own| {
        let own = Autodiff::<Cube>::from_inner(primitive(own));
        Tensor::from_primitive::<Autodiff<Cube>>(own)
    });
    let step = NormStep.prepare::<NoCheckpointing>(nodes);
    let output = match step.compute_bound().stateful() {
        OpsKind::Tracked(step) => {
            let state = NormState {
                y: relu.then(|| y.clone()),
                batch,
                moments,
                has_residual: residual.is_some(),
            };
            step.finish(state, primitive(y))
        }
        OpsKind::UnTracked(step) => step.finish(primitive(y)),
    };
    let output = Tensor::from_primitive::<Autodiff<Cube>>(output);
    Some(Normalized {
        output: match activation.filter(|_| !relu) {
            Some(function) => activate(output, function),
            None => output,
        },
        mean,
        variance,
        count: n * h * w,
    })
}

/// The primitive of a tensor under autodiff.
fn tracked<const D: usize>(x: &Tensor<D>) -> Option<Tracked> {
    let x = match x.device().is_autodiff() {
        true => x.clone(),
        false => Tensor::from_inner(x.clone()),
    };
    x.try_into_primitive::<Autodiff<Cube>>().ok()
}

fn contiguous(x: Tracked) -> Option<CubeTensor> {
    Some(into_contiguous(cube_tensor(x.into_primitive())?))
}

/// A batch that is normalized.
#[derive(Clone, Debug)]
struct Batch {
    /// `[batch, height, width, channels]`.
    x: CubeTensor,
    /// `[channels]`.
    gamma: CubeTensor,
    eps: f32,
    rows: usize,
    channels: usize,
    /// Whether ReLU follows.
    relu: bool,
}

impl Batch {
    fn dtype(&self) -> ElemType {
        burn::backend::cubecl::dtype_to_storage_type(self.x.dtype)
    }

    /// The cubes of a sum over rows, and the number of parts.
    fn parts(&self) -> (CubeCount, CubeDim, usize) {
        let tiles = self.channels.div_ceil(COLUMNS as usize);
        let rows = self.rows.div_ceil(ROWS as usize * LEAST_ROWS);
        let parts = CUBES.div_ceil(tiles).min(PARTS).min(rows).max(1);
        let dim = CubeDim::new_2d(COLUMNS, ROWS);
        (CubeCount::Static(tiles as u32, parts as u32, 1), dim, parts)
    }

    /// A value for each channel.
    fn vector(&self) -> CubeTensor {
        empty(&self.x, [self.channels], DType::F32)
    }

    /// The mean and the biased variance of each channel.
    fn moments(&self) -> [CubeTensor; 2] {
        let (count, dim, parts) = self.parts();
        let [sums, squares] = [(); 2].map(|()| empty(&self.x, [parts, self.channels], DType::F32));
        let (rows, channels) = (self.rows as u32, self.channels as u32);
        add_moments::launch(
            &self.x.client,
            count,
            dim,
            self.x.clone().into_buffer_arg(),
            sums.clone().into_buffer_arg(),
            squares.clone().into_buffer_arg(),
            rows,
            channels,
            self.dtype(),
        );
        let [mean, variance] = [self.vector(), self.vector()];
        finish_moments::launch(
            &self.x.client,
            CubeCount::Static(channels.div_ceil(COLUMNS), 1, 1),
            dim,
            self.x.clone().into_buffer_arg(),
            sums.into_buffer_arg(),
            squares.into_buffer_arg(),
            mean.clone().into_buffer_arg(),
            variance.clone().into_buffer_arg(),
            rows,
            channels,
            parts as u32,
            self.dtype(),
        );
        [mean, variance]
    }

    /// A unit for each value.
    fn units(&self) -> (CubeCount, CubeDim) {
        let len = self.rows * self.channels;
        let dim = CubeDim::new(&self.x.client, len);
        (calculate_cube_count_elemwise(&self.x.client, len, dim), dim)
    }

    fn normalized(
        &self,
        [mean, variance]: &[CubeTensor; 2],
        beta: &CubeTensor,
        residual: Option<&CubeTensor>,
    ) -> CubeTensor {
        let y = self.empty();
        let (count, dim) = self.units();
        normalize::launch(
            &self.x.client,
            count,
            dim,
            self.x.clone().into_buffer_arg(),
            residual.unwrap_or(&self.x).clone().into_buffer_arg(),
            mean.clone().into_buffer_arg(),
            variance.clone().into_buffer_arg(),
            self.gamma.clone().into_buffer_arg(),
            beta.clone().into_buffer_arg(),
            y.clone().into_buffer_arg(),
            self.eps,
            residual.is_some(),
            self.relu,
            self.dtype(),
        );
        y
    }

    /// New memory of the form of the batch.
    fn empty(&self) -> CubeTensor {
        let (client, device) = (self.x.client.clone(), self.x.device.clone());
        let (shape, dtype) = (self.x.meta.shape().clone(), self.x.dtype);
        burn_cubecl::ops::numeric::empty_device_contiguous_dtype(client, device, shape, dtype)
    }

    /// The gradients of gamma and beta.
    fn affine_gradients(
        &self,
        [mean, variance]: &[CubeTensor; 2],
        y: &CubeTensor,
        dy: &CubeTensor,
    ) -> [CubeTensor; 2] {
        let (count, dim, parts) = self.parts();
        let [sums, products] = [(); 2].map(|()| empty(&self.x, [parts, self.channels], DType::F32));
        let (rows, channels) = (self.rows as u32, self.channels as u32);
        add_gradients::launch(
            &self.x.client,
            count,
            dim,
            self.x.clone().into_buffer_arg(),
            y.clone().into_buffer_arg(),
            dy.clone().into_buffer_arg(),
            mean.clone().into_buffer_arg(),
            sums.clone().into_buffer_arg(),
            products.clone().into_buffer_arg(),
            rows,
            channels,
            self.relu,
            self.dtype(),
        );
        let [dgamma, dbeta] = [self.vector(), self.vector()];
        finish_gradients::launch(
            &self.x.client,
            CubeCount::Static(channels.div_ceil(COLUMNS), 1, 1),
            dim,
            sums.into_buffer_arg(),
            products.into_buffer_arg(),
            variance.clone().into_buffer_arg(),
            dgamma.clone().into_buffer_arg(),
            dbeta.clone().into_buffer_arg(),
            self.eps,
            channels,
            parts as u32,
        );
        [dgamma, dbeta]
    }

    /// The gradients of the input and, if asked for, of a residual before ReLU.
    fn input_gradients(
        &self,
        [mean, variance]: &[CubeTensor; 2],
        [dgamma, dbeta]: &[CubeTensor; 2],
        y: &CubeTensor,
        dy: &CubeTensor,
        with_residual: bool,
    ) -> [CubeTensor; 2] {
        let dx = self.empty();
        let dresidual = match with_residual {
            true => self.empty(),
            false => empty(&self.x, [1], self.x.dtype),
        };
        let (count, dim) = self.units();
        input_gradient::launch(
            &self.x.client,
            count,
            dim,
            self.x.clone().into_buffer_arg(),
            y.clone().into_buffer_arg(),
            dy.clone().into_buffer_arg(),
            mean.clone().into_buffer_arg(),
            variance.clone().into_buffer_arg(),
            self.gamma.clone().into_buffer_arg(),
            dgamma.clone().into_buffer_arg(),
            dbeta.clone().into_buffer_arg(),
            dx.clone().into_buffer_arg(),
            dresidual.clone().into_buffer_arg(),
            self.eps,
            1.0 / self.rows as f32,
            self.relu,
            with_residual,
            self.dtype(),
        );
        [dx, dresidual]
    }
}

#[derive(Debug)]
struct NormStep;

#[derive(Clone, Debug)]
struct NormState {
    batch: Batch,
    moments: [CubeTensor; 2],
    /// The output, if its signs are needed.
    y: Option<CubeTensor>,
    has_residual: bool,
}

impl Backward<Cube, 4> for NormStep {
    type State = NormState;

    #[expect(clippy::expect_used, reason = "the forward pass had such tensors")]
    fn backward(
        self,
        ops: Ops<NormState, 4>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let NormState {
            batch,
            moments,
            y,
            has_residual,
        } = ops.state;
        let [x_node, gamma_node, beta_node, residual_node] = ops.parents;
        let residual_node = residual_node.filter(|_| has_residual);
        let dy = cube_tensor(grads.consume::<Cube>(&ops.node)).expect("a tensor on a GPU");
        let dy = into_contiguous(dy);
        // Without ReLU nothing reads the output.
        let y = y.as_ref().unwrap_or(&dy);
        let affine = batch.affine_gradients(&moments, y, &dy);
        let with_residual = residual_node.is_some() && batch.relu;
        if x_node.is_some() || with_residual {
            let [dx, dresidual] = batch.input_gradients(&moments, &affine, y, &dy, with_residual);
            if let Some(node) = x_node {
                grads.register::<Cube>(node.id, primitive(dx));
            }
            if let Some(node) = residual_node {
                // Without ReLU, the residual's gradient is that of the output.
                let grad = if with_residual { dresidual } else { dy };
                grads.register::<Cube>(node.id, primitive(grad));
            }
        } else if let Some(node) = residual_node {
            grads.register::<Cube>(node.id, primitive(dy));
        }
        let [dgamma, dbeta] = affine;
        if let Some(node) = gamma_node {
            grads.register::<Cube>(node.id, primitive(dgamma));
        }
        if let Some(node) = beta_node {
            grads.register::<Cube>(node.id, primitive(dbeta));
        }
    }
}

/// The sum of what the units of a column have, in each of them.
#[cube]
fn column_sum(own: f32) -> f32 {
    let mut all = Shared::<[f32]>::new_slice(COLUMNS as usize * ROWS as usize);
    all[UNIT_POS as usize] = own;
    sync_cube();
    let mut sum = 0.0f32;
    for row in 0..ROWS {
        sum += all[(row * COLUMNS + UNIT_POS_X) as usize];
    }
    sum
}

/// About the mean of a channel: that of eight rows. Sums of squares are of differences to it, which would otherwise lose their
/// last bits where the mean is large.
#[cube]
fn shift<F: Float>(x: &[F], channel: u32, rows: u32, channels: u32) -> f32 {
    let mut sum = 0.0f32;
    for eighth in 0..8u32 {
        let row = (rows / 8) * eighth;
        sum += f32::cast_from(x[(row * channels + channel) as usize]);
    }
    sum * 0.125f32
}

#[cube(launch)]
fn add_moments<F: Float>(
    x: &[F],
    sums: &mut [f32],
    squares: &mut [f32],
    rows: u32,
    channels: u32,
    #[define(F)] _dtype: ElemType,
) {
    let channel = CUBE_POS_X * COLUMNS + UNIT_POS_X;
    let mut sum = 0.0f32;
    let mut square = 0.0f32;
    if channel < channels {
        let shift = shift::<F>(x, channel, rows, channels);
        let mut row = CUBE_POS_Y * ROWS + UNIT_POS_Y;
        while row < rows {
            let value = f32::cast_from(x[(row * channels + channel) as usize]) - shift;
            sum += value;
            square += value * value;
            row += CUBE_COUNT_Y * ROWS;
        }
    }
    let sum = column_sum(sum);
    let square = column_sum(square);
    if channel < channels && UNIT_POS_Y == 0 {
        let place = (CUBE_POS_Y * channels + channel) as usize;
        sums[place] = sum;
        squares[place] = square;
    }
}

#[cube(launch)]
#[expect(clippy::too_many_arguments, reason = "a kernel takes no structs")]
fn finish_moments<F: Float>(
    x: &[F],
    sums: &[f32],
    squares: &[f32],
    mean: &mut [f32],
    variance: &mut [f32],
    rows: u32,
    channels: u32,
    parts: u32,
    #[define(F)] _dtype: ElemType,
) {
    let channel = CUBE_POS_X * COLUMNS + UNIT_POS_X;
    let sum = part_sum(sums, channel, channels, parts);
    let square = part_sum(squares, channel, channels, parts);
    if channel < channels && UNIT_POS_Y == 0 {
        let shift = shift::<F>(x, channel, rows, channels);
        let rows = f32::cast_from(rows);
        let moved = sum / rows;
        mean[channel as usize] = shift + moved;
        let square = square / rows - moved * moved;
        variance[channel as usize] = not_below_zero(square);
    }
}

/// The sum over all parts of a channel.
#[cube]
fn part_sum(parts: &[f32], channel: u32, channels: u32, count: u32) -> f32 {
    let mut sum = 0.0f32;
    if channel < channels {
        let mut part = UNIT_POS_Y;
        while part < count {
            sum += parts[(part * channels + channel) as usize];
            part += ROWS;
        }
    }
    column_sum(sum)
}

#[cube(launch)]
#[expect(clippy::too_many_arguments, reason = "a kernel takes no structs")]
fn normalize<F: Float>(
    x: &[F],
    residual: &[F],
    mean: &[f32],
    variance: &[f32],
    gamma: &[f32],
    beta: &[f32],
    y: &mut [F],
    eps: f32,
    #[comptime] has_residual: bool,
    #[comptime] relu: bool,
    #[define(F)] _dtype: ElemType,
) {
    let i = ABSOLUTE_POS;
    if i < y.len() {
        let channel = i % mean.len();
        let scale = gamma[channel] / (variance[channel] + eps).sqrt();
        let mut value = (f32::cast_from(x[i]) - mean[channel]) * scale + beta[channel];
        if has_residual {
            value += f32::cast_from(residual[i]);
        }
        if relu {
            value = not_below_zero(value);
        }
        y[i] = F::cast_from(value);
    }
}

/// Not `max`, which may turn NaN into 0.
#[cube]
fn not_below_zero(value: f32) -> f32 {
    select(value < 0.0f32, 0.0f32, value)
}

/// The gradient of the value before ReLU. All of it passes where the output is NaN, as in PyTorch.
#[cube]
fn masked<F: Float>(y: &[F], dy: &[F], i: usize, #[comptime] relu: bool) -> f32 {
    let gradient = f32::cast_from(dy[i]);
    if relu {
        select(f32::cast_from(y[i]) <= 0.0f32, 0.0f32, gradient)
    } else {
        gradient
    }
}

#[cube(launch)]
#[expect(clippy::too_many_arguments, reason = "a kernel takes no structs")]
fn add_gradients<F: Float>(
    x: &[F],
    y: &[F],
    dy: &[F],
    mean: &[f32],
    sums: &mut [f32],
    products: &mut [f32],
    rows: u32,
    channels: u32,
    #[comptime] relu: bool,
    #[define(F)] _dtype: ElemType,
) {
    let channel = CUBE_POS_X * COLUMNS + UNIT_POS_X;
    let mut sum = 0.0f32;
    let mut product = 0.0f32;
    if channel < channels {
        let mean = mean[channel as usize];
        let mut row = CUBE_POS_Y * ROWS + UNIT_POS_Y;
        while row < rows {
            let i = (row * channels + channel) as usize;
            let gradient = masked::<F>(y, dy, i, relu);
            sum += gradient;
            product += gradient * (f32::cast_from(x[i]) - mean);
            row += CUBE_COUNT_Y * ROWS;
        }
    }
    let sum = column_sum(sum);
    let product = column_sum(product);
    if channel < channels && UNIT_POS_Y == 0 {
        let place = (CUBE_POS_Y * channels + channel) as usize;
        sums[place] = sum;
        products[place] = product;
    }
}

#[cube(launch)]
#[expect(clippy::too_many_arguments, reason = "a kernel takes no structs")]
fn finish_gradients(
    sums: &[f32],
    products: &[f32],
    variance: &[f32],
    dgamma: &mut [f32],
    dbeta: &mut [f32],
    eps: f32,
    channels: u32,
    parts: u32,
) {
    let channel = CUBE_POS_X * COLUMNS + UNIT_POS_X;
    let sum = part_sum(sums, channel, channels, parts);
    let product = part_sum(products, channel, channels, parts);
    if channel < channels && UNIT_POS_Y == 0 {
        let i = channel as usize;
        dbeta[i] = sum;
        dgamma[i] = product / (variance[i] + eps).sqrt();
    }
}

#[cube(launch)]
#[expect(clippy::too_many_arguments, reason = "a kernel takes no structs")]
fn input_gradient<F: Float>(
    x: &[F],
    y: &[F],
    dy: &[F],
    mean: &[f32],
    variance: &[f32],
    gamma: &[f32],
    dgamma: &[f32],
    dbeta: &[f32],
    dx: &mut [F],
    dresidual: &mut [F],
    eps: f32,
    part: f32,
    #[comptime] relu: bool,
    #[comptime] with_residual: bool,
    #[define(F)] _dtype: ElemType,
) {
    let i = ABSOLUTE_POS;
    if i < dx.len() {
        let channel = i % mean.len();
        let inverse = 1.0f32 / (variance[channel] + eps).sqrt();
        let normalized = (f32::cast_from(x[i]) - mean[channel]) * inverse;
        let gradient = masked::<F>(y, dy, i, relu);
        let rest = (dbeta[channel] + normalized * dgamma[channel]) * part;
        dx[i] = F::cast_from(gamma[channel] * inverse * (gradient - rest));
        if with_residual {
            dresidual[i] = F::cast_from(gradient);
        }
    }
}
