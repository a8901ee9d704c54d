//! Batches, on the host and on the device.

use burn::tensor::{Device, Int, Tensor};
use image::RgbImage;
use vision_kernels::buffers::Buffer;

use crate::error::Result;
use crate::image::size::PixelSize;
use crate::labels::targets::Targets;
use crate::loader::stats::Stats;
use crate::loader::upload::{floats, upload};
use crate::pipeline::pixels::{Pixels, Planes};
use crate::transforms::batch::Mixed;

/// The images of a batch in host memory, not normalized.
#[derive(Clone, Debug, PartialEq)]
pub struct HostImages {
    count: usize,
    height: usize,
    width: usize,
    /// Image by image, the planes of red, green and blue.
    pub(crate) planes: Planes,
}

/// Some items of a data set, ready to be copied to a device.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// The images.
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

    /// Whether there are no items. A loader never returns such a batch.
    pub fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }

    /// Which items share an image, if a [`BatchTransform`](crate::BatchTransform) mixed them.
    pub fn mix(&self) -> Option<&Mixed> {
        self.mix.as_ref()
    }

    /// The shape of the images: `[batch, channels, height, width]`.
    pub fn shape(&self) -> [usize; 4] {
        self.images.shape()
    }

    /// Copies the images to a device: `[batch, 3, height, width]`, in `[0, 1]`, then normalized there
    /// if `stats` are given.
    ///
    /// The tensor is tracked by automatic differentiation if the device supports it.
    pub fn to_device(&self, device: &Device, stats: Option<&Stats>) -> Tensor<4> {
        self.images.to_device(device, stats)
    }

    /// Copies the class index of each item to a device: `[batch]`; 0 if there are no labels.
    ///
    /// # Errors
    ///
    /// [`LabelError::WrongKind`](crate::LabelError::WrongKind) if items have several classes each, or
    /// numbers.
    pub fn targets(&self, device: &Device) -> Result<Tensor<1, Int>> {
        self.labels.to_int(device)
    }

    /// Copies the labels to a device as rows: `[batch, classes]` with ones for the classes of an item, or
    /// `[batch, columns]` of numbers. With one class per item, `[batch, 1]` of class indices.
    pub fn float_targets(&self, device: &Device) -> Tensor<2> {
        self.labels.to_float(device)
    }

    /// The image at `position`, as the model sees it but not normalized; `None` beyond the last.
    pub fn image(&self, position: usize) -> Option<RgbImage> {
        self.images.image(position)
    }
}

impl HostImages {
    /// The shape: `[batch, channels, height, width]`.
    pub fn shape(&self) -> [usize; 4] {
        [self.count, 3, self.height, self.width]
    }

    /// As [`Batch::to_device`].
    pub fn to_device(&self, device: &Device, stats: Option<&Stats>) -> Tensor<4> {
        upload(&self.planes, self.shape(), device, stats)
    }

    fn size(&self) -> PixelSize {
        PixelSize {
            width: self.width as u32,
            height: self.height as u32,
        }
    }

    /// A batch of one.
    pub(crate) fn single(item: Pixels) -> Self {
        // In recycled memory, since it is returned there: what never came from there would be kept for ever.
        let mut planes = Planes::Bytes(Vec::new());
        planes.append(item.planes, 3 * item.height * item.width);
        Self {
            count: 1,
            height: item.height,
            width: item.width,
            planes,
        }
    }

    /// Collects images of one size into a batch. On failure returns the position of the first that differs.
    #[cfg(test)]
    pub(crate) fn collate(items: Vec<Pixels>) -> std::result::Result<Self, usize> {
        let mut collation = Collation::new(items.len());
        for (position, item) in items.into_iter().enumerate() {
            collation.push(item).map_err(|_| position)?;
        }
        collation.finish().ok_or(0)
    }

    /// All values in `[0, 1]`.
    pub(crate) fn to_floats(&self) -> Buffer {
        floats(&self.planes, self.height * self.width, None)
    }

    pub(crate) fn stats(&self) -> Stats {
        Stats::of_planes(&self.to_floats(), self.height * self.width)
    }

    /// As [`Batch::image`].
    pub fn image(&self, position: usize) -> Option<RgbImage> {
        let pixels = self.planes.rgb(position, self.height * self.width)?;
        RgbImage::from_raw(self.width as u32, self.height as u32, pixels)
    }
}

/// Collects images of one size, one by one, in memory that is allocated once.
#[derive(Debug)]
pub(crate) struct Collation {
    capacity: usize,
    images: Option<HostImages>,
}

impl Collation {
    /// `capacity` is the expected number of images.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            images: None,
        }
    }

    /// Adds an image; `Err` with the size of the others if its size differs.
    pub(crate) fn push(&mut self, item: Pixels) -> std::result::Result<(), PixelSize> {
        let images = self.images.get_or_insert_with(|| HostImages {
            count: 0,
            height: item.height,
            width: item.width,
            planes: Planes::Bytes(Vec::new()),
        });
        let size = images.size();
        if size != item.size() {
            return Err(size);
        }
        images.count += 1;
        let values = self.capacity.max(images.count) * 3 * item.height * item.width;
        images.planes.append(item.planes, values);
        Ok(())
    }

    /// The images, if there are any.
    pub(crate) fn finish(self) -> Option<HostImages> {
        self.images
    }
}

/// Returns the memory of large batches for reuse by the next batch.
impl Drop for HostImages {
    fn drop(&mut self) {
        match &mut self.planes {
            Planes::Bytes(bytes) => drop(Buffer::from_vec(std::mem::take(bytes))),
            Planes::Floats(floats) => drop(Buffer::from_vec(std::mem::take(floats))),
        }
    }
}
