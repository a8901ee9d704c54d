//! From the pixels of a batch in the memory of the host to a tensor.
//!
//! What can be bytes stays bytes until it is on the device, a quarter of the way. There one pass
//! divides by 255 and normalises. On the CPU, host and device are one, and that pass is a loop over
//! the planes here.

use burn::tensor::{Device, Int, Tensor, TensorData, s};
use pulp::Arch;
use vision_kernels::buffers::{self, Buffer};
use vision_kernels::ops;

use crate::device;
use crate::loader::stats::{Stats, normalize};
use crate::pipeline::pixels::{Planes, to_unit};

/// `[batch, 3, height, width]`, from planes of red, green and blue, image by image.
pub(crate) fn upload(
    planes: &Planes,
    shape: [usize; 4],
    device: &Device,
    stats: Option<&Stats>,
) -> Tensor<4> {
    match planes {
        Planes::Bytes(bytes) if !device::is_cpu(device) => {
            let images = bytes_on_device(bytes, shape, device);
            stats.map_or(images.clone(), |stats| normalize(images, stats))
        }
        _ => {
            let values = floats(planes, shape[2] * shape[3], stats);
            let data = ops::tensor_data(values, shape)
                .expect("the planes of a batch are as long as its shape says");
            Tensor::from_data(data, device)
        }
    }
}

/// All values: bytes divided by 255, and then normalised if there is something to normalise with.
/// The steps are those of tensors, one by one, so the bits are as well. The memory is recycled: at
/// 224 pixels a batch of 64 is 38 MB, and the first writing to fresh pages costs more than all else.
pub(crate) fn floats(planes: &Planes, plane: usize, stats: Option<&Stats>) -> Buffer {
    match planes {
        Planes::Bytes(bytes) => fill(bytes, plane, stats, to_unit),
        Planes::Floats(values) => fill(values, plane, stats, |value| value),
    }
}

fn fill<T: Copy>(
    values: &[T],
    plane: usize,
    stats: Option<&Stats>,
    unit: impl Fn(T) -> f32 + Copy,
) -> Buffer {
    let mut all = buffers::take(values.len());
    let planes = all
        .chunks_mut(plane.max(1))
        .zip(values.chunks(plane.max(1)));
    for (number, (out, values)) in planes.enumerate() {
        let stats = stats.map(|stats| (stats.mean[number % 3], stats.std[number % 3]));
        Arch::new().dispatch(|| match stats {
            None => {
                for (out, &value) in out.iter_mut().zip(values) {
                    *out = unit(value);
                }
            }
            Some((mean, std)) => {
                for (out, &value) in out.iter_mut().zip(values) {
                    *out = (unit(value) - mean) / std;
                }
            }
        });
    }
    all
}

/// Four bytes travel in one whole number, since not every device has smaller ones, and are taken
/// apart there.
fn bytes_on_device(bytes: &[u8], shape: [usize; 4], device: &Device) -> Tensor<4> {
    let words: Vec<i32> = bytes
        .chunks(4)
        .map(|bytes| {
            let mut word = [0; 4];
            for (to, &from) in word.iter_mut().zip(bytes) {
                *to = from;
            }
            i32::from_le_bytes(word)
        })
        .collect();
    let count = words.len();
    let words = Tensor::<1, Int>::from_data(TensorData::new(words, [count]), device);
    let apart = [0, 8, 16, 24].map(|shift| {
        // The sign comes along from the left, and is cut off with the rest.
        let byte = words.clone().bitwise_right_shift_scalar(shift);
        byte.bitwise_and_scalar(0xFF)
    });
    Tensor::stack::<2>(apart.to_vec(), 1)
        .flatten::<1>(0, 1)
        .slice(s![0..bytes.len()])
        .reshape(shape)
        .float()
        .div_scalar(255.0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn bytes_taken_apart_on_a_device_are_the_values_of_the_loop_on_the_host() {
        let device = device::parse("cpu").unwrap();
        // A length that is no multiple of four, and every value of a byte.
        let shape = [1, 3, 9, 13];
        let bytes: Vec<u8> = (0..3 * 9 * 13).map(|i| (i * 7 % 256) as u8).collect();
        let stats = Stats::IMAGENET;
        let apart = normalize(bytes_on_device(&bytes, shape, &device), &stats);
        let host = upload(&Planes::Bytes(bytes.clone()), shape, &device, Some(&stats));
        assert_eq!(apart.into_data(), host.clone().into_data());
        let exact = |i: usize| {
            let c = i / (9 * 13);
            (f64::from(bytes[i]) / 255.0 - f64::from(stats.mean[c])) / f64::from(stats.std[c])
        };
        let found: Vec<f32> = host.into_data().try_to_vec().unwrap();
        assert!((0..found.len()).all(|i| (f64::from(found[i]) - exact(i)).abs() < 1e-6));
    }
}
