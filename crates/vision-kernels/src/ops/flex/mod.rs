//! The kernels on tensors of the Flex backend, and their gradients.

mod attention;
mod branch;
mod conv;
mod layer_norm;
mod linear;
mod loss;
mod norm;
mod optim;
mod pool;
mod response_norm;
mod scale;
mod slots;

pub(super) use attention::attention;
pub(super) use branch::add_branch;
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex};
use burn::tensor::{DType, Device, Tensor};
pub(super) use conv::{conv2d, conv2d_activation, conv2d_batch_norm};
pub(super) use layer_norm::layer_norm;
pub(super) use linear::{linear, linear_activation};
pub(super) use loss::{binary_cross_entropy, cross_entropy};
pub(super) use norm::{batch_norm_eval, batch_norm_training};
pub(super) use optim::{adam, move_to};
pub(super) use pool::{activate, concat_pool, max_pool, mean_pool, mean_windows};
pub(super) use response_norm::response_norm;
pub(super) use scale::scale_channels;
pub(super) use slots::Slots;

use super::memory::Values;
use crate::error::ShapeError;

/// A tensor of the autodiff backend over Flex.
type Tracked = FloatTensor<Autodiff<Flex>>;

/// Tensors that have kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// On the CPU, without gradients.
    Plain,
    /// On the CPU, under autodiff.
    Autodiff,
}

/// The relevant properties of a tensor of any rank.
fn place<const D: usize>(x: &Tensor<D>) -> Option<Place> {
    if x.dtype() != DType::F32 || x.dims().contains(&0) {
        return None;
    }
    let device = x.device();
    // Devices compare equal with and without autodiff.
    if device != Device::flex() {
        return None;
    }
    Some(if device.is_autodiff() {
        Place::Autodiff
    } else {
        Place::Plain
    })
}

/// The place of an operation on all of them: autodiff if any of them is, as in Burn.
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

/// Burn's operations panic if shapes do not fit together, which is an error in a model and not in
/// data. These operations do the same.
#[allow(clippy::panic)]
fn checked<T>(result: Result<T, ShapeError>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("tensor shapes do not fit together: {error}"),
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
