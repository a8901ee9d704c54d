//! Tensors of the Flex backend in recycled memory.

use std::mem::MaybeUninit;

use burn::backend::flex::{FlexTensor, Layout};
use burn::tensor::{DType, Shape, TensorData};
use burn_std::{AccessError, AccessPolicy, AllocationController, AllocationProperty, Bytes};

use crate::buffers::Buffer;

/// The values of a tensor in row-major order, copied only if the tensor has another order.
#[derive(Clone, Debug)]
pub(super) struct Values(FlexTensor);

impl Values {
    pub(super) fn new(tensor: FlexTensor) -> Self {
        Self(tensor.to_contiguous())
    }

    pub(super) fn slice(&self) -> &[f32] {
        // Contiguous and f32, as was checked before a kernel was chosen.
        self.0.as_slice().unwrap_or_default()
    }

    pub(super) fn into_tensor(self) -> FlexTensor {
        self.0
    }

    pub(super) fn dims(&self) -> Vec<usize> {
        self.0.layout().shape().to_vec()
    }
}

/// A tensor that owns a buffer, which is recycled when the last clone of the tensor is dropped.
pub(super) fn tensor<const D: usize>(values: Buffer, shape: [usize; D]) -> FlexTensor {
    // Burn's operations rely on the shape.
    let expected: usize = shape.iter().product();
    assert_eq!(values.len(), expected, "values of {shape:?}");
    let len = size_of_val::<[f32]>(&values);
    #[allow(unsafe_code)]
    // SAFETY: `len` is the size of all of the controller's memory (`Recycled::memory`), which is that of a
    // slice of `f32` and hence initialized.
    let bytes = unsafe { Bytes::from_controller(Box::new(Recycled { values }), len) };
    FlexTensor::new(bytes, Layout::contiguous(Shape::from(shape)), DType::F32)
}

/// Like [`tensor`], for `Tensor::from_data`.
pub(super) fn data(values: Buffer, shape: [usize; 4]) -> TensorData {
    tensor(values, shape).into_data()
}

/// A tensor of a short list of values, such as one per channel.
pub(super) fn vector(values: Vec<f32>) -> FlexTensor {
    let len = values.len();
    tensor(Buffer::from_vec(values), [len])
}

/// Lets Burn's storage own a [`Buffer`].
struct Recycled {
    values: Buffer,
}

#[allow(unsafe_code)]
impl AllocationController for Recycled {
    fn alloc_align(&self) -> usize {
        align_of::<f32>()
    }

    fn property(&self) -> AllocationProperty {
        AllocationProperty::Other
    }

    fn memory(&self, _policy: AccessPolicy) -> Result<&[MaybeUninit<u8>], AccessError> {
        let values: &[f32] = &self.values;
        // SAFETY: the pointer and the size are those of a slice that is borrowed for as long as the result; any
        // byte is a valid `MaybeUninit<u8>`, and its alignment is 1.
        Ok(unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) })
    }

    unsafe fn memory_mut(
        &mut self,
        _policy: AccessPolicy,
    ) -> Result<&mut [MaybeUninit<u8>], AccessError> {
        let values: &mut [f32] = &mut self.values;
        let bytes = size_of_val(values);
        // SAFETY: as in `memory`, borrowed mutably for as long. The values stay valid, since the caller promises
        // to write initialized bytes only, and any four of them are an `f32`.
        Ok(unsafe { std::slice::from_raw_parts_mut(values.as_mut_ptr().cast(), bytes) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tensor_holds_the_values_of_its_buffer_and_can_be_changed_in_place() {
        let mut made = tensor(Buffer::from_vec(vec![1.0, 2.0, 3.0, 4.0]), [2, 2]);
        assert_eq!(made.as_slice::<f32>(), Some(&[1.0, 2.0, 3.0, 4.0][..]));
        let clone = made.clone();
        made.storage_mut::<f32>()[0] = 9.0;
        assert_eq!(made.as_slice::<f32>().map(|v| v[0]), Some(9.0));
        assert_eq!(clone.as_slice::<f32>().map(|v| v[0]), Some(1.0));
        assert_eq!(clone.into_data().iter::<f32>().sum::<f32>(), 10.0);
    }

    #[test]
    fn data_for_a_tensor_is_handed_over_without_a_copy() {
        let values = crate::buffers::take(1 << 15);
        let place = values.as_ptr();
        let data = data(values, [2, 4, 64, 64]);
        let tensor = burn::tensor::Tensor::<4>::from_data(data, &burn::tensor::Device::flex());
        let data = tensor.into_data();
        assert_eq!(data.as_slice::<f32>().map(<[f32]>::as_ptr), Ok(place));
    }

    #[test]
    fn a_dropped_tensors_memory_is_used_again() {
        let len = (1 << 20) + 12_345;
        drop(tensor(crate::buffers::take(len), [len]));
        let kept = crate::buffers::kept();
        assert!(kept >= 4 * len);
        let again = crate::buffers::take(len);
        assert!(crate::buffers::kept() < kept);
        drop(again);
    }
}
