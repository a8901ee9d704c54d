//! Adam, and averages of weights.

use burn::tensor::{DType, Tensor};
use burn_cubecl::Cube;
use burn_cubecl::cubecl::{self, calculate_cube_count_elemwise, prelude::*};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

use super::{plain, primitive};
use crate::adam;

/// One step, in place if no other tensor shares the values.
pub(in crate::ops) fn adam(
    rule: &adam::Adam,
    value: &mut Tensor<1>,
    grad: &Tensor<1>,
    [m, v]: [&mut Tensor<1>; 2],
) -> Option<()> {
    let len = grad.dims();
    if ![&*value, grad, m, v].into_iter().all(|x| fits(x, len)) {
        return None;
    }
    let grad = into_contiguous(plain(grad.clone())?);
    let [p, first, second] = [&mut *value, &mut *m, &mut *v].map(own);
    let factors = rule.factors();
    let (count, dim) = units(&grad);
    adam_kernel::launch(
        &p.client,
        count,
        dim,
        p.clone().into_buffer_arg(),
        grad.into_buffer_arg(),
        first.clone().into_buffer_arg(),
        second.clone().into_buffer_arg(),
        factors.decay,
        factors.beta1,
        factors.rest1,
        factors.beta2,
        factors.rest2,
        factors.rate,
        factors.root,
        factors.eps,
    );
    for (slot, tensor) in [(value, p), (m, first), (v, second)] {
        *slot = Tensor::from_primitive::<Cube>(primitive(tensor));
    }
    Some(())
}

/// Moves the average, in place if no other tensor shares it.
pub(in crate::ops) fn move_to(average: &mut Tensor<1>, value: &Tensor<1>, part: f64) -> Option<()> {
    let len = value.dims();
    if ![&*average, value].into_iter().all(|x| fits(x, len)) {
        return None;
    }
    let value = into_contiguous(plain(value.clone())?);
    let means = own(average);
    let (count, dim) = units(&value);
    move_kernel::launch(
        &means.client,
        count,
        dim,
        means.clone().into_buffer_arg(),
        value.into_buffer_arg(),
        part as f32,
    );
    *average = Tensor::from_primitive::<Cube>(primitive(means));
    Some(())
}

/// Whether there are kernels for a tensor: 32 bits on a GPU, without gradients.
fn fits(x: &Tensor<1>, len: [usize; 1]) -> bool {
    x.dtype() == DType::F32 && x.dims() == len && len != [0] && plain(x.clone()).is_some()
}

/// The values, copied if another tensor shares them or if they are not in row-major order. The slot is empty until they are back.
#[expect(clippy::expect_used, reason = "`fits` was asked first")]
fn own(slot: &mut Tensor<1>) -> CubeTensor {
    // Taken out, so that the buffer has one owner.
    let taken = std::mem::replace(slot, Tensor::empty([0], &slot.device()));
    let tensor = into_contiguous(plain(taken).expect("a tensor on a GPU"));
    if tensor.can_mut() {
        return tensor;
    }
    tensor.copy()
}

/// A unit for each value.
fn units(x: &CubeTensor) -> (CubeCount, CubeDim) {
    let len = x.meta.num_elements();
    let dim = CubeDim::new(&x.client, len);
    (calculate_cube_count_elemwise(&x.client, len, dim), dim)
}

#[cube(launch)]
#[expect(clippy::too_many_arguments, reason = "a kernel takes no structs")]
fn adam_kernel(
    p: &mut [f32],
    g: &[f32],
    m: &mut [f32],
    v: &mut [f32],
    decay: f32,
    beta1: f32,
    rest1: f32,
    beta2: f32,
    rest2: f32,
    rate: f32,
    root: f32,
    eps: f32,
) {
    let i = ABSOLUTE_POS;
    if i < p.len() {
        let mean = beta1 * m[i] + rest1 * g[i];
        let square = beta2 * v[i] + rest2 * g[i] * g[i];
        m[i] = mean;
        v[i] = square;
        p[i] = p[i] * decay - rate * mean / (square.sqrt() * root + eps);
    }
}

#[cube(launch)]
fn move_kernel(average: &mut [f32], value: &[f32], part: f32) {
    let i = ABSOLUTE_POS;
    if i < average.len() {
        average[i] += part * (value[i] - average[i]);
    }
}
