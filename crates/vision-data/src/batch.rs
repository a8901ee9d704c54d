//! A batch, on the host and on the device.

use burn::tensor::{Device, Int, Tensor, TensorData};
use image::RgbImage;

use crate::error::{Error, Result};
use crate::mix::Mixed;
use crate::pipeline::{Pixels, Planes};
use crate::stats::Stats;
use crate::targets::Targets;

/// The pixels of a batch in the memory of the host, not normalised.
#[derive(Clone, Debug, PartialEq)]
pub struct HostImages {
    count: usize,
    height: usize,
    width: usize,
    /// Image by image, of each the planes of red, green and blue.
    pub(crate) planes: Planes,
}

/// Some items of a data set, ready for a device.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// The pixels.
    pub images: HostImages,
    /// The labels of the items.
    pub labels: Targets,
    /// The position of each item in its data set.
    pub indices: Vec<usize>,
    pub(crate) mix: Option<Mixed>,
}

impl Batch {
    /// The number of items.
    pub fn len(&self) -> usize {
        self.indices.len()
    }

    /// Whether there is no item. A loader never hands out such a batch.
    pub fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }

    /// Which items share a picture, if a [`BatchTransform`](crate::BatchTransform) saw to that.
    pub fn mix(&self) -> Option<&Mixed> {
        self.mix.as_ref()
    }

    /// `[batch, channels, height, width]`.
    pub fn shape(&self) -> [usize; 4] {
        self.images.shape()
    }

    /// The images on a device: `[batch, 3, height, width]`, in `[0, 1]`, and then normalised there
    /// if `stats` are given.
    ///
    /// The tensor takes part in automatic differentiation if the device does.
    pub fn to_device(&self, device: &Device, stats: Option<&Stats>) -> Tensor<4> {
        self.images.to_device(device, stats)
    }

    /// The position of each item's class on a device: `[batch]`; 0 where there are no labels.
    ///
    /// # Errors
    ///
    /// [`Error::WrongTargets`] if the items have several classes each, or numbers.
    pub fn targets(&self, device: &Device) -> Result<Tensor<1, Int>> {
        self.labels.to_int(device)
    }

    /// The labels on a device as rows: `[batch, classes]`, ones where an item has the class, or
    /// `[batch, columns]` of numbers. One class an item gives `[batch, 1]`, its position.
    pub fn float_targets(&self, device: &Device) -> Tensor<2> {
        self.labels.to_float(device)
    }

    /// One image as a picture, as the model sees it but not normalised; none beyond the last.
    pub fn picture(&self, position: usize) -> Option<RgbImage> {
        self.images.picture(position)
    }
}

impl HostImages {
    /// `[batch, channels, height, width]`.
    pub fn shape(&self) -> [usize; 4] {
        [self.count, 3, self.height, self.width]
    }

    /// As [`Batch::to_device`].
    pub fn to_device(&self, device: &Device, stats: Option<&Stats>) -> Tensor<4> {
        let data = TensorData::new(self.to_floats(), self.shape());
        let images = Tensor::from_data(data, device);
        match stats {
            Some(stats) => normalize(images, stats),
            None => images,
        }
    }

    /// A batch of one.
    pub(crate) fn single(item: Pixels) -> Self {
        Self {
            count: 1,
            height: item.height,
            width: item.width,
            planes: item.planes,
        }
    }

    /// Puts images of one size together. On failure the position of the first that differs.
    pub(crate) fn collate(items: Vec<Pixels>) -> std::result::Result<Self, usize> {
        let count = items.len();
        let (height, width) = items
            .first()
            .map_or((0, 0), |item| (item.height, item.width));
        let differs = |item: &Pixels| (item.height, item.width) != (height, width);
        if let Some(position) = items.iter().position(differs) {
            return Err(position);
        }
        let bytes = |item: &Pixels| matches!(item.planes, Planes::Bytes(_));
        let values = 3 * count * height * width;
        // One image that needed no resizing does not make the others any coarser.
        let planes = if items.iter().all(bytes) {
            let mut all = Vec::with_capacity(values);
            for item in &items {
                if let Planes::Bytes(planes) = &item.planes {
                    all.extend_from_slice(planes);
                }
            }
            Planes::Bytes(all)
        } else {
            let mut all = Vec::with_capacity(values);
            for item in items {
                match item.planes {
                    Planes::Bytes(planes) => all.extend(planes.into_iter().map(unit)),
                    Planes::Floats(planes) => all.extend_from_slice(&planes),
                }
            }
            Planes::Floats(all)
        };
        Ok(Self {
            count,
            height,
            width,
            planes,
        })
    }

    /// All values in `[0, 1]`.
    pub(crate) fn to_floats(&self) -> Vec<f32> {
        match &self.planes {
            Planes::Bytes(bytes) => {
                let table: [f32; 256] = std::array::from_fn(|i| unit(i as u8));
                bytes.iter().map(|&b| table[usize::from(b)]).collect()
            }
            Planes::Floats(floats) => floats.clone(),
        }
    }

    pub(crate) fn stats(&self) -> Stats {
        Stats::of_planes(&self.to_floats(), self.height * self.width)
    }

    fn picture(&self, position: usize) -> Option<RgbImage> {
        let plane = self.height * self.width;
        let start = position.checked_mul(3 * plane)?;
        let value = |i: usize| match &self.planes {
            Planes::Bytes(bytes) => bytes.get(i).copied(),
            Planes::Floats(floats) => floats
                .get(i)
                .map(|v| (v.clamp(0.0, 1.0) * 255.0).round() as u8),
        };
        let pixels: Option<Vec<u8>> = (0..plane)
            .flat_map(|pixel| (0..3).map(move |channel| start + channel * plane + pixel))
            .map(value)
            .collect();
        RgbImage::from_raw(self.width as u32, self.height as u32, pixels?)
    }
}

/// A byte as PyTorch makes it a float: divided, not multiplied by the rounded inverse.
fn unit(byte: u8) -> f32 {
    f32::from(byte) / 255.0
}

/// `(x - mean) / std` of each channel; `images` is `[batch, 3, height, width]`.
pub(crate) fn normalize(images: Tensor<4>, stats: &Stats) -> Tensor<4> {
    let device = images.device();
    (images - channels(stats.mean, &device)) / channels(stats.std, &device)
}

/// `x · std + mean` of each channel.
///
/// # Errors
///
/// [`Error::BadOption`] if there are not three channels.
pub(crate) fn denormalize(images: Tensor<4>, stats: &Stats) -> Result<Tensor<4>> {
    let shape = images.dims();
    if shape[1] != 3 {
        return Err(Error::BadOption {
            option: "images",
            expected: "a tensor [batch, 3, height, width]",
            found: format!("{shape:?}"),
        });
    }
    let device = images.device();
    Ok(images * channels(stats.std, &device) + channels(stats.mean, &device))
}

fn channels(values: [f32; 3], device: &Device) -> Tensor<4> {
    Tensor::<1>::from_floats(values, device).reshape([1, 3, 1, 1])
}
