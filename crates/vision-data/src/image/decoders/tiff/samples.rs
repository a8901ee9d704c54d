//! The numbers that pixels are made of, as 8 bits each.

use std::borrow::Cow;

use crate::image::decoders::tiff::color::Color;
use crate::image::decoders::tiff::directory::{Directory, tag};
use crate::image::decoders::tiff::problem::{Result, unsupported};

/// What the bits of a sample mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Unsigned,
    Signed,
    Float,
}

/// The samples of each pixel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Samples {
    /// How many there are, those of the color first.
    pub(crate) count: u16,
    /// Bits of each.
    pub(crate) bits: u16,
    pub(crate) format: Format,
}

impl Samples {
    /// Whether they are numbers that Pillow clips to 8 bits instead of taking their upper bits.
    pub(super) fn are_clipped(self) -> bool {
        self.format != Format::Unsigned || self.bits > 16
    }

    pub(super) fn of(directory: &Directory<'_>, color: Color) -> Result<Self> {
        let old_jpeg = directory.number(tag::COMPRESSION) == Some(6);
        let usual = if old_jpeg { 3 } else { 1 };
        let count = directory.number(tag::SAMPLES).unwrap_or(usual);
        let bits = match directory.numbers(tag::BITS) {
            none if none.is_empty() => vec![if old_jpeg { 8 } else { 1 }],
            bits => bits,
        };
        let formats = directory.numbers(tag::SAMPLE_FORMAT);
        let format = match formats.first() {
            // 4 stands for "undefined".
            None | Some(1 | 4) => Format::Unsigned,
            Some(2) => Format::Signed,
            Some(3) => Format::Float,
            Some(other) => return Err(unsupported(&format!("sample format {other}"))),
        };
        if bits.iter().take(count as usize).any(|one| *one != bits[0])
            || formats
                .iter()
                .take(count as usize)
                .any(|one| *one != formats[0])
        {
            return Err(unsupported("channels of different depths"));
        }
        let needed = color.samples();
        if count < u64::from(needed) || count > 1_000 {
            return Err(unsupported(&format!("{count} channels of {color}")));
        }
        let bits = bits[0];
        let read = match format {
            Format::Unsigned if color == Color::Palette => matches!(bits, 1..=8),
            Format::Unsigned if needed == 1 => matches!(bits, 1..=16 | 32),
            Format::Unsigned => matches!(bits, 8 | 16),
            Format::Signed => color == Color::Black && matches!(bits, 8 | 16 | 32),
            Format::Float => needed == 1 && color != Color::Palette && bits == 32,
        };
        if !read || (matches!(color, Color::Lab | Color::YCbCr) && bits != 8) {
            let kind = match format {
                Format::Unsigned => "",
                Format::Signed => " signed",
                Format::Float => " floating-point",
            };
            return Err(unsupported(&format!(
                "{bits}{kind} bits for a channel of {color}"
            )));
        }
        Ok(Self {
            count: count as u16,
            bits: bits as u16,
            format,
        })
    }

    /// The samples of a row as 8 bits: numbers of up to 16 bits become the upper 8 of their bits, others are
    /// clipped, as Pillow does. With `scale`, numbers of fewer bits are scaled to 255.
    pub(super) fn unpack(self, row: &[u8], scale: bool, samples: &mut [u8]) {
        fn each<const N: usize>(row: &[u8], samples: &mut [u8], to: impl Fn([u8; N]) -> u8) {
            let (numbers, _) = row.as_chunks::<N>();
            samples
                .iter_mut()
                .zip(numbers)
                .for_each(|(sample, number)| *sample = to(*number));
        }
        match (self.bits, self.format) {
            (8, _) => samples.copy_from_slice(&row[..samples.len()]),
            (16, Format::Signed) => {
                each(row, samples, |n| i16::from_ne_bytes(n).clamp(0, 255) as u8)
            }
            (16, _) => each(row, samples, |n| (u16::from_ne_bytes(n) >> 8) as u8),
            // A conversion from floating point saturates, and makes 0 of what is no number.
            (32, Format::Float) => each(row, samples, |n| f32::from_ne_bytes(n) as u8),
            (32, _) => each(row, samples, |n| i32::from_ne_bytes(n).clamp(0, 255) as u8),
            (bits, _) => {
                let (bits, largest) = (usize::from(bits), (1u32 << bits) - 1);
                for (index, sample) in samples.iter_mut().enumerate() {
                    let at = index * bits;
                    let byte = |n: usize| u32::from(row.get(at / 8 + n).copied().unwrap_or(0));
                    let word = byte(0) << 16 | byte(1) << 8 | byte(2);
                    let value = word >> (24 - at % 8 - bits) & largest;
                    *sample = match bits {
                        9.. => (value >> (bits - 8)) as u8,
                        _ if scale => (value * 255 / largest) as u8,
                        _ => value as u8,
                    };
                }
            }
        }
    }

    /// Brings samples of several bytes into the machine's byte order.
    pub(super) fn to_native(self, chunk: &mut Cow<'_, [u8]>, big_endian: bool) {
        if big_endian != cfg!(target_endian = "big") {
            let size = usize::from(self.bits / 8);
            chunk
                .to_mut()
                .chunks_exact_mut(size)
                .for_each(<[u8]>::reverse);
        }
    }

    /// Adds the differences of horizontal prediction (predictor 2). `samples` is the number per pixel.
    pub(super) fn undo_prediction(self, chunk: &mut [u8], row_bytes: usize, samples: usize) {
        macro_rules! sum {
            ($kind:ty, $row:expr) => {{
                const SIZE: usize = size_of::<$kind>();
                let step = samples * SIZE;
                for at in (step..$row.len() - $row.len() % SIZE).step_by(SIZE) {
                    let number = |at: usize, row: &[u8]| {
                        <$kind>::from_ne_bytes(
                            row[at..at + SIZE].try_into().expect("a number's bytes"),
                        )
                    };
                    let sum = number(at, $row).wrapping_add(number(at - step, $row));
                    $row[at..at + SIZE].copy_from_slice(&sum.to_ne_bytes());
                }
            }};
        }
        for row in chunk.chunks_mut(row_bytes) {
            match self.bits {
                8 => {
                    for at in samples..row.len() {
                        row[at] = row[at].wrapping_add(row[at - samples]);
                    }
                }
                16 => sum!(u16, row),
                _ => sum!(u32, row),
            }
        }
    }

    /// Puts floating-point numbers together again (predictor 3): differences of bytes, the highest bytes of a
    /// row first.
    pub(super) fn undo_float_prediction(
        self,
        chunk: &mut [u8],
        row_bytes: usize,
        samples: usize,
    ) -> Result<()> {
        if self.format != Format::Float {
            return Err(unsupported("a floating-point predictor for whole numbers"));
        }
        for row in chunk.chunks_exact_mut(row_bytes) {
            for at in samples..row.len() {
                row[at] = row[at].wrapping_add(row[at - samples]);
            }
            let quarter = row.len() / 4;
            let bytes = row.to_vec();
            for (index, number) in row.as_chunks_mut::<4>().0.iter_mut().enumerate() {
                let number_bytes = [0, 1, 2, 3].map(|part| bytes[part * quarter + index]);
                *number = u32::from_be_bytes(number_bytes).to_ne_bytes();
            }
        }
        Ok(())
    }
}
