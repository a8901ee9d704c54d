//! Predictions for many images.

use std::borrow::Cow;
use std::path::PathBuf;

use burn::tensor::Tensor;
use rayon::current_num_threads;
use vision_base::progress::Progress;
use vision_base::workers;
use vision_data::{Image, device};

use crate::Result;
use crate::predict::cores;
use crate::predict::predictions::Prediction;
use crate::predict::predictor::{Inner, Predictor};
use crate::predict::threshold::Threshold;
use crate::predict::tta::Variants;

/// Largest number of images that a device other than the CPU computes at the same time.
const BATCH: usize = 64;

/// An image as the model takes it: [`Predictor::prepare`].
#[derive(Clone, Debug)]
pub struct Prepared(Vec<Tensor<4>>);

impl Prepared {
    /// Height and width in pixels.
    pub fn size(&self) -> [usize; 2] {
        // With test-time augmentation, the first is the image itself.
        let [_, _, height, width] = self.0.first().map_or([0; 4], Tensor::dims);
        [height, width]
    }
}

impl Predictor {
    /// The first of the two steps of [`predict`](Self::predict): resizes, transforms and normalizes an image,
    /// and brings it to the device. For services that prepare images in other threads than the one that computes.
    ///
    /// ```no_run
    /// # fn main() -> vision_learner::Result<()> {
    /// let predictor = vision_learner::Predictor::open("pets.safetensors")?;
    /// let image = predictor.open_image("photo.jpg")?;
    /// let expected = predictor.predict(&image)?;
    /// let prepared = predictor.prepare(&image)?;
    /// assert_eq!(predictor.predict_prepared(vec![prepared]).remove(0)?, expected);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If the image cannot be brought to the shape of a batch.
    pub fn prepare(&self, image: &Image) -> Result<Prepared> {
        Ok(Prepared(self.0.views(image, self.variants())?))
    }

    /// Predicts prepared images, in order: each with the result that [`predict`](Self::predict) gives for it alone, on the CPU
    /// with the same bits. An image that cannot be predicted is an error; the others go on.
    pub fn predict_prepared(&self, images: Vec<Prepared>) -> Vec<Result<Prediction>> {
        let (inner, threshold) = (&self.0, self.0.threshold());
        let variants = self.variants();
        if !device::is_cpu(&inner.device) {
            let images = images.into_iter().map(|Prepared(views)| Ok(views));
            return inner.predict_views(images.collect(), variants, &threshold);
        }
        let one = |item: usize| {
            let views = images[item].0.clone();
            let row = cores::share(|| inner.outputs(views, variants))?;
            Ok(inner.prediction(row, &threshold))
        };
        match images.len() {
            1 => vec![one(0)],
            n => cores::together(|| workers::map(n, workers::cores(), &Progress::silent(), one)),
        }
    }
}

/// Items whose views have the same shapes.
struct Group {
    shapes: Vec<[usize; 4]>,
    members: Vec<usize>,
    /// The views of each member.
    images: Vec<Vec<Tensor<4>>>,
}

/// Something that gives an image.
pub(super) trait Load: Sync {
    fn load(&self, predictor: &Inner) -> Result<Cow<'_, Image>>;
}

impl Load for Image {
    fn load(&self, _: &Inner) -> Result<Cow<'_, Image>> {
        Ok(Cow::Borrowed(self))
    }
}

impl Load for PathBuf {
    fn load(&self, predictor: &Inner) -> Result<Cow<'_, Image>> {
        Ok(Cow::Owned(predictor.preprocessor.open(self)?))
    }
}

impl Inner {
    /// Predicts each item on its own, in order.
    ///
    /// On the CPU each image is computed alone on one core: faster than a batch on all cores, and each gets the
    /// bits that it gets alone. Another device computes batches.
    pub(super) fn predict_all<T: Load>(
        &self,
        items: &[T],
        variants: Option<&Variants>,
        threshold: &Threshold,
    ) -> Vec<Result<Prediction>> {
        if device::is_cpu(&self.device) {
            let one = |item: usize| {
                let image = items[item].load(self)?;
                cores::share(|| self.predict(&image, variants, threshold))
            };
            return match items.len() {
                1 => vec![one(0)],
                n => {
                    cores::together(|| workers::map(n, workers::cores(), &Progress::silent(), one))
                }
            };
        }
        let chunks = items.chunks(BATCH);
        chunks
            .flat_map(|items| self.predict_batch(items, variants, threshold))
            .collect()
    }

    /// Predicts items in batches of images of one size.
    fn predict_batch<T: Load>(
        &self,
        items: &[T],
        variants: Option<&Variants>,
        threshold: &Threshold,
    ) -> Vec<Result<Prediction>> {
        let prepared = |item: usize| {
            let image = items[item].load(self)?;
            self.views(&image, variants)
        };
        let prepared = workers::map(
            items.len(),
            current_num_threads(),
            &Progress::silent(),
            prepared,
        );
        self.predict_views(prepared, variants, threshold)
    }

