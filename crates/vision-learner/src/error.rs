use std::path::PathBuf;

use thiserror::Error;
use vision_base::message::{listed, quoted, shown};
use vision_base::{IoError, OptionError};
use vision_data::TargetKind;

use crate::features::refusal::CacheRefusal;

/// Any error of this crate.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// Reading or decoding the data failed.
    #[error(transparent)]
    Data(#[from] vision_data::Error),
    /// Building a backbone or reading its weights failed.
    #[error(transparent)]
    Models(#[from] vision_models::Error),
    /// Downloading weights, or the cache, failed.
    #[error(transparent)]
    Fetch(#[from] vision_fetch::Error),
    /// An option is outside its range.
    #[error(transparent)]
    Option(#[from] OptionError),
    /// The model has no module of the name that should begin a layer group.
    #[error(
        "split_on: the model has no module {} to begin a layer group at (or it begins two); \
         its modules are: {}", quoted(module), known.join(", ")
    )]
    Split {
        /// The module's name.
        module: String,
        /// Names of the model's modules, two levels deep.
        known: Vec<String>,
    },
    /// There is no such layer group, or freezing up to it would freeze nothing.
    #[error(
        "cannot freeze to layer group {n}: the model has {groups} layer group(s); give split_on to \
         make more of them"
    )]
    FreezeTo {
        /// The requested group.
        n: isize,
        /// The number of groups.
        groups: usize,
    },
    /// Every parameter is frozen.
    #[error("nothing to train: every parameter is frozen; call unfreeze() or freeze_to(n) first")]
    NothingTrains,
    /// Pretrained weights are not on this machine and cannot be downloaded.
    #[error(
        "cannot get the pretrained weights of {arch}: {source}. You can also pass your own file \
         (.pretrained(\"weights.pth\")), or train from random weights (.pretrained(false))"
    )]
    NoWeights {
        /// The architecture.
        arch: String,
        /// Why they are not available, with their URL and the expected location.
        source: Box<vision_fetch::Error>,
    },
    /// No pretrained weights are published for the architecture.
    #[error(
        "there are no published pretrained weights for {arch}: train from random weights (.pretrained(false)), or \
         pass your own file (.pretrained(\"weights.pth\"))"
    )]
    NotHosted {
        /// The architecture.
        arch: String,
    },
    /// The repository has the weights of another architecture.
    #[error(
        "{repository} has weights of {}, not of {expected}: {}",
        quoted(found),
        other_arch(own, known)
    )]
    HubArch {
        /// The repository.
        repository: String,
        /// The architecture of the learner.
        expected: String,
        /// The architecture of the weights, by timm's name.
        found: String,
        /// That architecture here, if there is one.
        own: Option<vision_models::Arch>,
        /// Repositories with weights of the learner's.
        known: Vec<String>,
    },
    /// The repository has no image classifier of timm.
    #[error(
        "{repository} holds {holds}. What loads from the hub is an image classifier of timm: a repository whose config.json \
         names an architecture, such as timm/resnet18.a1_in1k. If you know that the weights have the architecture's names, \
         download the file and load it (.pretrained(\"weights.pth\"))"
    )]
    HubHolds {
        /// The repository.
        repository: String,
        /// What its config.json says.
        holds: String,
    },
    /// A custom backbone ignores an option that was set.
    #[error(
        "{arch} ignores .{option}(..): its Backbone::body does not call {method} of the BodyBuilder; call that there, \
         or leave the option out{}", if *option == "pretrained" { " (.pretrained(false))" } else { "" }
    )]
    Ignored {
        /// The backbone.
        arch: String,
        /// The option.
        option: &'static str,
        /// The methods of [`BodyBuilder`](crate::BodyBuilder) that use the option.
        method: &'static str,
    },
    /// The loss became NaN or infinite.
    #[error(
        "the loss became {loss} in epoch {epoch}, batch {batch}, at a learning rate of {lr:e}: the run \
         was stopped before this step. Try a smaller learning rate, and look for images that \
         decode to unusual values"
    )]
    NotFinite {
        /// NaN or an infinity.
        loss: f64,
        /// Epoch, from 0.
        epoch: usize,
        /// Batch of the epoch, from 0.
        batch: usize,
        /// Learning rate of the last layer group.
        lr: f64,
    },
    /// A gradient became NaN or infinite.
    #[error(
        "a gradient became NaN or infinite in epoch {epoch}, batch {batch}, at a learning rate of {lr:e}, though \
         the loss is finite: the run was stopped before this step, and the learner is as it was. Try a smaller \
         learning rate, or a loss whose gradient is bounded"
    )]
    GradientNotFinite {
        /// Epoch, from 0.
        epoch: usize,
        /// Batch of the epoch, from 0.
        batch: usize,
        /// Learning rate of the last layer group.
        lr: f64,
    },
    /// The model's outputs are NaN or infinite.
    #[error(
        "the model predicts {found} for item {item} of the batch: its weights or running statistics are not finite, \
         or the image holds extreme values; load an earlier checkpoint"
    )]
    NotFinitePrediction {
        /// The item, counted from 0.
        item: usize,
        /// NaN or an infinity.
        found: f32,
    },
    /// Values to be saved are NaN or infinite.
    #[error(
        "{} was not saved: {name} holds {found}, so the model is unusable; an existing file of that name is \
         unchanged. Load an earlier checkpoint",
        shown(path)
    )]
    NotFiniteWeights {
        /// The file that would have been written.
        path: PathBuf,
        /// The parameter or statistic.
        name: String,
        /// NaN or an infinity.
        found: f32,
    },
    /// Batch normalization cannot train on batches of one.
    #[error(
        "batch size 1 cannot train a model with batch normalization: its statistics need at least \
         two images; use a batch size of 2 or more"
    )]
    BatchOfOne,
    /// The model's number of outputs differs from the data's number of classes.
    #[error("the model gives {found} outputs for {expected} classes ({}): {hint}", listed(classes.iter()))]
    Outputs {
        /// Number of classes of the data.
        expected: usize,
        /// Number of outputs of the model.
        found: usize,
        /// Names of the classes, shortened.
        classes: Vec<String>,
        /// What to change.
        hint: &'static str,
    },
    /// The outputs of the body cannot be cached.
    #[error("cache_features: {0}")]
    CannotCache(CacheRefusal),
    /// A metric expects another kind of label.
    #[error(
        "the metric {metric} is for labels that are {}, but the data's are {}: use accuracy or error_rate for one \
         class per item, accuracy_thresh or fbeta for several, mse, rmse, mae or r2_score for numbers",
        expected.describe(), found.describe()
    )]
    MetricKind {
        /// The metric.
        metric: String,
        /// The kind it expects.
        expected: TargetKind,
        /// The data's kind.
        found: TargetKind,
    },
    /// The image is too small: nothing would be left of it after the model's pools.
    #[error(
        "{arch} takes images of at least {expected}x{expected} pixels, found {}x{} (height x width): give \
         the data a .size(..), or choose another architecture", found[0], found[1]
    )]
    ImageTooSmall {
        /// The architecture.
        arch: String,
        /// Smallest side in pixels.
        expected: usize,
        /// Height and width in pixels.
        found: [usize; 2],
    },
    /// The sides of the images are no multiples of the patches that the model cuts them into.
    #[error(
        "{arch} takes images whose sides are multiples of {multiple} pixels, found {}x{} (height x width): give the data \
         a size such as .size(({}, {}))", found[0], found[1], nearest[0], nearest[1]
    )]
    ImageSides {
        /// The architecture.
        arch: String,
        /// What the sides must be multiples of, in pixels.
        multiple: usize,
        /// Height and width in pixels.
        found: [usize; 2],
        /// The nearest height and width that work.
        nearest: [usize; 2],
    },
    /// The body gives other features than its backbone says.
    #[error(
        "the body of {arch} gives {} channels of {}x{} from an image of {}x{} pixels (height x width), and the head \
         takes {expected} channels of at least 1x1: let Backbone::body return the number of channels, and \
         Backbone::min_size the smallest side",
        found[0], found[1], found[2], size[0], size[1]
    )]
    Features {
        /// The architecture.
        arch: String,
        /// The channels that [`Backbone::body`](crate::Backbone::body) returned.
        expected: usize,
        /// Channels, height and width of the features.
        found: [usize; 3],
        /// Height and width of the image, in pixels.
        size: [usize; 2],
    },
    /// The model panicked on an image: a size that is too small for its pools, or a head for other features.
    #[error(
        "the model {arch} panicked on an image of {}x{} pixels (height x width): {}. Give the data another \
         .size(..), or let Backbone::min_size return the smallest side; or mend the model's forward",
        size[0], size[1], shown(reason)
    )]
    ModelPanicked {
        /// The architecture.
        arch: String,
        /// Height and width of the image, in pixels.
        size: [usize; 2],
        /// The message of the panic.
        reason: String,
    },
    /// The device has no memory left for a batch.
    #[error(
        "{device} has no memory left for a batch of {images} images: {}. {}end other programs that use the device, or give the \
         data a smaller .batch_size(..) or .size(..). The run has ended; a resumable one (FitConfig::resumable) goes on from \
         its last saved step with the same batch size",
        shown(reason), smaller(*fits)
    )]
    OutOfMemory {
        /// The device.
        device: String,
        /// Number of images of the batch.
        images: usize,
        /// A smaller batch that was tried and fits; `None` if none was tried, or not even one image fits.
        fits: Option<usize>,
        /// What the device said.
        reason: String,
    },
    /// The device does not answer any more: its driver was reset, a kernel failed, or it was removed.
    #[error(
        "{device} is lost: {}. Start the program again, since a process cannot get a lost device back; a resumable run \
         (FitConfig::resumable) goes on from its last saved step. If it happens again, look into the system's log for \
         messages of the driver",
        shown(reason)
    )]
    DeviceLost {
        /// The device.
        device: String,
        /// What the device said.
        reason: String,
    },
    /// The model has no dropout layer.
    #[error(
        "predict_with_mc_dropout: {arch} has no dropout, so all its passes would be equal: create the learner with \
         .ps(0.5), or give your own head a dropout layer"
    )]
    NoDropout {
        /// The architecture.
        arch: String,
    },
    /// The model has no layer of the requested name.
    #[error(
        "the model has no layer {}{}; its layers are: {}", quoted(layer),
        if known.is_empty() { " (it is your own module: implement `as_layers` of Model, Body or Head to give its layers)" } else { "" },
        known.join(", ")
    )]
    NoSuchLayer {
        /// The name.
        layer: String,
        /// Names of the model's layers, two levels deep; empty if they are not known.
        known: Vec<String>,
    },
    /// The output of a layer has no height and width, so that nothing in it has a place in the image.
    #[error(
        "the layer {} gives a map of {}x{} for an image of {}x{} pixels (height x width), in which nothing has a place: \
         give the data a larger .size(..), or name an earlier layer (CamConfig::with_layer)",
        quoted(layer), found[0], found[1], size[0], size[1]
    )]
    NoSpatialMap {
        /// The name of the layer.
        layer: String,
        /// Height and width of its output.
        found: [usize; 2],
        /// Height and width of the image, in pixels.
        size: [usize; 2],
    },
    /// A fold of a cross-validation failed.
    #[error("fold {fold} of {folds} (counted from 0): {source}")]
    Fold {
        /// The fold, from 0.
        fold: usize,
        /// The number of folds.
        folds: usize,
        /// Why.
        source: Box<Error>,
    },
    /// A file cannot be read or written.
    #[error(transparent)]
    Io(#[from] IoError),
    /// The weights file does not exist.
    #[error(
        "{} does not exist; the files of weights in {} are: {}",
        shown(path), shown(folder), listed(files.iter())
    )]
    NoSuchFile {
        /// The file.
        path: PathBuf,
        /// The folder where it was expected.
        folder: PathBuf,
        /// The weights files in that folder.
        files: Vec<String>,
    },
    /// A checkpoint is damaged, or belongs to another kind of model.
    #[error(
        "checkpoint {}: {field}: expected {}, found {}; {hint}",
        shown(path),
        shown(expected),
        shown(found)
    )]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// The field that differs.
        field: String,
        /// The learner's value.
        expected: String,
        /// The file's value.
        found: String,
        /// How to fix it.
        hint: &'static str,
    },
    /// There is no metric of this name.
    #[error(
        "there is no metric {}: the names are {}", quoted(name), known.join(", ")
    )]
    NoSuchMetric {
        /// The requested name.
        name: String,
        /// The names that there are.
        known: Vec<String>,
    },
    /// Ctrl-C, or a request of the system to end, stopped a resumable fit after a step.
    #[error(
        "interrupted in epoch {epoch}, after {batches} batches; the step is saved in {}: run the same program again to \
         go on from there",
        shown(folder)
    )]
    Interrupted {
        /// The folder of the run.
        folder: PathBuf,
        /// Epoch, from 0.
        epoch: usize,
        /// Batches of the epoch that are done.
        batches: usize,
    },
    /// A resumable fit was continued with other settings.
    #[error(
        "the fit in {} cannot go on: {field} was {} and is now {}. Give it the former value; for another fit, choose \
         another folder, or move this one away",
        shown(folder),
        shown(before),
        shown(now)
    )]
    OtherFit {
        /// The folder of the fit.
        folder: PathBuf,
        /// What differs.
        field: String,
        /// Its value when the fit began.
        before: String,
        /// Its value now.
        now: String,
    },
    /// Another process works on the folder of a resumable fit.
    #[error(
        "{} belongs to a fit that is running, in process {process}: wait until it ends, end it, or choose another folder",
        shown(folder)
    )]
    RunInUse {
        /// The folder of the run.
        folder: PathBuf,
        /// The number of the process, as it wrote it down.
        process: String,
    },
    /// The files of a resumable fit are damaged.
    #[error(
        "the fit in {} cannot go on: {}. Its files are damaged, or belong to something else; move the folder away to \
         begin again",
        shown(folder),
        shown(reason)
    )]
    DamagedRun {
        /// The folder of the fit.
        folder: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The file of a deployed model does not hold what it should, or needs something else.
    #[error(
        "{}: {}: expected {}, found {}; {hint}",
        shown(path),
        shown(field),
        shown(expected),
        shown(found)
    )]
    Bundle {
        /// The file.
        path: PathBuf,
        /// The field that is wrong.
        field: String,
        /// What it should be.
        expected: String,
        /// What the file has.
        found: String,
        /// What to do.
        hint: &'static str,
    },
    /// Another process of a [data parallel](crate::Learner::data_parallel) fit has left, died, or answers no more.
    #[error(
        "rank {rank} of {ranks} is lost ({engine}): {}. The fit has ended on all ranks; a resumable one goes on from its last saved step when all are started again, with any number of them",
        shown(reason)
    )]
    LostRank {
        /// The number of the process, from 0.
        rank: usize,
        /// The number of processes.
        ranks: usize,
        /// What connected them.
        engine: String,
        /// What is known about it.
        reason: String,
    },
    /// The processes of a [data parallel](crate::Learner::data_parallel) fit do not do the same.
    #[error(
        "{} differs between the processes: {}; {hint}",
        shown(field),
        by_rank(values)
    )]
    RanksDiffer {
        /// What differs.
        field: String,
        /// Its value in each process, by rank.
        values: Vec<String>,
        /// How to fix it.
        hint: &'static str,
    },
    /// The processes of a run did not find each other.
    #[error(
        "the processes did not meet at {}: {}. Start all of them with the same address and number of processes, each with a rank of its own from 0 on",
        shown(address),
        shown(reason)
    )]
    Meeting {
        /// Where rank 0 listens.
        address: String,
        /// What happened.
        reason: String,
    },
    /// A callback returned an error, which ended the run.
    #[error("callback {name}: {source}")]
    Callback {
        /// The callback.
        name: String,
        /// Its error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    /// Whether all processes of a data parallel fit return it, so that none waits for another.
    pub(crate) fn is_of_all_ranks(&self) -> bool {
        matches!(
            self,
            Self::LostRank { .. }
                | Self::RanksDiffer { .. }
                | Self::NotFinite { .. }
                | Self::GradientNotFinite { .. }
                | Self::Interrupted { .. }
        )
    }

    /// An error of a callback.
    pub(crate) fn callback(
        name: &str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Callback {
            name: name.to_owned(),
            source: source.into(),
        }
    }
}

