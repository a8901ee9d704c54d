//! Pixels by channel: the form in which images are put into a batch.

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

/// Bytes while pixels are only moved, which takes a quarter of the memory; otherwise floats.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Planes {
    /// 0 to 255.
    Bytes(Vec<u8>),
    /// 0 to 1.
    Floats(Vec<f32>),
}

/// Converts a byte to a float like PyTorch: divided by 255, not multiplied by the rounded inverse.
pub(crate) fn to_unit(byte: u8) -> f32 {
    f32::from(byte) / 255.0
}

/// The nearest byte; values outside `[0, 1]` are clamped.
pub(crate) fn to_byte(unit: f32) -> u8 {
    (unit.clamp(0.0, 1.0) * 255.0).round() as u8
}

impl Pixels {
    /// Converts to rows of red, green and blue, rounded to 8 bits.
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
    /// Creates planes from rows of red, green and blue.
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

    /// The pixels of image number `image`, with `plane` pixels, as rows of red, green and blue; `None`
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

    /// Appends the planes of an image, in memory for `capacity` values. As soon as one image has floats, all
    /// become floats, so that no image loses precision.
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

/// Converts planes of red, green and blue of `plane` values each to rows of red, green and blue.
fn interleaved<T: Copy>(planes: &[T], plane: usize, byte: impl Fn(T) -> u8) -> Vec<u8> {
    let (reds, rest) = planes.split_at(plane);
    let (greens, blues) = rest.split_at(plane);
    let pixels = reds.iter().zip(greens).zip(blues);
    pixels
        .flat_map(|((&red, &green), &blue)| [byte(red), byte(green), byte(blue)])
        .collect()
}