    /// Predicts the views of prepared images in batches of one size.
    fn predict_views(
        &self,
        prepared: Vec<Result<Vec<Tensor<4>>>>,
        variants: Option<&Variants>,
        threshold: &Threshold,
    ) -> Vec<Result<Prediction>> {
        let mut results: Vec<Option<Result<Prediction>>> = Vec::new();
        results.resize_with(prepared.len(), || None);
        let mut groups: Vec<Group> = Vec::new();
        for (item, views) in prepared.into_iter().enumerate() {
            match views {
                Err(error) => results[item] = Some(Err(error)),
                Ok(views) => {
                    let shapes: Vec<_> = views.iter().map(Tensor::dims).collect();
                    match groups.iter_mut().find(|group| group.shapes == shapes) {
                        Some(group) => {
                            group.members.push(item);
                            group.images.push(views);
                        }
                        None => groups.push(Group {
                            shapes,
                            members: vec![item],
                            images: vec![views],
                        }),
                    }
                }
            }
        }
        for Group {
            shapes,
            members,
            images,
        } in groups
        {
            let view = |at: usize| {
                let images = images.iter().filter_map(|views| views.get(at).cloned());
                Tensor::cat(images.collect(), 0)
            };
            match self.outputs((0..shapes.len()).map(view).collect(), variants) {
                Ok(rows) => {
                    for (item, row) in members.iter().zip(rows.chunks(self.outputs.max(1))) {
                        results[*item] = Some(Ok(self.prediction(row.to_vec(), threshold)));
                    }
                }
                // Which of them it is, and what is wrong with it.
                Err(_) => {
                    for (item, views) in members.iter().zip(images) {
                        let row = self.outputs(views, variants);
                        results[*item] = Some(row.map(|row| self.prediction(row, threshold)));
                    }
                }
            }
        }
        results.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use vision_data::{ImageDataBunch, ResizeMethod};
    use vision_models::Arch;

    use super::*;
    use crate::{TtaConfig, create_cnn};

    #[test]
    fn batches_of_another_device_give_each_image_its_own_result_in_order() {
        // Images of three sizes, and one that is too small for the network.
        let data = ImageDataBunch::single_from_classes(".", ["a", "b"])
            .size(40)
            .resize_method(ResizeMethod::No)
            .build()
            .unwrap();
        let learner = create_cnn(data, Arch::SqueezeNet1_1).pretrained(false);
        let predictor = learner.silent(true).build().unwrap().predictor();
        let image = |i: u32| {
            let (width, height) = [(40, 30), (30, 40), (64, 33), (5, 5)][i as usize % 4];
            let pixels = (0..3 * width * height).map(|p| (p * (i + 3) % 251) as u8);
            Image::from_rgb8(width, height, pixels.collect()).unwrap()
        };
        let images: Vec<Image> = (0..11).map(image).collect();
        let found = predictor
            .0
            .predict_batch(&images, None, &Threshold::default());
        assert_eq!(found.len(), images.len());
        for (i, (found, image)) in found.iter().zip(&images).enumerate() {
            match (found, predictor.predict(image)) {
                (Ok(found), Ok(expected)) => {
                    let pairs = found.probabilities.iter().zip(&expected.probabilities);
                    assert!(pairs.into_iter().all(|(a, b)| (a - b).abs() < 1e-5), "{i}");
                }
                (Err(found), Err(expected)) => {
                    assert_eq!((i % 4, found.to_string()), (3, expected.to_string()));
                }
                other => panic!("{i}: {other:?}"),
            }
        }
    }

    #[test]
    fn batches_of_another_device_are_augmented_as_single_images_are() {
        let data = ImageDataBunch::single_from_classes(".", ["a", "b"])
            .size(40)
            .build()
            .unwrap();
        let learner = create_cnn(data, Arch::SqueezeNet1_1).pretrained(false);
        let predictor = learner.silent(true).build().unwrap().predictor();
        let config = TtaConfig::new().with_random(false);
        let careful = predictor.with_tta(&config).unwrap();
        let image = |i: u32| {
            let pixels = (0..3 * 50 * (40 + i)).map(|p| (p * (i + 3) % 251) as u8);
            Image::from_rgb8(50, 40 + i, pixels.collect()).unwrap()
        };
        let images: Vec<Image> = (0..3).map(image).collect();
        let found = careful
            .0
            .predict_batch(&images, careful.variants(), &Threshold::default());
        for (found, image) in found.into_iter().zip(&images) {
            let (found, expected) = (found.unwrap(), careful.predict(image).unwrap());
            let pairs = found.probabilities.iter().zip(&expected.probabilities);
            assert!(pairs.into_iter().all(|(a, b)| (a - b).abs() < 1e-5));
            assert_ne!(
                found.probabilities,
                predictor.predict(image).unwrap().probabilities
            );
        }
    }
}
