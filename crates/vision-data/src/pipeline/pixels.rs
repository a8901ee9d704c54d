//! Pixels by channel: what an image becomes on its way into a batch.

use pulp::Arch;
use vision_kernels::buffers;

use crate::image::size::PixelSize;

/// The pixels of one item in planes of red, green and blue.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pixels {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) planes: Planes,
}

/// Bytes as long as pixels are only moved: a quarter of the memory.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Planes {
    /// 0 to 255.
    Bytes(Vec<u8>),
    /// 0 to 1.
    Floats(Vec<f32>),
}

/// A byte as PyTorch makes it a float: divided, not multiplied by the rounded inverse.
pub(crate) fn to_unit(byte: u8) -> f32 {
    f32::from(byte) / 255.0
}

/// The nearest byte; a value outside of `[0, 1]` is clamped.
pub(crate) fn to_byte(unit: f32) -> u8 {
    (unit.clamp(0.0, 1.0) * 255.0).round() as u8
}

impl Pixels {
    /// Rows of red, green and blue, rounded to 8 bits.
    pub(crate) fn into_rgb(self) -> Vec<u8> {
        let plane = self.height * self.width;
        match self.planes {
            Planes::Bytes(bytes) => interleaved(&bytes, plane, |byte| byte),
            Planes::Floats(floats) => interleaved(&floats, plane, to_byte),
        }
    }

    pub(crate) fn size(&self) -> PixelSize {
        PixelSize {
            width: self.width as u32,
            height: self.height as u32,
        }
    }
}

impl Planes {
    /// Of rows of red, green and blue.
    pub(crate) fn of_rgb(rgb: &[u8]) -> Self {
        let (pixels, _) = rgb.as_chunks::<3>();
        let mut planes = vec![0; 3 * pixels.len()];
        let (reds, rest) = planes.split_at_mut(pixels.len());
        let (greens, blues) = rest.split_at_mut(pixels.len());
        Arch::new().dispatch(|| {
            for (((pixel, red), green), blue) in pixels.iter().zip(reds).zip(greens).zip(blues) {
                [*red, *green, *blue] = *pixel;
            }
        });
        Self::Bytes(planes)
    }

    /// The pixels of image number `image`, of `plane` pixels, as rows of red, green and blue; none
    /// beyond the last image.
    pub(crate) fn rgb(&self, image: usize, plane: usize) -> Option<Vec<u8>> {
        let start = image.checked_mul(3 * plane)?;
        let values = start..start.checked_add(3 * plane)?;
        Some(match self {
            Self::Bytes(bytes) => interleaved(bytes.get(values)?, plane, |byte| byte),
            Self::Floats(floats) => interleaved(floats.get(values)?, plane, to_byte),
        })
    }

    /// All values in `[0, 1]`.
    pub(crate) fn into_floats(self) -> Vec<f32> {
        match self {
            Self::Bytes(bytes) => bytes.into_iter().map(to_unit).collect(),
            Self::Floats(floats) => floats,
        }
    }

    /// Adds the planes of an image, in memory for `capacity` values. One image that needed no
    /// resizing does not make the others any coarser: all are floats as soon as one is.
    pub(crate) fn append(&mut self, more: Self, capacity: usize) {
        match (&mut *self, more) {
            (Self::Bytes(all), Self::Bytes(more)) => {
                if all.is_empty() {
                    *all = buffers::take_bytes(capacity).into_vec();
                    all.clear();
                }
                all.extend_from_slice(&more);
            }
            (Self::Bytes(all), Self::Floats(more)) => {
                let mut floats = buffers::take(capacity).into_vec();
                floats.clear();
                floats.extend(all.iter().copied().map(to_unit));
                floats.extend_from_slice(&more);
                *self = Self::Floats(floats);
            }
            (Self::Floats(all), Self::Bytes(more)) => all.extend(more.into_iter().map(to_unit)),
            (Self::Floats(all), Self::Floats(more)) => all.extend_from_slice(&more),
        }
    }
}

/// Planes of red, green and blue of `plane` values each as rows of red, green and blue.
fn interleaved<T: Copy>(planes: &[T], plane: usize, byte: impl Fn(T) -> u8) -> Vec<u8> {
    let (reds, rest) = planes.split_at(plane);
    let (greens, blues) = rest.split_at(plane);
    let pixels = reds.iter().zip(greens).zip(blues);
    pixels
        .flat_map(|((&red, &green), &blue)| [byte(red), byte(green), byte(blue)])
        .collect()
}
