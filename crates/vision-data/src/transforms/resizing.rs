//! Resizing options.

use serde::{Deserialize, Serialize};
use vision_base::OptionError;

use crate::error::{Error, Result};
use crate::transforms::padding::PaddingMode;
use crate::transforms::size::{ResizeMethod, Size};

/// The size of all images, and how images are resized to it.
///
/// ```
/// use vision_data::{PaddingMode, Resizing, Size};
///
/// let resizing = Resizing {
///     size: Some(Size::from(224)),
///     padding_mode: PaddingMode::Zeros,
///     ..Resizing::default()
/// };
/// assert!(resizing.check().is_ok());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Resizing {
    /// The size. `None` keeps the size of each image.
    pub size: Option<Size>,
    /// The resize method. Default: that of the size, [`Size::default_method`].
    pub resize_method: Option<ResizeMethod>,
    /// Rounds height and width to the nearest multiple of this (never to 0), for networks that
    /// require it.
    pub mult: Option<usize>,
    /// The pixels beyond the edges, in padding and in transforms that move pixels.
    pub padding_mode: PaddingMode,
}

impl Resizing {
    /// Checks the options.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] for sides outside 1 to 16384 pixels.
    pub fn check(&self) -> Result<()> {
        self.size.map_or(Ok(()), Size::check)?;
        match self.mult {
            Some(mult) if !(1..=Size::MAX_SIDE).contains(&mult) => Err(Error::Option(
                OptionError::new("mult", "1 to 16384 pixels", mult.to_string()),
            )),
            _ => Ok(()),
        }
    }

    /// Height and width of all images: those of the size, rounded to multiples of `mult`. `None` without
    /// a size. [`Transform::Crop`](crate::Transform::Crop) ignores it.
    pub fn height_width(&self) -> Option<(usize, usize)> {
        self.size.map(|size| self.target(size.height_width()))
    }

    pub(crate) fn method(&self) -> ResizeMethod {
        let default = self.size.map_or(ResizeMethod::Crop, Size::default_method);
        self.resize_method.unwrap_or(default)
    }

    /// Height and width to crop or pad to, for an image of size `source`.
    pub(crate) fn target(&self, source: (usize, usize)) -> (usize, usize) {
        let (height, width) = self.size.map_or(source, Size::height_width);
        let round = |side: usize| match self.mult {
            Some(mult) => ((side + mult / 2) / mult).max(1) * mult,
            None => side,
        };
        (round(height), round(width))
    }

    /// Height and width to resize to, before cropping or padding to `target`.
    pub(crate) fn resized(&self, source: (usize, usize)) -> (usize, usize) {
        match self.size {
            Some(_) => self.method().resized(source, self.target(source)),
            None => source,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_are_rounded_to_the_nearest_multiple_and_never_to_nothing() {
        // fastai: int(x / mult + 0.5) * mult.
        let target = |side: usize, mult| {
            let resizing = Resizing {
                size: Some(side.into()),
                mult: Some(mult),
                ..Resizing::default()
            };
            assert_eq!(resizing.height_width(), Some(resizing.target((1, 1))));
            resizing.target((1, 1)).0
        };
        assert_eq!([target(224, 32), target(240, 32)], [224, 256]);
        assert_eq!([target(239, 32), target(100, 7)], [224, 98]);
        assert_eq!([target(10, 5), target(12, 5), target(13, 5)], [10, 10, 15]);
        assert_eq!(target(10, 32), 32);
    }

    #[test]
    fn a_multiple_of_nothing_is_refused() {
        let resizing = Resizing {
            mult: Some(0),
            ..Resizing::default()
        };
        assert!(matches!(
            resizing.check(),
            Err(Error::Option(OptionError { option: "mult", .. }))
        ));
    }
}
