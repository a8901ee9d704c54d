//! Caches the outputs of a frozen body, so that an epoch trains only the head.

use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};
use std::{fs, io};

use burn::tensor::Tensor;
use sha2::{Digest, Sha256};
use vision_base::message::shown;
use vision_base::{OptionError, console, io_error};
use vision_data::builtin::CropPad;
use vision_data::{Batch, DataError, DatasetType, Transform, device};
use vision_kernels::ops;
use vision_models::state::{Entry, values};

use crate::features::file::{self, hash_values};
use crate::features::refusal::CacheRefusal;
use crate::features::{FeatureCache, Key, Rows};
use crate::learner::Learner;
use crate::model::any_model::in_body;
use crate::model::cnn::{InferenceBody, TwoParts};
use crate::train::device_fault::guarded;
use crate::{Error, Result};

/// Where cached features came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FeatureOrigin {
    /// Computed by the body.
    Computed,
    /// Already in memory.
    Kept,
    /// Read from this file.
    File(PathBuf),
}

/// Report of [`Learner::cache_features`].
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureReport {
    /// Number of training images.
    pub train: usize,
    /// Number of validation images.
    pub valid: usize,
    /// Channels, height and width of an image's features.
    pub shape: [usize; 3],
    /// Whether the features were taken after the head's pool, which makes them smaller.
    pub pooled: bool,
    /// Memory used, in bytes: 4 per value, channels × height × width values per image.
    pub bytes: usize,
    /// Where the features came from.
    pub origin: FeatureOrigin,
    /// Wall time of the call, in seconds.
    pub seconds: f64,
}

