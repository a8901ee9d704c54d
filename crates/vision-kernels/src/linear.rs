//! Fully connected layers, `y = x Wᵀ + b`, and their gradients.
//!
//! All three products are convolutions of images of one pixel. The smaller of the two factors takes
//! the role of the weights, which are packed. If a batch has fewer items than the layer has
//! outputs, the layer's weights are read in place, and their gradient is written in place.
//!
//! ```
//! use vision_kernels::{Isa, linear::Linear};
//!
//! let layer = Linear { batch: 1, inputs: 2, outputs: 3 };
//! let mut y = [0.0; 3];
//! layer.forward(Isa::detect(), &[1.0, 2.0], &[1.0, 0.0, 0.0, 1.0, 1.0, 1.0], None, &mut y)?;
//! assert_eq!(y, [1.0, 2.0, 3.0]);
//! # Ok::<(), vision_kernels::ShapeError>(())
//! ```

use crate::activation::Activation;
use crate::conv::{self, Accuracy, ConvShape, Epilogue};
use crate::error::check_len;
use crate::isa::{Kernel, Lanes, dispatch};
use crate::scratch::Scratch;
use crate::{Isa, ShapeError};

/// The sizes of a fully connected layer and a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Linear {
    /// Number of items.
    pub batch: usize,
    /// Input values per item.
    pub inputs: usize,
    /// Output values per item.
    pub outputs: usize,
}

/// `a · bᵀ` for `a` of `rows` by `inner` and `b` of `columns` by `inner`, as a convolution with weights `b`.
fn product(rows: usize, inner: usize, columns: usize) -> ConvShape {
    ConvShape {
        batch: rows,
        height: 1,
        width: 1,
        in_channels: inner,
        out_channels: columns,
        kernel: 1,
        stride: 1,
        padding: 0.into(),
    }
}

impl Linear {
    /// Whether the layer's weights are the larger factor.
    fn wide(&self) -> bool {
        self.outputs > self.batch
    }

    /// [`forward`](Self::forward), then an activation.
    ///
    /// # Errors
    ///
    /// As [`forward`](Self::forward).
    pub fn forward_activated(
        &self,
        isa: Isa,
        x: &[f32],
        w: &[f32],
        bias: Option<&[f32]>,
        activation: Option<Activation>,
        y: &mut [f32],
    ) -> Result<(), ShapeError> {
        let (n, inputs, outputs) = (self.batch, self.inputs, self.outputs);
        check_all([
            ("x", n * inputs, x.len()),
            ("w", outputs * inputs, w.len()),
            ("y", n * outputs, y.len()),
            ("bias", outputs, bias.map_or(outputs, <[f32]>::len)),
        ])?;
        let epilogue = Epilogue {
            shift: bias,
            activation,
            ..Epilogue::default()
        };
        if !self.wide() {
            let shape = product(n, inputs, outputs);
            return conv::conv2d(isa, Accuracy::Direct, &shape, x, w, &epilogue, y);
        }
        let shape = product(outputs, inputs, n);
        let mut turned = Scratch::take(y.len());
        let none = Epilogue::default();
        conv::conv2d(isa, Accuracy::Direct, &shape, w, x, &none, &mut turned)?;
        transpose(&turned, n, y);
        dispatch(
            isa,
            Finish {
                epilogue,
                outputs,
                y,
            },
        );
        Ok(())
    }

    /// `y = x Wᵀ + b`: `x` is `[batch, inputs]`, `w` `[outputs, inputs]`, `bias` `[outputs]`, `y` `[batch, outputs]`.
    ///
    /// # Errors
    ///
    /// If a length does not fit, or a size is 0.
    pub fn forward(
        &self,
        isa: Isa,
        x: &[f32],
        w: &[f32],
        bias: Option<&[f32]>,
        y: &mut [f32],
    ) -> Result<(), ShapeError> {
        self.forward_activated(isa, x, w, bias, None, y)
    }

    /// `dx = dy W`, the gradient of the input.
    ///
    /// # Errors
    ///
    /// As [`forward`](Self::forward).
    pub fn backward_input(
        &self,
        isa: Isa,
        dy: &[f32],
        w: &[f32],
        dx: &mut [f32],
    ) -> Result<(), ShapeError> {
        let (n, inputs, outputs) = (self.batch, self.inputs, self.outputs);
        check_all([
            ("dy", n * outputs, dy.len()),
            ("w", outputs * inputs, w.len()),
            ("dx", n * inputs, dx.len()),
        ])?;
        if !self.wide() {
            let shape = product(n, inputs, outputs);
            return conv::conv2d_backward_input(isa, Accuracy::Direct, &shape, dy, w, dx);
        }
        // The sum over outputs takes the role of the sum over pixels in a gradient of weights.
        let shape = product(outputs, inputs, n);
        let dy = transposed(dy, outputs);
        conv::conv2d_backward_weight(isa, Accuracy::Direct, &shape, w, &dy, dx)
    }

    /// `dW = dyᵀ x`, the gradient of the weights.
    ///
    /// # Errors
    ///
    /// As [`forward`](Self::forward).
    pub fn backward_weight(
        &self,
        isa: Isa,
        x: &[f32],
        dy: &[f32],
        dw: &mut [f32],
    ) -> Result<(), ShapeError> {
        let (n, inputs, outputs) = (self.batch, self.inputs, self.outputs);
        check_all([
            ("x", n * inputs, x.len()),
            ("dy", n * outputs, dy.len()),
            ("dw", outputs * inputs, dw.len()),
        ])?;
        if !self.wide() {
            let shape = product(n, inputs, outputs);
            return conv::conv2d_backward_weight(isa, Accuracy::Direct, &shape, x, dy, dw);
        }
        let shape = product(outputs, n, inputs);
        let (x, dy) = (transposed(x, inputs), transposed(dy, outputs));
        let epilogue = Epilogue::default();
        conv::conv2d(isa, Accuracy::Direct, &shape, &dy, &x, &epilogue, dw)
    }
}

/// The epilogue of a whole batch.
struct Finish<'a> {
    epilogue: Epilogue<'a>,
    outputs: usize,
    y: &'a mut [f32],
}

impl Kernel for Finish<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        for (item, y) in self.y.chunks_exact_mut(self.outputs).enumerate() {
            self.epilogue.apply_all::<L>(y, item);
        }
    }
}

fn check_all<const N: usize>(fields: [(&'static str, usize, usize); N]) -> Result<(), ShapeError> {
    let check = |(field, expected, found)| check_len(field, expected, found);
    fields.into_iter().try_for_each(check)
}

fn transposed(matrix: &[f32], columns: usize) -> Scratch {
    let mut turned = Scratch::take(matrix.len());
    transpose(matrix, columns, &mut turned);
    turned
}

/// Transposes `[rows, columns]` to `[columns, rows]`, in squares that stay in L1.
fn transpose(matrix: &[f32], columns: usize, turned: &mut [f32]) {
    const SIDE: usize = 16;
    let rows = matrix.len() / columns.max(1);
    for row in (0..rows).step_by(SIDE) {
        for column in (0..columns).step_by(SIDE) {
            for r in row..rows.min(row + SIDE) {
                for c in column..columns.min(column + SIDE) {
                    turned[c * rows + r] = matrix[r * columns + c];
                }
            }
        }
    }
}
