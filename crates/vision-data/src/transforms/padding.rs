//! Padding modes.

use serde::{Deserialize, Serialize};

/// How pixels beyond the edge of an image are filled, in transforms that sample there and in the padding
/// of images that are too small.
///
/// The names are those of fastai and PyTorch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaddingMode {
    /// Black.
    Zeros,
    /// Repeats the pixel at the edge.
    Border,
    /// Mirrors the image without repeating the edge, as often as needed. fastai's default.
    #[default]
    Reflection,
}

impl PaddingMode {
    /// The index of the pixel shown at `i` on an axis of `n` pixels; `None` where it is black.
    pub(crate) fn index(self, i: i64, n: usize) -> Option<usize> {
        let last = n as i64 - 1;
        match self {
            _ if (0..=last).contains(&i) => Some(i as usize),
            Self::Zeros => None,
            Self::Border => Some(i.clamp(0, last.max(0)) as usize),
            // A single pixel can only mirror itself.
            Self::Reflection if last < 1 => Some(0),
            Self::Reflection => {
                let i = i.rem_euclid(2 * last);
                Some((if i > last { 2 * last - i } else { i }) as usize)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mode_looks_beyond_the_edge_in_its_own_way() {
        let seen = |mode: PaddingMode, n| (-4..7).map(|i| mode.index(i, n)).collect::<Vec<_>>();
        let all = |indices: [usize; 11]| indices.map(Some).to_vec();
        // Three pixels: numpy.pad(range(3), 4, mode="reflect" and mode="edge").
        assert_eq!(
            seen(PaddingMode::Reflection, 3),
            all([0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2])
        );
        assert_eq!(
            seen(PaddingMode::Border, 3),
            all([0, 0, 0, 0, 0, 1, 2, 2, 2, 2, 2])
        );
        let zeros = seen(PaddingMode::Zeros, 3);
        assert_eq!(
            zeros.iter().flatten().copied().collect::<Vec<_>>(),
            [0, 1, 2]
        );
        assert_eq!(zeros[4], Some(0));
        assert_eq!(seen(PaddingMode::Reflection, 1), all([0; 11]));
        assert_eq!(seen(PaddingMode::Border, 1), all([0; 11]));
    }
}
