//! Keeping the outputs of a frozen body, so that an epoch costs no more than the head.

use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};
use std::{fs, io};

use burn::tensor::Tensor;
use sha2::{Digest, Sha256};
use vision_base::message::shown;
use vision_base::{OptionError, console, io_error};
use vision_data::{DatasetType, Transform, device};
use vision_kernels::ops;
use vision_models::state::values;

use crate::features::file::{self, hash_values};
use crate::features::refusal::CacheRefusal;
use crate::features::{FeatureCache, Key, Rows};
use crate::learner::Learner;
use crate::model::any_model::in_body;
use crate::model::cnn::{InferenceBody, TwoParts};
use crate::{Error, Result};

/// Where kept features come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FeatureOrigin {
    /// The body computed them.
    Computed,
    /// They were in memory already.
    Kept,
    /// They were read from this file.
    File(PathBuf),
}

/// What [`Learner::cache_features`] keeps.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureReport {
    /// Training pictures.
    pub train: usize,
    /// Validation pictures.
    pub valid: usize,
    /// Channels, height and width of the features of a picture.
    pub shape: [usize; 3],
    /// Whether they are behind the head's pool, which is where they are smaller.
    pub pooled: bool,
    /// Memory that they take, in bytes: 4 a value, channels × height × width values a picture.
    pub bytes: usize,
    /// Where they come from.
    pub origin: FeatureOrigin,
    /// Wall time of the call, in seconds.
    pub seconds: f64,
}

impl Learner {
    /// Computes the outputs of the frozen body for every training and validation picture once and keeps
    /// them in memory: what follows ([`fit`](Self::fit), [`validate`](Self::validate),
    /// [`get_preds`](Self::get_preds) of [`DatasetType::Valid`]) runs the head alone, with the same results
    /// bit for bit.
    ///
    /// The body has to be fixed: frozen, its batch norms too
    /// ([`bn_freeze`](crate::LearnerBuilder::bn_freeze)), and the pictures the same in each epoch: no random
    /// transforms. What is kept is dropped as soon as it is no longer what the body would give: when the
    /// body is unfrozen or gets other weights, and with other data.
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
    /// [`Error::CannotCache`] with the condition that is not met, or whatever is wrong with the data.
    pub fn cache_features(&mut self) -> Result<FeatureReport> {
        self.cache_features_of(None)
    }

    /// [`cache_features`](Self::cache_features), which looks into a folder first and writes there what it
    /// computes: `<key>.safetensors`, where the key is a hash of the body's weights, the preprocessing and
    /// the bytes of all pictures. A file that is damaged is computed anew; the folder can be deleted at any time.
    ///
    /// # Errors
    ///
    /// As [`cache_features`](Self::cache_features), and if the folder cannot be written: the features are kept in
    /// memory then all the same, and the next fit uses them.
    pub fn cache_features_in(&mut self, folder: impl AsRef<Path>) -> Result<FeatureReport> {
        let folder = folder.as_ref();
        fs::create_dir_all(folder).map_err(|source| {
            io_error("create the folder", folder)(source)
                .with_hint("choose another one for the features")
        })?;
        self.cache_features_of(Some(folder))
    }

    /// Whether training and validation run on kept features now.
    pub fn has_cached_features(&self) -> bool {
        self.usable_features().is_some()
    }

    /// Lets go of the kept features and their memory.
    pub fn drop_features(&mut self) {
        self.features = None;
    }

    /// The kept features, if they are still what the body would give.
    pub(crate) fn usable_features(&self) -> Option<&FeatureCache> {
        // Weights and data are seen to where they change; settings of the process are not.
        let fixed = self.model.fixed_body().is_some();
        let features = self.features.as_ref().filter(|_| fixed)?;
        (features.key.setup == self.feature_setup()).then_some(features)
    }

    /// Drops the kept features unless the body is fixed and has the weights that they were computed with.
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
        // What is kept stays until there is something to put in its place.
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
            return refuse(CacheRefusal::BodyVaries {
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

    /// SHA-256 of the files of the training and the validation pictures, in order.
    fn files_hash(&self) -> Result<[u8; 32]> {
        let mut hash = Sha256::new();
        for dataset in [self.data().train_ds(), self.data().valid_ds()] {
            hash.update(format!("{} files\n", dataset.len()));
            for path in dataset.paths() {
                hash.update(file_hash(path, self.data_since)?);
            }
        }
        Ok(hash.finalize().into())
    }

    /// What else the features depend on. Batch sizes do in the last bit: a kernel is chosen by the shape.
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
                        "{}: {reason}; the features are computed anew",
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
        // In training a batch is always full, and an algorithm is chosen by the shape of the batch.
        let train = job.rows(DatasetType::Fix, Some(self.data().batch_size()))?;
        let valid = match self.data().batches(DatasetType::Valid) {
            0 => Rows::default(),
            _ => job.rows(DatasetType::Valid, None)?,
        };
        let (pooled, shape) = job.layout.unwrap_or_default();
        Ok(FeatureCache {
            key,
            pooled,
            shape,
            train,
            valid,
        })
    }
}

/// The computation of features.
struct Job<'a> {
    learner: &'a Learner,
    body: &'a InferenceBody,
    parts: &'a dyn TwoParts,
    /// Whether features are pooled, and their shape; from the first batch on.
    layout: Option<(bool, [usize; 3])>,
}

impl Job<'_> {
    /// The features of a part of the data, computed in its own batches or in full ones of a size.
    fn rows(&mut self, part: DatasetType, full: Option<usize>) -> Result<Rows> {
        let data = self.learner.data();
        let mut rows = Rows::default();
        for batch in data.loader(part, 0)? {
            let batch = batch?;
            let images = batch.to_device(data.device(), data.stats().as_ref());
            self.learner.limits().check(&images)?;
            rows.items.extend(&batch.indices);
            let items = batch.len();
            let size = full.unwrap_or(items);
            for start in (0..items).step_by(size) {
                let wanted = size.min(items - start);
                let slice = filled(images.clone().narrow(0, start, wanted), size);
                let features = self.features(slice)?;
                rows.values.extend(values(features.narrow(0, 0, wanted)));
            }
        }
        Ok(rows)
    }

    /// The body's outputs, before or behind the head's pool.
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
                "the shape of the body's outputs, which follows from the size of the pictures",
                "the same for all pictures: give the data a .size(..)",
                format!("{shape:?} and {:?}", item(&features)),
            )));
        }
        Ok(features)
    }
}

/// A batch brought to a size, by its own items again.
fn filled(images: Tensor<4>, size: usize) -> Tensor<4> {
    let items = images.dims()[0];
    if items == size {
        return images;
    }
    let copies = vec![images; size.div_ceil(items)];
    Tensor::cat(copies, 0).narrow(0, 0, size)
}

/// Whether a transform does the same to a picture each time. Unknown ones count as random.
fn is_fixed(transform: &Transform) -> bool {
    match transform {
        Transform::CropPad { row, col } => row.low() == row.high() && col.low() == col.high(),
        _ => false,
    }
}

fn file_hash(path: &Path, since: SystemTime) -> Result<[u8; 32]> {
    let mut file = fs::File::open(path).map_err(io_error("read", path))?;
    // Some systems keep no such time.
    let modified = file.metadata().and_then(|m| m.modified());
    if modified.is_ok_and(|modified| modified > since) {
        let path = path.to_owned();
        return Err(Error::CannotCache(CacheRefusal::FileChanged { path }));
    }
    let mut hash = Sha256::new();
    io::copy(&mut file, &mut hash).map_err(io_error("read", path))?;
    Ok(hash.finalize().into())
}
