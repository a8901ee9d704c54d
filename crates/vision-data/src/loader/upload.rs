//! Upload of a batch from host memory to a tensor.
//!
//! Bytes are uploaded as bytes where possible, a quarter of the data. On the device, one pass divides
//! by 255 and normalizes. On the CPU, host and device are the same, and that pass is a loop over the
//! planes here.

use burn::tensor::{Device, Tensor};
use pulp::Arch;
use vision_kernels::buffers::{self, Buffer};
use vision_kernels::ops;

use crate::device;
use crate::loader::stats::Stats;
use crate::pipeline::pixels::{Planes, to_unit};

/// Creates a `[batch, 3, height, width]` tensor from planes of red, green and blue, image by image.
pub(crate) fn upload(
    planes: &Planes,
    shape: [usize; 4],
    device: &Device,
    stats: Option<&Stats>,
) -> Tensor<4> {
    match planes {
        Planes::Bytes(bytes) if !device::is_cpu(device) => {
            images_of_bytes(bytes, shape, device, stats)
        }
        _ => {
            let values = floats(planes, shape[2] * shape[3], stats);
            let data = ops::tensor_data(values, shape)
                .expect("the planes of a batch are as long as its shape says");
            Tensor::from_data(data, device)
        }
    }
}

fn images_of_bytes(
    bytes: &[u8],
    shape: [usize; 4],
    device: &Device,
    stats: Option<&Stats>,
) -> Tensor<4> {
    // Without statistics values stay as they are: minus 0, divided by 1.
    let stats = stats.map_or([[0.0; 3], [1.0; 3]], |stats| [stats.mean, stats.std]);
    ops::images_of_bytes(bytes, shape, stats, device)
        .expect("the planes of a batch are as long as its shape says")
}

/// All values as floats: bytes divided by 255, then normalized if `stats` are given. The operations are
/// those of tensors, one by one, so the results are bit-identical. Memory is reused: a batch of 64 at
/// 224 pixels is 38 MB, and the first write to fresh pages costs more than everything else.
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn bytes_taken_apart_on_a_device_are_the_values_of_the_loop_on_the_host() {
        let device = device::parse("cpu").unwrap();
        // A length that is not a multiple of four, and every value of a byte.
        let shape = [1, 3, 9, 13];
        let bytes: Vec<u8> = (0..3 * 9 * 13).map(|i| (i * 7 % 256) as u8).collect();
        let stats = Stats::IMAGENET;
        let apart = images_of_bytes(&bytes, shape, &device, Some(&stats));
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
