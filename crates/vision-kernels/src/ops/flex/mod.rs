//! The kernels on tensors of the Flex backend, and their gradients.

mod conv;
mod linear;
mod loss;
mod norm;
mod optim;
mod pool;
mod slots;

use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex};
use burn::tensor::{DType, Device, Tensor};
pub(super) use conv::{conv2d, conv2d_batch_norm};
pub(super) use linear::linear;
pub(super) use loss::{binary_cross_entropy, cross_entropy};
pub(super) use norm::{batch_norm_eval, batch_norm_training};
pub(super) use optim::adam;
pub(super) use pool::{concat_pool, max_pool, mean_pool, mean_windows, relu, relu6};
pub(super) use slots::Slots;

use super::memory::Values;
use crate::error::ShapeError;

/// A tensor of the autodiff backend over Flex.
type Tracked = FloatTensor<Autodiff<Flex>>;

/// Where tensors are that the kernels can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// On the CPU, without gradients.
    Plain,
    /// On the CPU, under autodiff.
    Autodiff,
}

/// What matters of a tensor, whatever its rank.
fn place<const D: usize>(x: &Tensor<D>) -> Option<Place> {
    if x.dtype() != DType::F32 || x.dims().contains(&0) {
        return None;
    }
    let device = x.device();
    // Equal devices are equal with and without autodiff.
    if device != Device::flex() {
        return None;
    }
    Some(if device.is_autodiff() {
        Place::Autodiff
    } else {
        Place::Plain
    })
}

/// The place of an operation on all of them: under autodiff as soon as one is, as Burn has it.
fn common(places: impl IntoIterator<Item = Option<Place>>) -> Option<Place> {
    places.into_iter().try_fold(Place::Plain, |all, place| {
        Some(if place? == Place::Plain {
            all
        } else {
            Place::Autodiff
        })
    })
}

/// The primitive of a tensor that is [plain](Place::Plain).
fn plain<const D: usize>(x: Tensor<D>) -> Option<Values> {
    Some(Values::new(x.try_into_primitive::<Flex>().ok()?))
}

/// The primitive of a tensor for an operation [under autodiff](Place::Autodiff).
fn tracked<const D: usize>(x: Tensor<D>) -> Option<Tracked> {
    let x = if x.device().is_autodiff() {
        x
    } else {
        Tensor::from_inner(x)
    };
    x.try_into_primitive::<Autodiff<Flex>>().ok()
}

fn from_plain<const D: usize>(x: FlexTensor) -> Tensor<D> {
    Tensor::from_primitive::<Flex>(x)
}

fn from_tracked<const D: usize>(x: Tracked) -> Tensor<D> {
    Tensor::from_primitive::<Autodiff<Flex>>(x)
}

/// Burn's operations panic where shapes do not go together, which is a mistake in a model and not in data;
/// so do these.
#[allow(clippy::panic)]
fn checked<T>(result: Result<T, ShapeError>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("tensors of shapes that do not go together: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_take_tensors_of_the_cpu_with_and_without_gradients() {
        let device = Device::flex();
        let x = Tensor::<4>::ones([1, 2, 2, 3], &device);
        assert_eq!(place(&x), Some(Place::Plain));
        assert_eq!(place(&Tensor::from_inner(x.clone())), Some(Place::Autodiff));
        assert!(tracked(x.clone()).is_some());
        assert_eq!(place(&x.cast(DType::F64)), None);
    }
}
