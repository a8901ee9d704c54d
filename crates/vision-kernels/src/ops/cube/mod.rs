//! Kernels for GPUs, written in CubeCL, which compiles them for CUDA, Vulkan, Metal and WebGPU.
//!
//! Burn composes these operations of many small ones, each of which reads and writes all values. Such passes over the memory
//! are what the operations cost on a GPU, and the start of a kernel for each.

mod norm;
mod optim;
mod pixels;

use std::any::Any;

use burn::backend::tensor::FloatTensor;
use burn::tensor::{DType, Device, Tensor};
use burn_cubecl::Cube;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;
pub(super) use norm::batch_norm_training;
pub(super) use optim::{adam, move_to};
pub(super) use pixels::images_of_bytes;

/// The tensor of CubeCL that a tensor of Burn is. `None` on other devices and under autodiff; and with Burn's feature `fusion`,
/// whose tensors are plans of operations.
fn plain<const D: usize>(x: Tensor<D>) -> Option<CubeTensor> {
    cube_tensor(x.try_into_primitive::<Cube>().ok()?)
}

/// See [`plain`].
fn cube_tensor(x: FloatTensor<Cube>) -> Option<CubeTensor> {
    let x: Box<dyn Any> = Box::new(x);
    Some(*x.downcast().ok()?)
}

/// The opposite of [`cube_tensor`].
#[expect(
    clippy::expect_used,
    reason = "the type is that of a tensor from `cube_tensor`"
)]
fn primitive(x: CubeTensor) -> FloatTensor<Cube> {
    let x: Box<dyn Any> = Box::new(x);
    *x.downcast().expect("a build without fusion")
}

/// Whether a device adds up tensors with others of its kind.
pub(super) fn has_collectives(device: &Device) -> bool {
    let probe = Tensor::<1>::zeros([1], &device.clone().inner());
    plain(probe).is_some_and(|x| x.client.has_device_transport())
}

/// New memory on the device of another tensor.
fn empty<const D: usize>(like: &CubeTensor, shape: [usize; D], dtype: DType) -> CubeTensor {
    let (client, device) = (like.client.clone(), like.device.clone());
    empty_device_contiguous_dtype(client, device, shape.into(), dtype)
}
