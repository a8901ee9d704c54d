//! Weights computed from parameter names.

use burn::module::Module;

use crate::state;

/// An endless stream of uniform values in `[-1, 1)`, a function of the name and the seed.
///
/// The values are the top 53 bits of each output of SplitMix64 (Steele, Lea & Flood 2014,
/// <https://doi.org/10.1145/2660193.2660195>), started at the 64-bit FNV-1a hash of the name plus
/// the seed. The arithmetic uses integers up to the last step, so every language gets the same
/// bits.
///
/// ```
/// use vision_models::parity::uniform;
/// let values: Vec<f64> = uniform("input", 0).take(2).collect();
/// assert_eq!(values, [-0.8043633146849236, 0.30472085653436465]); // scripts/make_parity_reference.py
/// ```
pub fn uniform(name: &str, seed: u64) -> impl Iterator<Item = f64> + use<> {
    let mut state = fnv1a(name).wrapping_add(seed);
    std::iter::repeat_with(move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        (z >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    })
}

/// 64-bit FNV-1a.
fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// The values of the parameter or buffer with this name and shape, in row-major order.
///
/// The end of `name` decides the range: batch norms are near the identity, convolutions and linear
/// layers have the variance 2 / fan_in, and any other name (an input) is uniform in `[-1, 1)`.
pub fn fill(name: &str, shape: &[usize], seed: u64) -> Vec<f32> {
    let (offset, scale) = match name.rsplit('.').next() {
        Some("running_var") => (1.0, 0.5),
        Some("running_mean" | "bias") => (0.0, 0.1),
        Some("weight") if shape.len() == 1 => (1.0, 0.1),
        Some("weight") => {
            let fan_in: usize = shape.iter().skip(1).product();
            (0.0, 3_f64.sqrt() * (2.0 / fan_in as f64).sqrt())
        }
        _ => (0.0, 1.0),
    };
    let values = uniform(name, seed).take(shape.iter().product());
    values.map(|u| (offset + scale * u) as f32).collect()
}

/// The module with every parameter and buffer filled from its name.
pub fn filled<M: Module>(module: M, seed: u64) -> M {
    state::assign(module, &mut |name, shape| Some(fill(name, shape, seed)))
}
