//! Occlusion maps.

use burn::tensor::{Tensor, TensorData};
use vision_data::Image;
use vision_models::state::values;

use crate::Result;
use crate::learner::Learner;
use crate::metrics::argmax;
use crate::predict::heatmap::{Heatmap, position};
use crate::predict::occlusion_config::{OcclusionConfig, OcclusionFill};

/// Images that the model takes at once, and their largest number of values.
const BATCH: usize = 32;
const BATCH_VALUES: usize = 1 << 24;

impl Learner {
    /// How much the probability of the predicted class drops when a square hides a part of the image (Zeiler and Fergus 2014,
    /// <https://arxiv.org/abs/1311.2901>). It needs no gradients, works with any model, and takes one run of the model for
    /// each place of the square.
    ///
    /// ```no_run
    /// use vision_data::Image;
    /// # fn explain(learner: &vision_learner::Learner) -> vision_learner::Result<()> {
    /// let map = learner.occlusion(&Image::open("rose.jpg")?)?;
    /// println!("{:?}: {} x {} values", map.class(), map.height(), map.width());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`occlusion_with`](Self::occlusion_with).
    pub fn occlusion(&self, image: &Image) -> Result<Heatmap> {
        self.occlusion_with(image, &OcclusionConfig::new())
    }

    /// [`occlusion`](Self::occlusion) with settings: the class, and the side, the stride and the color of the square.
    ///
    /// The map divides the image into cells of about the stride; the center of the square lies on that of each cell. A value is
    /// the probability for the whole image minus that for the image with the square, so it is negative where hiding helps.
    ///
    /// # Errors
    ///
    /// [`Error::Option`](crate::Error::Option) for an unknown class, if the labels are numbers, for a side that is not from 1 to
    /// the image's shorter side, or a stride that is not from 1 to the side; and those of [`predict`](Self::predict).
    pub fn occlusion_with(&self, image: &Image, config: &OcclusionConfig) -> Result<Heatmap> {
        let class = position(
            self.data().kind(),
            self.data().classes(),
            config.class.as_deref(),
        )?;
        let images = self.data().preprocessor().prepare(image)?;
        let [_, channels, height, width] = images.dims();
        let [rows, columns] = config.hidden([height, width])?;
        let predictor = self.predictor();
        let whole = predictor.0.activations(images.clone())?;
        let class = class.unwrap_or_else(|| argmax(&whole));

        let pixels = values(images);
        let fill = self.fill(config.fill, &pixels, height * width);
        let places = rows
            .iter()
            .flat_map(|rows| columns.iter().map(move |columns| (rows, columns)));
        let places: Vec<_> = places.collect();
        let mut drops = Vec::with_capacity(places.len());
        let at_once = (BATCH_VALUES / pixels.len().max(1)).clamp(1, BATCH);
        for places in places.chunks(at_once) {
            let mut batch = pixels.repeat(places.len());
            for (image, (rows, columns)) in batch.chunks_mut(pixels.len()).zip(places) {
                for (plane, color) in image.chunks_mut(height * width).zip(&fill) {
                    for row in (*rows).clone() {
                        plane[row * width..][..width][(*columns).clone()].fill(*color);
                    }
                }
            }
            let data = TensorData::new(batch, [places.len(), channels, height, width]);
            let hidden = Tensor::from_data(data, self.data().device());
            let hidden = predictor.0.activations(hidden)?;
            let rows = hidden.chunks(whole.len());
            drops.extend(rows.map(|row| whole[class] - row[class]));
        }
        let map = Heatmap::new(drops, [rows.len(), columns.len()])?;
        Ok(map.of(&self.data().classes()[class], whole[class], None))
    }

    /// The color of the square for each channel, normalized as the pixels are.
    fn fill(&self, fill: OcclusionFill, pixels: &[f32], plane: usize) -> Vec<f32> {
        let stats = self.data().stats();
        let planes = pixels.chunks(plane).enumerate();
        let color = |(channel, plane): (usize, &[f32])| match (fill, &stats) {
            (OcclusionFill::Mean, _) => {
                let sum: f64 = plane.iter().map(|value| f64::from(*value)).sum();
                (sum / plane.len() as f64) as f32
            }
            (OcclusionFill::Gray, Some(stats)) => (0.5 - stats.mean[channel]) / stats.std[channel],
            (OcclusionFill::Gray, None) => 0.5,
        };
        planes.map(color).collect()
    }
}
