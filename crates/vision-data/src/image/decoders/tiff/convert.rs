//! Samples to red, green and blue.

use crate::image::decoders::shared::over;
use crate::image::decoders::tiff::color::Color;
use crate::image::decoders::tiff::compression::Compression;
use crate::image::decoders::tiff::directory::{Directory, tag};
use crate::image::decoders::tiff::page::{Area, Page};
use crate::image::decoders::tiff::problem::{Result, unsupported};
use crate::image::problem::ImageProblem;

/// Converts rows of samples of 8 bits.
#[derive(Debug)]
pub(super) struct Converter {
    model: Model,
    samples: u16,
    /// The position of the alpha among the samples of a pixel, and the color behind it.
    behind: Option<(usize, [u8; 3])>,
}

#[derive(Debug)]
enum Model {
    Gray {
        inverted: bool,
    },
    Rgb,
    /// Red, green and blue were multiplied by the fourth sample.
    Multiplied,
    Palette(Box<[[u8; 3]; 256]>),
    Cmyk,
    YCbCr(YCbCr),
    Lab,
}

impl Converter {
    pub(super) fn new(page: &Page<'_>, background: Option<[u8; 3]>) -> Result<Self> {
        let directory = &page.directory;
        let mut samples = page.color.samples();
        let model = match page.color {
            Color::White => Model::Gray {
                inverted: !page.samples.are_clipped(),
            },
            Color::Black => Model::Gray { inverted: false },
            Color::Rgb
                if page.samples.count > 3 && directory.number(tag::EXTRA_SAMPLES) == Some(1) =>
            {
                samples = 4;
                Model::Multiplied
            }
            Color::Rgb => Model::Rgb,
            // The JPEG decoder has converted it.
            Color::YCbCr if page.compression == Compression::Jpeg => Model::Rgb,
            Color::YCbCr => Model::YCbCr(YCbCr::of(directory)),
            Color::Cmyk => Model::Cmyk,
            Color::Lab => Model::Lab,
            Color::Palette => {
                // All reds, then all greens and all blues, of 16 bits.
                let values = directory.numbers(tag::PALETTE);
                let count = values.len() / 3;
                if count < 1 << page.samples.bits {
                    return Err(ImageProblem::Damaged(
                        "the TIFF has no whole palette".to_owned(),
                    ));
                }
                let mut palette = Box::new([[0; 3]; 256]);
                for (index, color) in palette.iter_mut().enumerate().take(count) {
                    *color = [0, 1, 2].map(|channel| (values[channel * count + index] >> 8) as u8);
                }
                Model::Palette(palette)
            }
        };
        let own = page.color.samples();
        let alpha = matches!(directory.number(tag::EXTRA_SAMPLES), Some(1 | 2));
        let behind = background.filter(|_| alpha && page.samples.count > own);
        if behind.is_some() {
            samples = own + 1;
        }
        Ok(Self {
            model,
            samples,
            behind: behind.map(|color| (usize::from(own), color)),
        })
    }

    /// The samples that are used of each pixel.
    pub(super) fn samples(&self) -> usize {
        usize::from(self.samples)
    }

    /// Converts a row. There are `stride` samples per pixel, those of the color first.
    pub(super) fn row(&self, samples: &[u8], stride: usize, to: &mut [u8]) {
        fn each(samples: &[u8], stride: usize, to: &mut [u8], convert: impl Fn(&[u8]) -> [u8; 3]) {
            let (pixels, _) = to.as_chunks_mut::<3>();
            for (pixel, samples) in pixels.iter_mut().zip(samples.chunks_exact(stride)) {
                *pixel = convert(samples);
            }
        }
        match &self.model {
            Model::Gray { inverted } => {
                let flip = if *inverted { 255 } else { 0 };
                each(samples, stride, to, |s| [s[0] ^ flip; 3]);
            }
            Model::Rgb => each(samples, stride, to, |s| [s[0], s[1], s[2]]),
            Model::Multiplied => each(samples, stride, to, |s| {
                [s[0], s[1], s[2]].map(|value| match s[3] {
                    0 => 0,
                    alpha => (u32::from(value) * 255 / u32::from(alpha)).min(255) as u8,
                })
            }),
            Model::Palette(palette) => each(samples, stride, to, |s| palette[usize::from(s[0])]),
            Model::Cmyk => each(samples, stride, to, |s| {
                [s[0], s[1], s[2]].map(|ink| without_inks(ink, s[3]))
            }),
            Model::YCbCr(model) => each(samples, stride, to, |s| model.rgb(s[0], s[1], s[2])),
            Model::Lab => each(samples, stride, to, |s| lab(s[0], s[1] as i8, s[2] as i8)),
        }
        if let Some((alpha, background)) = self.behind {
            let (pixels, _) = to.as_chunks_mut::<3>();
            for (pixel, samples) in pixels.iter_mut().zip(samples.chunks_exact(stride)) {
                *pixel = over(*pixel, samples[alpha], background);
            }
        }
    }

