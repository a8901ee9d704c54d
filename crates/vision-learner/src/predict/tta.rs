//! Test-time augmentation: the mean prediction over variants of each image.

use std::sync::Arc;

use vision_base::OptionError;
use vision_data::builtin::{CropPad, Zoom};
use vision_data::{
    Bounds, DatasetType, ImageDataBunch, Preprocessing, Preprocessor, Transform, Transforms,
};

use crate::learner::Learner;
use crate::predict::predictions::Predictions;
use crate::predict::predictor::Predictor;
use crate::{Error, Result};

/// Number of variants of an image.
const VARIANTS: usize = 8;

/// Settings of [`Learner::tta_with`].
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct TtaConfig {
    beta: f64,
    scale: f64,
    random: bool,
    seed: Option<u64>,
}

impl Default for TtaConfig {
    fn default() -> Self {
        Self {
            beta: 0.4,
            scale: 1.35,
            random: true,
            seed: None,
        }
    }
}

impl TtaConfig {
    /// fastai's defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the weight of the prediction for the plain image, from 0 to 1. Default: 0.4.
    #[doc(alias = "beta")]
    pub fn with_beta(mut self, beta: f64) -> Self {
        self.beta = beta;
        self
    }

    /// Sets the zoom of the variants, from 0.001 to 1000. Default: 1.35.
    #[doc(alias = "scale")]
    pub fn with_scale(mut self, scale: f64) -> Self {
        self.scale = scale;
        self
    }

    /// Whether the variants also get the random training transforms that are neither a crop, a flip nor a zoom:
    /// rotation, warp, brightness, contrast and others. If not, they get the validation transforms. Default: true, as
    /// in fastai.
    pub fn with_random(mut self, random: bool) -> Self {
        self.random = random;
        self
    }

    /// Sets the seed of the random transforms. Default: the data's seed.
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// The eight variants of `data`: their validation transforms are those of the variant. Variants 0 to 3 are zoomed
    /// towards the corners top left, bottom left, top right and bottom right; 4 to 7 are the same, mirrored.
    ///
    /// Random transforms draw numbers that depend on the seed, the position of the image and the variant alone, not on
    /// the batch size or the number of workers.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] for a scale out of range.
    pub fn variants(&self, data: &ImageDataBunch) -> Result<Vec<ImageDataBunch>> {
        self.check()?;
        let variant = |variant| {
            let transforms = self.transforms(data.transforms(), variant);
            // No epoch of training draws these numbers.
            let draw = u64::MAX - variant as u64;
            let data = data.clone().with_valid_transforms(transforms)?;
            let seed = self.seed.unwrap_or(data.seed());
            Ok(data.with_seed(seed).with_valid_draw(draw))
        };
        (0..VARIANTS).map(variant).collect()
    }

    fn transforms(&self, all: &Transforms, variant: usize) -> Vec<Transform> {
        let base = if self.random { &all.train } else { &all.valid };
        let mut transforms: Vec<_> = base.iter().filter(|t| !is_replaced(t)).cloned().collect();
        if self.random {
            // What validation cuts out of the image, in place of a random part.
            let part = |t: &&Transform| matches!(t, Transform::ResizeCenterCrop(_));
            transforms.extend(all.valid.iter().filter(part).cloned());
        }
        let place = |bit: usize| Bounds::from(if variant & bit == 0 { 0.0 } else { 1.0 });
        let (row, col) = (place(1), place(2));
        transforms.push(Transform::Zoom(Zoom {
            scale: self.scale.into(),
            row,
            col,
            p: 1.0,
        }));
        transforms.push(Transform::CropPad(CropPad { row, col }));
        if variant & 4 != 0 {
            transforms.push(Transform::flip_lr());
        }
        transforms
    }

    fn check(&self) -> Result<()> {
        check_beta(self.beta)?;
        if (1e-3..=1e3).contains(&self.scale) {
            return Ok(());
        }
        Err(OptionError::new("scale", "a zoom from 0.001 to 1000", self.scale).into())
    }
}

/// Whether the zoom, the crop and the flip of a variant take the place of a transform.
fn is_replaced(transform: &Transform) -> bool {
    matches!(
        transform,
        Transform::CropPad(_)
            | Transform::FlipLr(_)
            | Transform::FlipAffine(_)
            | Transform::Dihedral(_)
            | Transform::DihedralAffine(_)
            | Transform::Zoom(_)
            | Transform::RandomResizedCrop(_)
    )
}

fn check_beta(beta: f64) -> Result<()> {
    if (0.0..=1.0).contains(&beta) {
        return Ok(());
    }
    Err(OptionError::new("beta", "a weight from 0 to 1", beta).into())
}

/// What prepares the variants of an image for a deployed model.
pub(crate) struct Variants {
    beta: f64,
    pub(crate) preprocessors: Vec<Preprocessor>,
}

impl Variants {
    /// The weighted mean of the activations of the image itself, which come first, and of its variants.
    pub(crate) fn blend(&self, outputs: &[Vec<f32>]) -> Vec<f32> {
        let Some((plain, variants)) = outputs.split_first() else {
            return Vec::new();
        };
        let mean = |at: usize| {
            let sum: f64 = variants.iter().map(|variant| f64::from(variant[at])).sum();
            (sum / variants.len() as f64) as f32
        };
        let items = plain.iter().enumerate();
        items
            .map(|(at, p)| blend(self.beta, *p, mean(at)))
            .collect()
    }
}

fn blend(beta: f64, plain: f32, augmented: f32) -> f32 {
    (beta * f64::from(plain) + (1.0 - beta) * f64::from(augmented)) as f32
}

