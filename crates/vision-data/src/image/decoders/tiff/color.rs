//! Color models.

use std::fmt;

use crate::image::decoders::tiff::directory::{Directory, tag};
use crate::image::decoders::tiff::problem::{Result, unsupported};

/// What the samples of a pixel stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Color {
    /// Gray; 0 is white.
    White,
    /// Gray; 0 is black.
    Black,
    Rgb,
    Palette,
    Cmyk,
    YCbCr,
    Lab,
}

impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::White | Self::Black => "gray",
            Self::Rgb => "RGB",
            Self::Palette => "a palette",
            Self::Cmyk => "CMYK",
            Self::YCbCr => "YCbCr",
            Self::Lab => "CIE L*a*b*",
        })
    }
}

impl Color {
    /// `old_jpeg` is whether a JPEG file is inside.
    pub(super) fn of(directory: &Directory<'_>, old_jpeg: bool) -> Result<Self> {
        let samples = directory.number(tag::SAMPLES);
        Ok(match directory.number(tag::PHOTOMETRIC) {
            // Always stored so, whatever the tag says.
            _ if old_jpeg => Self::YCbCr,
            // Without differences of color, brightness is left.
            Some(6) if samples.unwrap_or(1) == 1 => Self::Black,
            None | Some(0) => Self::White,
            Some(1) => Self::Black,
            Some(2) => Self::Rgb,
            Some(3) => Self::Palette,
            Some(5) => Self::Cmyk,
            Some(6) => Self::YCbCr,
            Some(8) => Self::Lab,
            Some(other) => {
                let name = match other {
                    4 => " (a mask)",
                    9 => " (ICC L*a*b*)",
                    10 => " (ITU L*a*b*)",
                    32803 | 34892 => " (a camera's raw image)",
                    32844 | 32845 => " (LogLuv)",
                    _ => "",
                };
                return Err(unsupported(&format!(
                    "photometric interpretation {other}{name}"
                )));
            }
        })
    }

    /// Samples that a color takes.
    pub(crate) fn samples(self) -> u16 {
        match self {
            Self::White | Self::Black | Self::Palette => 1,
            Self::Rgb | Self::YCbCr | Self::Lab => 3,
            Self::Cmyk => 4,
        }
    }
}