impl Learner {
    /// Computes the outputs of the frozen body once for every training and validation image and keeps
    /// them in memory. Afterwards [`fit`](Self::fit), [`validate`](Self::validate) and
    /// [`get_preds`](Self::get_preds) of [`DatasetType::Valid`] run only the head, with the same results
    /// bit for bit.
    ///
    /// The body must be fixed: frozen, including its batch norms
    /// ([`bn_freeze`](crate::LearnerBuilder::bn_freeze)). The images must be the same in each epoch: no
    /// random transforms. The features are dropped as soon as they no longer match the body's outputs:
    /// when the body is unfrozen or gets other weights, or when the data changes.
    ///
    /// ```no_run
    /// use vision_data::{ImageDataBunch, Stats};
    /// use vision_learner::{accuracy, create_cnn};
    /// use vision_models::Arch;
    ///
    /// let data = ImageDataBunch::from_folder("pets").size(224).normalize(Stats::IMAGENET).build()?;
    /// let mut learner = create_cnn(data, Arch::ResNet34).bn_freeze(true).metrics([accuracy()]).build()?;
    /// let report = learner.cache_features()?;
    /// println!("{} MB of features in {:.1} s", report.bytes / 1_000_000, report.seconds);
    /// learner.fit_one_cycle(20, 1e-3)?; // the head alone
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::CannotCache`] with the condition that is not met, or any error of the data.
    pub fn cache_features(&mut self) -> Result<FeatureReport> {
        self.cache_features_of(None)
    }

    /// [`cache_features`](Self::cache_features) with a folder on disk: reads the features from there, or
    /// computes and writes them. The file is `<key>.safetensors`; the key is a hash of the body's
    /// weights, the preprocessing and the bytes of all images. Damaged files are recomputed. The folder
    /// can be deleted at any time.
    ///
    /// # Errors
    ///
    /// As [`cache_features`](Self::cache_features), and if the folder cannot be written. In that case
    /// the features stay in memory, and the next fit uses them.
    pub fn cache_features_in(&mut self, folder: impl AsRef<Path>) -> Result<FeatureReport> {
        let folder = folder.as_ref();
        fs::create_dir_all(folder).map_err(|source| {
            io_error("create the folder", folder)(source)
                .with_hint("choose another one for the features")
        })?;
        self.cache_features_of(Some(folder))
    }

    /// Whether training and validation currently use cached features.
    pub fn has_cached_features(&self) -> bool {
        self.usable_features().is_some()
    }

    /// Drops the cached features and frees their memory.
    pub fn drop_features(&mut self) {
        self.features = None;
    }

    /// The cached features, if they still match the body's outputs.
    pub(crate) fn usable_features(&self) -> Option<&FeatureCache> {
        // Changes of weights and data are handled where they happen; process-wide settings are checked
        // here.
        let fixed = self.model.fixed_body().is_some();
        let features = self.features.as_ref().filter(|_| fixed)?;
        (features.key.setup == self.feature_setup()).then_some(features)
    }

    /// Drops the cached features unless the body is fixed and has the weights they were computed with.
    pub(crate) fn recheck_features(&mut self) {
        let same = |kept: &FeatureCache| {
            self.model.fixed_body().is_some() && kept.key.weights == self.body_hash()
        };
        if !self.features.as_ref().is_some_and(same) {
            self.features = None;
        }
    }

    fn cache_features_of(&mut self, folder: Option<&Path>) -> Result<FeatureReport> {
        let begin = Instant::now();
        self.check_cacheable()?;
        let key = Key {
            weights: self.body_hash(),
            files: self.files_hash()?,
            setup: self.feature_setup(),
        };
        let path = folder.map(|folder| key.path(folder));
        // Keep the old features until the new ones are ready.
        let is_kept = self.features.as_ref().is_some_and(|kept| kept.key == key);
        let read = || self.read_features(path.as_deref()?, &key);
        let (new, origin) = if is_kept {
            (None, FeatureOrigin::Kept)
        } else {
            match read() {
                Some((features, path)) => (Some(features), FeatureOrigin::File(path)),
                None => (Some(self.compute_features(key)?), FeatureOrigin::Computed),
            }
        };
        if new.is_some() {
            self.features = new;
        }
        #[expect(
            clippy::expect_used,
            reason = "features are kept, or were put there just now"
        )]
        let features = self.features.as_ref().expect("features");
        if let Some(path) = path.filter(|path| origin == FeatureOrigin::Computed || !path.exists())
        {
            file::write(&path, features)?;
        }
        let report = FeatureReport {
            train: features.train.items.len(),
            valid: features.valid.items.len(),
            shape: features.shape,
            pooled: features.pooled,
            bytes: features.bytes(),
            origin,
            seconds: begin.elapsed().as_secs_f64(),
        };
        Ok(report)
    }

    fn check_cacheable(&self) -> Result<()> {
        let refuse = |refusal| Err(Error::CannotCache(refusal));
        if self.model.parts().is_none() {
            return refuse(CacheRefusal::NotTwoParts);
        }
        let entries = self.model.entries();
        let training = || entries.iter().filter(|e| e.trainable && in_body(&e.name));
        if let Some(first) = training().next() {
            return refuse(CacheRefusal::BodyTrains {
                parameter: first.name.clone(),
                only_batch_norms: training().all(|e| e.is_batch_norm()),
            });
        }
        let mut modes = self.model.modes().into_iter();
        if let Some(mode) = modes.find(|m| m.training && in_body(&m.name)) {
            let is_of_mode = |e: &&Entry| {
                e.name
                    .rsplit_once('.')
                    .is_some_and(|(layer, _)| layer == mode.name)
            };
            return refuse(CacheRefusal::BodyVaries {
                batch_norm: entries.iter().filter(is_of_mode).any(Entry::is_batch_norm),
                layer: mode.name,
                owner: mode.owner,
            });
        }
        let transforms = self.data().transforms();
        let pipeline = |part| format!("{:?}", self.data().pipeline(part));
        let same = pipeline(DatasetType::Train) == pipeline(DatasetType::Valid);
        if !same || !transforms.valid.iter().all(is_fixed) {
            return refuse(CacheRefusal::RandomTransforms {
                transforms: format!("{:?}", transforms.train),
            });
        }
        if !self.data().batch_transforms().is_empty() {
            return refuse(CacheRefusal::BatchTransforms);
        }
        Ok(())
    }

    /// SHA-256 of names, shapes and values of the body's parameters and buffers.
    fn body_hash(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for tensor in self.model.tensors() {
            if in_body(&tensor.name) {
                hash.update(format!("{} {:?}\n", tensor.name, tensor.shape));
                hash_values(&mut hash, &tensor.values);
            }
        }
        hash.finalize().into()
    }

    /// SHA-256 of the training and the validation images, in order: of the file bytes, or of the pixels
    /// if the images are not files.
    fn files_hash(&self) -> Result<[u8; 32]> {
        let mut hash = Sha256::new();
        for dataset in [self.data().train_ds(), self.data().valid_ds()] {
            hash.update(format!("{} files\n", dataset.len()));
            if dataset.are_files() {
                for path in dataset.paths() {
                    hash.update(file_hash(path, self.data_since)?);
                }
                continue;
            }
            for item in 0..dataset.len() {
                let image = dataset.image(item)?;
                hash.update(image.size().to_string());
                hash.update(Sha256::digest(image.pixels()));
            }
        }
        Ok(hash.finalize().into())
    }

    /// Everything else the features depend on. Batch sizes matter for the last bit, because the kernel
    /// is chosen by the shape.
    fn feature_setup(&self) -> String {
        let data = self.data();
        format!(
            "vision {} {}, {}, {:?}, stats {:?}, batches {} and {}, on {}, {:?}",
            env!("CARGO_PKG_VERSION"),
            self.name,
            data.train_ds().reading().pixel_options(),
            data.pipeline(DatasetType::Valid),
            data.stats(),
            data.batch_size(),
            data.val_batch_size(),
            device::describe(data.device()),
            ops::accuracy(),
        )
    }

    fn read_features(&self, path: &Path, key: &Key) -> Option<(FeatureCache, PathBuf)> {
        if !path.exists() {
            return None;
        }
        match file::read(path, key) {
            Ok(features) => Some((features, path.to_owned())),
            Err(reason) => {
                if !self.settings.silent {
                    console::warn(format_args!(
                        "{}: {reason}; the features are computed again",
                        shown(path)
                    ));
                }
                None
            }
        }
    }

    fn compute_features(&self, key: Key) -> Result<FeatureCache> {
        let (Some(body), Some(parts)) = (self.model.fixed_body(), self.model.parts()) else {
            return Err(Error::CannotCache(CacheRefusal::NotTwoParts));
        };
        let mut job = Job {
            learner: self,
            body,
            parts,
            layout: None,
        };
        // Training batches are always full, and the algorithm is chosen by the shape of the batch.
        let train = job.rows(DatasetType::Fix, Some(self.data().batch_size()))?;
        let valid = match self.data().batches(DatasetType::Valid) {
            0 => Rows::default(),
            _ => job.rows(DatasetType::Valid, None)?,
        };
        let (pooled, shape) = job.layout.ok_or_else(|| {
            vision_data::Error::Data(DataError::Empty {
                part: "readable training",
                hint: "all of them were skipped, so there are no features to cache",
            })
        })?;
        Ok(FeatureCache {
            key,
            pooled,
            shape,
            train,
            valid,
        })
    }
}

/// Computes features.
struct Job<'a> {
    learner: &'a Learner,
    body: &'a InferenceBody,
    parts: &'a dyn TwoParts,
    /// Whether features are pooled, and their shape; set by the first batch.
    layout: Option<(bool, [usize; 3])>,
}

impl Job<'_> {
    /// The features of a part of the data, computed in its own batches, or in full batches of the given size.
    fn rows(&mut self, part: DatasetType, full: Option<usize>) -> Result<Rows> {
        let data = self.learner.data();
        let mut rows = Rows::default();
        for batch in data.loader(part, 0)? {
            let batch = batch?;
            guarded(data.device(), batch.len(), || {
                self.add(&mut rows, &batch, full)
            })?;
        }
        Ok(rows)
    }

    fn add(&mut self, rows: &mut Rows, batch: &Batch, full: Option<usize>) -> Result<()> {
        let data = self.learner.data();
        let images = batch.to_device(data.device(), data.stats().as_ref());
        self.learner.limits().check(&*self.learner.model, &images)?;
        rows.items.extend(&batch.indices);
        let items = batch.len();
        let size = full.unwrap_or(items);
        for start in (0..items).step_by(size) {
            let wanted = size.min(items - start);
            let slice = filled(images.clone().narrow(0, start, wanted), size);
            let features = self.features(slice)?;
            rows.values.extend(values(features.narrow(0, 0, wanted)));
        }
        Ok(())
    }

    /// The body's outputs, before or after the head's pool.
    fn features(&mut self, images: Tensor<4>) -> Result<Tensor<4>> {
        let maps = (self.body)(images);
        let item = |x: &Tensor<4>| {
            let [_, channels, height, width] = x.dims();
            [channels, height, width]
        };
        let pooled = self.parts.pool(maps.clone());
        let (use_pooled, shape) = *self.layout.get_or_insert_with(|| {
            let size = |x: &Tensor<4>| item(x).iter().product::<usize>();
            match pooled.as_ref().filter(|pooled| size(pooled) < size(&maps)) {
                Some(pooled) => (true, item(pooled)),
                None => (false, item(&maps)),
            }
        });
        let features = match pooled {
            Some(pooled) if use_pooled => pooled,
            _ => maps,
        };
        if item(&features) != shape {
            return Err(Error::Option(OptionError::new(
                "the shape of the body's outputs, which follows from the size of the images",
                "the same for all images: give the data a .size(..)",
                format!("{shape:?} and {:?}", item(&features)),
            )));
        }
        Ok(features)
    }
}

/// Fills a batch up to `size` by repeating its items.
fn filled(images: Tensor<4>, size: usize) -> Tensor<4> {
    let items = images.dims()[0];
    if items == size {
        return images;
    }
    let copies = vec![images; size.div_ceil(items)];
    Tensor::cat(copies, 0).narrow(0, 0, size)
}

/// Whether a transform always gives the same result for an image. Unknown transforms count as random.
fn is_fixed(transform: &Transform) -> bool {
    match transform {
        Transform::CropPad(CropPad { row, col }) => {
            row.low() == row.high() && col.low() == col.high()
        }
        _ => false,
    }
}

fn file_hash(path: &Path, since: SystemTime) -> Result<[u8; 32]> {
    let mut file = fs::File::open(path).map_err(io_error("read", path))?;
    // Some systems do not record this time.
    let modified = file.metadata().and_then(|m| m.modified());
    if modified.is_ok_and(|modified| modified > since) {
        let path = path.to_owned();
        return Err(Error::CannotCache(CacheRefusal::FileChanged { path }));
    }
    let mut hash = Sha256::new();
    io::copy(&mut file, &mut hash).map_err(io_error("read", path))?;
    Ok(hash.finalize().into())
}