    /// The blocks of a chunk whose differences of color are stored for several pixels together.
    pub(super) fn blocks(
        &self,
        page: &Page<'_>,
        number: usize,
        area: Area,
    ) -> Result<Option<Blocks<'_>>> {
        let Model::YCbCr(model) = &self.model else {
            return Ok(None);
        };
        let factor = |index| page.directory.number_at(tag::YCBCR_SUBSAMPLING, index);
        let (across, down) = (factor(0).unwrap_or(2), factor(1).unwrap_or(2));
        if (across, down) == (1, 1) || page.planar {
            return Ok(None);
        }
        if ![1, 2, 4].contains(&across) || ![1, 2, 4].contains(&down) {
            return Err(unsupported(&format!("YCbCr in blocks of {across}x{down}")));
        }
        let (across, down) = (across as usize, down as usize);
        let block_row = (page.chunks.width as usize).div_ceil(across) * (across * down + 2);
        let needed = block_row * area.height.div_ceil(down);
        let data = page.stored(number)?;
        // Pillow writes all differences of color, without a tag that says so.
        let complete = page.row_bytes() * area.height;
        let counted = page.directory.number_at(page.chunks.counts, number);
        if page.compression == Compression::None && counted == Some(complete as u64) {
            return Ok(None);
        }
        let bytes = page
            .compression
            .decompress(data, needed, &page.rows(area.height))?;
        if bytes.len() < needed {
            return Err(ImageProblem::Truncated(
                "a strip or tile ends early".to_owned(),
            ));
        }
        let mut bytes = bytes.into_owned();
        if page.compression.predicts() && page.directory.number(tag::PREDICTOR) == Some(2) {
            page.samples.undo_prediction(&mut bytes, block_row, 3);
        }
        Ok(Some(Blocks {
            bytes,
            block_row,
            across,
            down,
            model,
        }))
    }
}

/// A strip or tile of YCbCr whose differences of color are stored once for a block of pixels: TIFF 6.0,
/// section 21.
#[derive(Debug)]
pub(super) struct Blocks<'a> {
    bytes: Vec<u8>,
    block_row: usize,
    across: usize,
    down: usize,
    model: &'a YCbCr,
}

impl Blocks<'_> {
    pub(super) fn row(&self, row: usize, to: &mut [u8]) {
        let size = self.across * self.down + 2;
        let blocks = &self.bytes[row / self.down * self.block_row..];
        for (x, pixel) in to.as_chunks_mut::<3>().0.iter_mut().enumerate() {
            let block = &blocks[x / self.across * size..][..size];
            let y = block[row % self.down * self.across + x % self.across];
            *pixel = self.model.rgb(y, block[size - 2], block[size - 1]);
        }
    }
}

/// Brightness and differences of color.
#[derive(Debug)]
struct YCbCr {
    /// The parts of red, green and blue in the brightness.
    parts: [f64; 3],
    /// The values of black and white for each sample.
    reference: [f64; 6],
}

impl YCbCr {
    fn of(directory: &Directory<'_>) -> Self {
        let parts = directory.fractions(tag::YCBCR_COEFFICIENTS);
        let reference = directory.fractions(tag::REFERENCE_BLACK_WHITE);
        let valid = |values: &[f64]| values.iter().all(|v| v.is_finite());
        Self {
            parts: parts
                .and_then(|parts| <[f64; 3]>::try_from(parts).ok())
                .filter(|parts| valid(parts) && parts[1] != 0.0)
                .unwrap_or([0.299, 0.587, 0.114]),
            reference: reference
                .and_then(|values| <[f64; 6]>::try_from(values).ok())
                .filter(|values| valid(values))
                .unwrap_or([0.0, 255.0, 128.0, 255.0, 128.0, 255.0]),
        }
    }

    fn rgb(&self, y: u8, cb: u8, cr: u8) -> [u8; 3] {
        let [black, white, ..] = self.reference;
        let scaled = |value: u8, from: f64, to: f64, range: f64| {
            let span = if to == from { 1.0 } else { to - from };
            // libtiff computes in whole numbers.
            ((f64::from(value) - from) * range / span).trunc()
        };
        let y = scaled(y, black, white, 255.0);
        let cb = scaled(cb, self.reference[2], self.reference[3], 127.0);
        let cr = scaled(cr, self.reference[4], self.reference[5], 127.0);
        let [red, green, blue] = self.parts;
        let (r, b) = (y + cr * (2.0 - 2.0 * red), y + cb * (2.0 - 2.0 * blue));
        let g = (y - blue * b - red * r) / green;
        [r, g, b].map(|value| value.round() as u8)
    }
}

/// A color without an ink and black, as Pillow computes it.
fn without_inks(ink: u8, black: u8) -> u8 {
    let light = 255 - u32::from(black);
    let product = u32::from(ink) * light + 128;
    (light - (((product >> 8) + product) >> 8)) as u8
}

/// CIE L*a*b* under D50 to sRGB, as Pillow has littleCMS do it.
fn lab(lightness: u8, a: i8, b: i8) -> [u8; 3] {
    let l = (f64::from(lightness) * 100.0 / 255.0 + 16.0) / 116.0;
    let inverse = |t: f64| match t > 24.0 / 116.0 {
        true => t * t * t,
        false => (108.0 / 841.0) * (t - 16.0 / 116.0),
    };
    let x = 0.9642 * inverse(l + f64::from(a) / 500.0);
    let y = inverse(l);
    let z = 0.8249 * inverse(l - f64::from(b) / 200.0);
    // From XYZ under D50, adapted by Bradford's matrix.
    let linear = [
        3.1338561 * x - 1.6168667 * y - 0.4906146 * z,
        -0.9787684 * x + 1.9161415 * y + 0.0334540 * z,
        0.0719453 * x - 0.2289914 * y + 1.4052427 * z,
    ];
    linear.map(|v| {
        let encoded = match v <= 0.003_130_8 {
            true => 12.92 * v,
            false => 1.055 * v.powf(1.0 / 2.4) - 0.055,
        };
        (255.0 * encoded).round() as u8
    })
}