/// What to do if a batch of this size fits.
fn smaller(images: Option<usize>) -> String {
    images.map_or_else(String::new, |images| {
        format!("A batch of {images} fits now: give the data .batch_size({images}), ")
    })
}

/// Each value with the ranks that have it.
fn by_rank(values: &[String]) -> String {
    let mut texts: Vec<String> = Vec::new();
    for (at, value) in values.iter().enumerate() {
        if values[..at].contains(value) {
            continue;
        }
        let ranks = values.iter().enumerate().filter(|(_, own)| *own == value);
        let ranks: Vec<String> = ranks.map(|(rank, _)| rank.to_string()).collect();
        let s = if ranks.len() > 1 { "s" } else { "" };
        texts.push(format!(
            "{} on rank{s} {}",
            shown(value),
            listed(ranks.iter())
        ));
    }
    texts.join("; ")
}

fn other_arch(own: &Option<vision_models::Arch>, known: &[String]) -> String {
    let weights = match known {
        [] => "give a repository of weights for it".to_owned(),
        known => format!("give one with weights for it ({})", listed(known.iter())),
    };
    match own {
        Some(arch) => format!("{weights}, or choose the architecture {arch}"),
        None => format!("{weights}; that architecture is not among those of this library"),
    }
}

/// A result with this crate's [`enum@Error`].
pub type Result<T> = std::result::Result<T, Error>;