impl Predictor {
    /// The same model with test-time augmentation: each of its predictions is the weighted mean that [`Learner::tta`]
    /// gives. It takes nine times as long.
    ///
    /// Its variants get the validation transforms, since the file of a model has no training transforms: on the CPU the
    /// bits are those of [`Learner::tta_with`] with [`TtaConfig::with_random`]`(false)`. Cloning the model costs nothing.
    ///
    /// ```no_run
    /// use vision_learner::{Predictor, TtaConfig};
    ///
    /// let predictor = Predictor::open("pets.safetensors")?;
    /// let careful = predictor.with_tta(&TtaConfig::new().with_random(false))?;
    /// println!("{}", careful.predict_file("photo.jpg")?.class);
    /// # Ok::<(), vision_learner::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Option`] for a setting out of range, for random transforms, and if the images of the model have no size.
    #[doc(alias = "TTA")]
    pub fn with_tta(&self, config: &TtaConfig) -> Result<Self> {
        config.check()?;
        if config.random {
            let expected = "false, since a deployed model has no training transforms";
            return Err(OptionError::new("random", expected, true).into());
        }
        let own = self.preprocessing();
        let all = Transforms {
            train: Vec::new(),
            valid: own.transforms.clone(),
        };
        let variant = |variant| {
            let preprocessing = Preprocessing {
                transforms: config.transforms(&all, variant),
                ..own.clone()
            };
            let seed = config.seed.unwrap_or(self.0.preprocessor.seed());
            Ok(preprocessing.preprocessor(seed, self.device())?)
        };
        let preprocessors: Result<Vec<_>> = (0..VARIANTS).map(variant).collect();
        let variants = Variants {
            beta: config.beta,
            preprocessors: preprocessors?,
        };
        Ok(Self(Arc::clone(&self.0), Some(Arc::new(variants))))
    }
}

impl Learner {
    /// Predictions with test-time augmentation: of each image, 0.4 times the prediction for the image itself and 0.6
    /// times the mean prediction for eight variants, which show its four corners enlarged, plain and mirrored.
    ///
    /// This is fastai's `TTA`. It takes nine times as long as [`get_preds`](Self::get_preds), and is mostly a little more
    /// accurate. Unlike in fastai, it gives the same numbers every time, and needs no training transforms.
    ///
    /// Probabilities are averaged, not logits. The losses are those of the averaged probabilities: the learner's loss of
    /// outputs that have these predictions, ln p for one class per item, ln(p / (1 − p)) for several, and the numbers
    /// themselves. For the cross-entropy that is −ln p of the target. A probability of 0 counts as 1.2e-38.
    ///
    /// ```no_run
    /// use vision_data::DatasetType;
    /// # fn predict(learner: &vision_learner::Learner) -> vision_learner::Result<()> {
    /// let predictions = learner.tta(DatasetType::Valid)?;
    /// println!("{:?}", predictions.row(0));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`get_preds`](Self::get_preds), and [`Error::Option`] for [`DatasetType::Train`], whose images are in random
    /// order and transformed at random already: [`DatasetType::Fix`] gives the training images.
    #[doc(alias = "TTA")]
    pub fn tta(&self, part: DatasetType) -> Result<Predictions> {
        self.tta_with(part, &TtaConfig::new())
    }

    /// [`tta`](Self::tta) with settings.
    ///
    /// # Errors
    ///
    /// As [`tta`](Self::tta), and [`Error::Option`] for a setting out of range.
    pub fn tta_with(&self, part: DatasetType, config: &TtaConfig) -> Result<Predictions> {
        let (plain, augmented) = self.tta_parts(part, config)?;
        let pairs = plain.probabilities.iter().zip(&augmented.probabilities);
        let blended = pairs.map(|(plain, augmented)| blend(config.beta, *plain, *augmented));
        let probabilities: Vec<f32> = blended.collect();
        Ok(Predictions {
            losses: self.losses_of(&probabilities, &plain.targets)?,
            probabilities,
            ..plain
        })
    }

    /// The two predictions that [`tta`](Self::tta) averages: those for the images themselves, as
    /// [`get_preds`](Self::get_preds) gives them, and the mean of those for the eight variants (fastai's `beta=None`).
    ///
    /// # Errors
    ///
    /// As [`tta_with`](Self::tta_with).
    pub fn tta_parts(
        &self,
        part: DatasetType,
        config: &TtaConfig,
    ) -> Result<(Predictions, Predictions)> {
        config.check()?;
        if part == DatasetType::Train {
            let expected = "DatasetType::Fix for the training images in order, or another part";
            let found =
                "DatasetType::Train, whose images are in random order and transformed at random";
            return Err(OptionError::new("part", expected, found).into());
        }
        let plain = self.get_preds(part)?;
        let mut sums = vec![0.0_f64; plain.probabilities.len()];
        for variant in config.variants(self.data())? {
            let found = self.get_preds_of(&variant, part)?;
            if found.indices != plain.indices {
                return Err(changed(plain.len(), found.len()));
            }
            for (sum, p) in sums.iter_mut().zip(&found.probabilities) {
                *sum += f64::from(*p);
            }
        }
        let mean = sums.into_iter().map(|sum| (sum / VARIANTS as f64) as f32);
        let probabilities: Vec<f32> = mean.collect();
        let augmented = Predictions {
            losses: self.losses_of(&probabilities, &plain.targets)?,
            probabilities,
            ..plain.clone()
        };
        Ok((plain, augmented))
    }
}

/// Files were changed between two passes: other images can be decoded.
fn changed(expected: usize, found: usize) -> Error {
    OptionError::new(
        "images",
        format!("the same {expected} images in each pass over the data"),
        format!("{found}, since files changed meanwhile: run it again"),
    )
    .into()
}
