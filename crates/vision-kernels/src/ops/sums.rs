//! How a device adds up products of 16 bits.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{DType, Device, Tensor, TensorData};

/// A convolution of a real network, so that a device uses its matrix units for it if it has some.
const IMAGES: usize = 8;
const CHANNELS: usize = 256;
const SIDE: usize = 14;
const KERNEL: usize = 3;

/// Whether a device adds up the products of a convolution in 16 bits. Burn's kernel for devices without matrix units does: a
/// sum no longer grows once the products are below half of its last bit, and the first loss of a ResNet-18 is 4 % off.
///
/// Found out by a convolution whose sum shows it. Each device is asked once.
pub(super) fn are_narrow(device: &Device, dtype: DType) -> bool {
    static KNOWN: LazyLock<Mutex<HashMap<String, bool>>> = LazyLock::new(Mutex::default);
    if !matches!(dtype, DType::F16 | DType::BF16) {
        return false;
    }
    // Nothing in here leaves the table half changed, so that of a poisoned lock is whole.
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    *known
        .entry(format!("{device:?} {dtype:?}"))
        .or_insert_with(|| lose_small_products(device, dtype))
}

/// Whether products of 2⁻⁸ beside those of 1 are lost.
fn lose_small_products(device: &Device, dtype: DType) -> bool {
    // The kernel's center has ones, all else 2⁻⁸: 256 of the former and 2,048 of the latter have a sum of 264. In 16 bits, no
    // sum of 8 or more, even if 32 are added side by side, takes up another 2⁻⁸.
    let small = (-8_f32).exp2();
    let center = KERNEL * KERNEL / 2;
    let taps = (0..KERNEL * KERNEL).map(|tap| if tap == center { 1.0 } else { small });
    let taps: Vec<f32> = taps.collect();
    let filter = TensorData::new(taps.repeat(CHANNELS), [1, CHANNELS, KERNEL, KERNEL]);
    let filter = Tensor::<4>::from_data(filter, device).repeat_dim(0, CHANNELS);
    let x = Tensor::<4>::ones([IMAGES, CHANNELS, SIDE, SIDE], device);
    let options = ConvOptions::new([1; 2], [1; 2], [1; 2], 1);
    let y = conv2d(x.cast(dtype), filter.cast(dtype), None, options);
    let inner = y.slice([0..1, 0..1, 1..2, 1..2]).cast(DType::F32);
    inner.into_data().iter::<f32>().any(|sum| sum < 262.0)
}

#[cfg(test)]
mod tests {
    use half::{bf16, f16};

    /// The sum of the center's products and the others, of `lanes` sums side by side, in the precision of `round`.
    fn sum(lanes: usize, round: fn(f32) -> f32) -> f32 {
        let mut sums = vec![0.0; lanes];
        for tap in 0..9 {
            for channel in 0..super::CHANNELS {
                let product = if tap == 4 { 1.0 } else { 1.0 / 256.0 };
                let sum = &mut sums[channel % lanes];
                *sum = round(*sum + product);
            }
        }
        sums.into_iter().fold(0.0, |total, sum| round(total + sum))
    }

    #[test]
    fn sums_in_16_bits_lose_small_products_and_those_in_32_do_not() {
        let half: fn(f32) -> f32 = |x| f16::from_f32(x).to_f32();
        let brain: fn(f32) -> f32 = |x| bf16::from_f32(x).to_f32();
        for lanes in [1, 2, 4, 8, 16] {
            assert!(sum(lanes, half) < 262.0, "{lanes}: {}", sum(lanes, half));
            assert!(sum(lanes, brain) < 262.0, "{lanes}: {}", sum(lanes, brain));
            assert_eq!(sum(lanes, |x| x), 264.0);
        }
        // What the wide sum is rounded to at the end.
        assert_eq!([half(264.0), brain(264.0)], [264.0; 2]);
    }

    #[test]
    fn the_cpu_is_asked_once_and_only_about_16_bits() {
        use burn::tensor::{DType, Device};
        let device = Device::flex();
        assert!(!super::are_narrow(&device, DType::F32));
        let first = super::are_narrow(&device, DType::F16);
        assert_eq!(super::are_narrow(&device, DType::F16), first);
    }
}
