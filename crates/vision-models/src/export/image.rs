//! Preprocessing in the graph: from one decoded image to a batch of pixels, and from outputs to predictions.

use super::lower::{Lowering, Refusal};
use super::matrices::{Axis, Named, Preparation};
use super::proto::Attribute;

/// `TensorProto.DataType`.
pub(super) const FLOAT: i64 = 1;
pub(super) const UINT8: i64 = 2;

/// Pixels beyond the edges of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// Black.
    Zeros,
    /// The pixel at the edge.
    Border,
    /// The mirrored image, without repeating the edge.
    Reflection,
}

/// How an image gets its size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ImageResize {
    /// Images keep their size.
    Keep,
    /// Bilinear sampling that keeps the corners, after a mean over areas if the image gets more than two times smaller.
    Bilinear {
        /// Height and width.
        size: [usize; 2],
        /// How the aspect ratio is treated.
        fit: Fit,
        /// What is padded with.
        edge: Edge,
        /// Where to crop, from 0 (top, left) to 1 (bottom, right): row and column.
        place: [f32; 2],
    },
    /// Pillow's antialiasing bilinear filter: the shorter side to that of `size` plus `extra`, then the center.
    PillowCenter {
        /// Height and width.
        size: [usize; 2],
        /// Extra pixels before the crop.
        extra: usize,
    },
}

/// How the aspect ratio of an image is treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// Resize until the shorter side fits, crop the longer side.
    Crop,
    /// Resize until the longer side fits, pad the shorter side.
    Pad,
    /// Stretch.
    Squish,
}

/// What follows the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Nothing: the outputs are numbers.
    Identity,
    /// The softmax.
    Softmax,
    /// The sigmoid.
    Sigmoid,
}

/// A graph from one decoded image `[height, width, 3]` of bytes to probabilities `[1, outputs]`: what comes before
/// and after the network, for [`OnnxConfig::with_image_input`](super::OnnxConfig::with_image_input).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ImageInput {
    /// The shorter side that larger images are reduced to first, with Pillow's filter.
    pub short_side: Option<usize>,
    /// How images get their size.
    pub resize: ImageResize,
    /// Mean and standard deviation of each channel, of pixels in [0, 1].
    pub normalization: Option<([f32; 3], [f32; 3])>,
    /// What the outputs are divided by before the ending.
    pub temperature: Option<f32>,
    /// What follows the network.
    pub ending: Ending,
}

/// Largest side in pixels.
const MOST_SIDE: usize = 16_384;

impl ImageInput {
    /// Height and width after the resize, if all images have one.
    pub(super) fn size(&self) -> Option<[usize; 2]> {
        match self.resize {
            ImageResize::Keep => None,
            ImageResize::Bilinear { size, .. } | ImageResize::PillowCenter { size, .. } => {
                Some(size)
            }
        }
    }

    /// Checks all numbers.
    fn check(&self) -> Result<(), Refusal> {
        let refuse = |reason: String| {
            let layer = String::new();
            Err(Refusal { layer, reason })
        };
        let side = |side: usize| (1..=MOST_SIDE).contains(&side);
        let (size, rest) = match self.resize {
            ImageResize::Keep => ([1, 1], true),
            ImageResize::Bilinear { size, place, .. } => {
                (size, place.iter().all(|part| (0.0..=1.0).contains(part)))
            }
            ImageResize::PillowCenter { size, extra } => (size, extra <= MOST_SIDE),
        };
        if !size.into_iter().chain(self.short_side).all(side) || !rest {
            return refuse(format!(
                "the image input has a size, a place or a side out of range; expected sides of 1 to {MOST_SIDE} pixels \
                 and places from 0 to 1, found {self:?}"
            ));
        }
        match self.temperature {
            Some(temperature) if !(temperature.is_normal() && temperature > 0.0) => refuse(
                format!("the temperature is {temperature:e}; expected a positive number"),
            ),
            _ => Ok(()),
        }
    }

    /// Appends the nodes from `image` to pixels in [0, 1], `[1, 3, height, width]`.
    pub(super) fn prepare(&self, lowering: &mut Lowering, image: &str) -> Named {
        self.check()?;
        let mut p = Preparation::new(lowering, 0);
        let floats = p.cast(image, FLOAT)?;
        let perm = [("perm", Attribute::Ints(vec![2, 0, 1]))];
        let mut x = p.node("Transpose", &[&floats], perm)?;
        let shape = p.node("Shape", &[image], [])?;
        let mut axis = |number: usize| -> Result<Axis, Refusal> {
            let index = p.int(number)?;
            let pixels = p.node("Gather", &[&shape, &index], [])?;
            Ok(Axis { pixels })
        };
        let (mut h, mut w) = (axis(0)?, axis(1)?);
        if let Some(side) = self.short_side {
            let (to_h, to_w) = p.shorter_side(&h, &w, side)?;
            x = p.pillow(&x, [&h, &w], [&to_h, &to_w], None)?;
            (h, w) = (Axis { pixels: to_h }, Axis { pixels: to_w });
        }
        x = match self.resize {
            ImageResize::Keep => x,
            ImageResize::Bilinear {
                size,
                fit,
                edge,
                place,
            } => {
                let [rows, cols] = p.resized(&h, &w, size, fit)?;
                let shrink = p.shrink(&h, &w, &rows, &cols)?;
                let down = p.bilinear(&h, &rows, &shrink, size[0], edge, place[0])?;
                let across = p.bilinear(&w, &cols, &shrink, size[1], edge, place[1])?;
                p.product(&down, &x, &across)?
            }
            ImageResize::PillowCenter { size, extra } => {
                let [rows, cols] = p.enlarged(&h, &w, size, extra)?;
                p.pillow(&x, [&h, &w], [&rows, &cols], Some(size))?
            }
        };
        let white = p.float(255.0)?;
        x = p.node("Div", &[&x, &white], [])?;
        let axis = p.ints(vec![0])?;
        p.node("Unsqueeze", &[&x, &axis], [])
    }

    /// Appends the nodes from outputs `[1, outputs]` to predictions.
    pub(super) fn finish(&self, lowering: &mut Lowering, outputs: &str) -> Named {
        // After the names of `prepare`.
        let mut p = Preparation::new(lowering, 100_000);
        let mut y = outputs.to_owned();
        if let Some(temperature) = self.temperature {
            let temperature = p.float(temperature)?;
            y = p.node("Div", &[&y, &temperature], [])?;
        }
        match self.ending {
            Ending::Identity => Ok(y),
            Ending::Softmax => p.node("Softmax", &[&y], [("axis", Attribute::Int(1))]),
            Ending::Sigmoid => p.node("Sigmoid", &[&y], []),
        }
    }
}
