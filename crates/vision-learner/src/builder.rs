//! Builders of learners.

use std::path::PathBuf;
use std::sync::Arc;

use vision_base::OptionError;
use vision_base::message::shown;
use vision_data::ImageDataBunch;
use vision_fetch::Options;
use vision_models::layers::{RandomStream, Sequential};
use vision_models::mode::{self, Mode};
use vision_models::state::Start;
use vision_models::{Cut, Init};

use crate::Result;
use crate::learner::Learner;
use crate::loss::{self, Loss};
use crate::metrics::Metric;
use crate::model::any_model::boxed;
use crate::model::body::{self, Backbone};
use crate::model::cnn::{Cnn, Head, Model};
use crate::model::head::{HeadConfig, Ps, create_head};
use crate::model::pretrained::{Pretrained, Source};
use crate::model::sides::Sides;
use crate::optim::lr::WeightDecay;
use crate::optim::{Adam, Optimizer, groups};
use crate::settings::{BnFreeze, Parts, Settings, SplitOn};
use crate::train::callback::Callback;
use crate::train::limits::with_defaults;
use crate::train::precision::Precision;

/// Creates the model once all options are known.
pub(crate) trait Plan {
    fn make(self, data: &ImageDataBunch, init: &mut Init, dropout: &RandomStream) -> Result<Parts>;
}

/// Builder of a [`Learner`], created by [`create_cnn`], [`load_classifier`](crate::load_classifier) or
/// [`Learner::builder`].
pub struct LearnerBuilder<P> {
    plan: P,
    settings: Settings,
}

impl<P> LearnerBuilder<P> {
    pub(crate) fn new(data: ImageDataBunch, plan: P) -> Self {
        let settings = Settings {
            metrics: Vec::new(),
            callbacks: Vec::new(),
            loss: loss::for_data(&data),
            optimizer: Box::new(|| Box::new(Adam::default())),
            wd: 1e-2.into(),
            true_wd: true,
            bn_wd: true,
            train_bn: true,
            bn_freeze: BnFreeze::Off,
            path: data.path().to_owned(),
            model_dir: PathBuf::from("models"),
            silent: false,
            seed: data.seed(),
            precision: Precision::F32,
            split_on: None,
            data,
        };
        Self { plan, settings }
    }

    /// Adds metrics, computed over the validation set after each epoch. Default: none.
    pub fn metrics<M: Metric + 'static>(mut self, metrics: impl IntoIterator<Item = M>) -> Self {
        let boxed = metrics.into_iter().map(|m| Box::new(m) as Box<dyn Metric>);
        self.settings.metrics.extend(boxed);
        self
    }

    /// Adds a callback to every fit.
    #[doc(alias = "callback_fns")]
    pub fn callback(mut self, callback: impl Callback + 'static) -> Self {
        self.settings.callbacks.push(Box::new(callback));
        self
    }

    /// Sets the loss (`loss_func`). The default depends on the labels:
    /// [`CrossEntropy`](crate::CrossEntropy) for one class per item,
    /// [`BinaryCrossEntropy`](crate::BinaryCrossEntropy) for several classes per item, and
    /// [`MeanSquaredError`](crate::MeanSquaredError) for numbers. It uses the data's class weights.
    #[doc(alias = "loss_func")]
    pub fn loss(mut self, loss: impl Loss + 'static) -> Self {
        self.settings.loss = Arc::new(loss);
        self
    }

    /// Sets the optimizer (`opt_func`). Default: [`Adam`] with betas 0.9 and 0.99.
    #[doc(alias = "opt_func")]
    pub fn optimizer(mut self, rule: impl Optimizer + Clone + 'static) -> Self {
        self.settings.optimizer = Box::new(move || Box::new(rule.clone()));
        self
    }

    /// Sets the weight decay: one value for all layer groups, or one per group. Default: 0.01.
    pub fn wd(mut self, wd: impl Into<WeightDecay>) -> Self {
        self.settings.wd = wd.into();
        self
    }

    /// Chooses decoupled weight decay (true, the default) or an L2 term in the gradient.
    pub fn true_wd(mut self, on: bool) -> Self {
        self.settings.true_wd = on;
        self
    }

    /// Applies weight decay to batch norms and biases too. Default: true, as in fastai.
    pub fn bn_wd(mut self, on: bool) -> Self {
        self.settings.bn_wd = on;
        self
    }

    /// Keeps training the batch norms of frozen groups. Default: true, as in fastai. Their running
    /// statistics are updated either way; [`bn_freeze`](Self::bn_freeze) stops that too.
    pub fn train_bn(mut self, on: bool) -> Self {
        self.settings.train_bn = on;
        self
    }

    /// Keeps batch norms in evaluation mode: their parameters and statistics do not change, whatever
    /// `train_bn` is set to. `true` means those of frozen groups, the same as fastai's `train_bn=False`
    /// with its `BnFreeze` callback; [`BnFreeze::Body`] those of the whole body, also once it is
    /// unfrozen. Default: false.
    ///
    /// The statistics of a small batch are noisy, and replace those that a pretrained body has learned.
    /// With few images and small batches, compare with [`BnFreeze::Body`].
    ///
    /// A fully frozen body then costs no more in a training step than in inference, and
    /// [`Learner::cache_features`] can cache its outputs.
    #[doc(alias = "BnFreeze")]
    pub fn bn_freeze(mut self, which: impl Into<BnFreeze>) -> Self {
        self.settings.bn_freeze = which.into();
        self
    }

    /// Sets the base folder that contains `model_dir`. Default: the data's folder.
    pub fn path(mut self, path: impl Into<PathBuf>) -> Self {
        self.settings.path = path.into();
        self
    }

    /// Sets the folder of saved models: absolute, or relative to the base folder. Default: `models`.
    pub fn model_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.settings.model_dir = dir.into();
        self
    }

    /// Turns off the table, the progress bar and warnings. Default: false.
    pub fn silent(mut self, silent: bool) -> Self {
        self.settings.silent = silent;
        self
    }

    /// Sets the seed of initial weights, dropout, and the order of training images. Default: the data's
    /// seed. Runs with the same seed on the CPU are identical bit for bit.
    pub fn seed(mut self, seed: u64) -> Self {
        self.settings.seed = seed;
        self.settings.data = self.settings.data.with_seed(seed);
        self
    }

    /// Sets the precision of training and of validation after each epoch. Default: 32 bits. Predictions have 32 bits.
    ///
    /// [`build`](Self::build) refuses 16 bits where the device does not have them, and on the CPU, where they gain
    /// nothing.
    #[doc(alias("to_fp16", "to_bf16"))]
    pub fn precision(mut self, precision: Precision) -> Self {
        self.settings.precision = precision;
        self
    }

    /// Sets the modules at which the second and later layer groups begin, such as `["0.6", "1"]`.
    /// Default: the architecture's own.
    pub fn split_on<S: Into<String>>(mut self, modules: impl IntoIterator<Item = S>) -> Self {
        let modules = modules.into_iter().map(Into::into);
        self.settings.split_on = Some(SplitOn::Modules(modules.collect()));
        self
    }

    /// Makes a layer group of each child of the body that has weights, and one of the head, for
    /// [layer-wise decay](crate::layer_decay) of the learning rate. A batch norm belongs to the child before it.
    pub fn split_children(mut self) -> Self {
        self.settings.split_on = Some(SplitOn::Children);
        self
    }
}

// `Plan` is how the crate builds models; users reach it by the functions that make a builder.
#[allow(private_bounds)]
impl<P: Plan> LearnerBuilder<P> {
    /// Builds the model and the learner. With pretrained weights, everything except the head is frozen.
    ///
    /// # Errors
    ///
    /// Any invalid setting, detected before any work begins: see [`Error`](crate::Error).
    pub fn build(self) -> Result<Learner> {
        let mut settings = self.settings;
        settings.check_kinds()?;
        settings.precision.check(settings.data.device())?;
        let mut init = Init::new(settings.seed, settings.data.device());
        let dropout = init.dropout().clone();
        let parts = self.plan.make(&settings.data, &mut init, &dropout)?;
        settings.data = with_defaults(settings.data, parts.images.as_ref())?;
        let split = match settings.split_on.take() {
            Some(SplitOn::Modules(modules)) => modules,
            Some(SplitOn::Children) => {
                groups::children(&parts.model.entries(), &parts.model.starts())
            }
            None => present(&parts.split, &parts.model.starts()),
        };
        Learner::assemble(settings, parts, &split, dropout)
    }
}

impl<P> std::fmt::Debug for LearnerBuilder<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LearnerBuilder")
            .field("path", &self.settings.path)
            .field("seed", &self.settings.seed)
            .finish_non_exhaustive()
    }
}

/// The architecture's own layer-group starts, as far as a shorter body still has them.
fn present(split: &[String], modules: &[Start]) -> Vec<String> {
    let has = |module: &&String| modules.iter().any(|start| start.name == **module);
    split.iter().filter(has).cloned().collect()
}

/// Builder state for a custom model, as fastai's `Learner(data, model)`.
#[derive(Debug)]
pub struct ModelPlan<M>(pub(crate) M);

impl<M: Model> Plan for ModelPlan<M> {
    fn make(self, _: &ImageDataBunch, _: &mut Init, _: &RandomStream) -> Result<Parts> {
        let name = std::any::type_name::<M>().rsplit("::").next();
        Ok(Parts {
            name: name.unwrap_or_default().to_owned(),
            model: boxed(self.0),
            split: Vec::new(),
            sides: Sides::ANY,
            freeze: false,
            features: None,
            random_body: false,
            warnings: Vec::new(),
            report: None,
            images: None,
            note: None,
        })
    }
}

impl Learner {
    /// Builds a learner around a custom model. It has one layer group unless
    /// [`split_on`](LearnerBuilder::split_on) is set. The model is moved to the autodiff version of its
    /// device, which must be the data's device.
    pub fn builder<M: Model>(data: ImageDataBunch, model: M) -> LearnerBuilder<ModelPlan<M>> {
        LearnerBuilder::new(data, ModelPlan(model))
    }
}

/// Builder state for a backbone with a classifier: what [`create_cnn`] adds to a learner's settings.
#[derive(Debug)]
pub struct CnnPlan<A, H = Sequential> {
    backbone: A,
    cut: Cut,
    weights: Source,
    lin_ftrs: Vec<usize>,
    ps: Ps,
    concat_pool: bool,
    drop_path: f64,
    bn_final: bool,
    custom_head: Option<H>,
}

/// Creates a classifier for the classes of `data`: the pretrained body of `arch`, cut before its
/// classifier, and a new head. Same as fastai's `cnn_learner`, under its original name.
///
/// The weights listed for the architecture, torchvision's or timm's, are downloaded into the cache the first time.
/// [`pretrained`](LearnerBuilder::pretrained) selects other weights or none. A pretrained body starts
/// frozen.
///
/// ```no_run
/// use vision_data::ImageDataBunch;
/// use vision_learner::{accuracy, create_cnn};
/// use vision_models::Arch;
///
/// let data = ImageDataBunch::from_folder("mnist_sample").build()?;
/// let mut learner = create_cnn(data, Arch::ResNet18).metrics([accuracy()]).build()?;
/// learner.fit_one_cycle(1, 1e-3)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias("cnn_learner", "vision_learner"))]
pub fn create_cnn<A: Backbone>(data: ImageDataBunch, arch: A) -> LearnerBuilder<CnnPlan<A>> {
    let plan = CnnPlan {
        backbone: arch,
        cut: Cut::Default,
        weights: Source::default(),
        lin_ftrs: vec![512],
        ps: Ps::Last(0.5),
        concat_pool: true,
        drop_path: 0.0,
        bn_final: false,
        custom_head: None,
    };
    LearnerBuilder::new(data, plan)
}

impl<A, H> LearnerBuilder<CnnPlan<A, H>> {
    /// Sets where the body ends: a child index (negative counts from the end) or a function. Default:
    /// the architecture's own cut.
    pub fn cut(mut self, cut: impl Into<Cut>) -> Self {
        self.plan.cut = cut.into();
        self
    }

    /// Sets the weights: `true` (those listed for the architecture, the default), `false` (random), a file, a URL, or a repository of
    /// Hugging Face's hub ([`Hub`](vision_fetch::hub::Hub), or `"hub:timm/resnet18.a1_in1k"`).
    ///
    /// Weights of the hub bring their preprocessing: the data is normalized and resized so if it has no `normalize` and no
    /// `size`, and a warning says in what it differs otherwise.
    ///
    /// Remote weights are downloaded into the cache the first time and verified. A body with
    /// pretrained weights starts frozen. One with random weights does not, since a frozen random body
    /// cannot learn.
    pub fn pretrained(mut self, pretrained: impl Into<Pretrained>) -> Self {
        self.plan.weights.pretrained = pretrained.into();
        self
    }

    /// Sets the folder of downloaded weights. Default: `weights` in the cache
    /// ([`cache::weights_dir`](vision_fetch::cache::weights_dir)), and for those of the hub the cache of its own tools.
    pub fn weights_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.plan.weights.dir = Some(folder.into());
        self
    }

    /// Sets the download options: a mirror, no progress bar, or offline
    /// (`Options::new().with_offline(true)`). The environment variable `VISION_OFFLINE` turns downloads
    /// off for the whole program.
    pub fn download(mut self, options: Options) -> Self {
        self.plan.weights.options = options;
        self
    }

    /// Sets the stochastic depth of a ConvNeXt or a vision transformer: the probability that the branch of the last block is
    /// dropped for an image in training; it rises from 0 at the first block. Default: 0.
    #[doc(alias = "drop_path_rate")]
    pub fn drop_path(mut self, rate: f64) -> Self {
        self.plan.drop_path = rate;
        self
    }

    /// Sets the widths of the head's hidden layers. Default: `[512]`.
    pub fn lin_ftrs(mut self, widths: impl Into<Vec<usize>>) -> Self {
        self.plan.lin_ftrs = widths.into();
        self
    }

    /// Sets the head's dropout: one probability, or one per block. Default: 0.5.
    pub fn ps(mut self, ps: impl Into<Ps>) -> Self {
        self.plan.ps = ps.into();
        self
    }

    /// Chooses concatenated max and mean pooling (true, the default) or mean pooling alone.
    pub fn concat_pool(mut self, on: bool) -> Self {
        self.plan.concat_pool = on;
        self
    }

    /// Adds a batch norm after the outputs. Default: false.
    pub fn bn_final(mut self, on: bool) -> Self {
        self.plan.bn_final = on;
        self
    }

    /// Replaces the head by a custom one. Its weights are used unchanged.
    pub fn custom_head<H2: Head>(self, head: H2) -> LearnerBuilder<CnnPlan<A, H2>> {
        let plan = CnnPlan {
            backbone: self.plan.backbone,
            cut: self.plan.cut,
            weights: self.plan.weights,
            lin_ftrs: self.plan.lin_ftrs,
            ps: self.plan.ps,
            concat_pool: self.plan.concat_pool,
            drop_path: self.plan.drop_path,
            bn_final: self.plan.bn_final,
            custom_head: Some(head),
        };
        LearnerBuilder {
            plan,
            settings: self.settings,
        }
    }
}

impl<A: Backbone, H: Head> Plan for CnnPlan<A, H> {
    fn make(self, data: &ImageDataBunch, init: &mut Init, dropout: &RandomStream) -> Result<Parts> {
        // Check the head before reading weights, so that an invalid setting fails fast.
        let pooled = |features: usize, maps: bool| {
            if maps && self.concat_pool {
                features.saturating_mul(2)
            } else {
                features
            }
        };
        let config = HeadConfig {
            nf: 1,
            nc: data.c(),
            lin_ftrs: self.lin_ftrs,
            ps: self.ps,
            pool: true,
            concat_pool: self.concat_pool,
            bn_final: self.bn_final,
        };
        create_head(config.clone())?;
        let rate = self.drop_path;
        if !(0.0..1.0).contains(&rate) {
            let expected = "a probability from 0 to below 1";
            return Err(OptionError::new("drop_path", expected, rate.to_string()).into());
        }
        init.set_drop_path(rate);
        let built = body::build(&self.backbone, &self.weights, &self.cut, init)?;
        let drops = |mode: &Mode| mode.owner == "DropPath";
        if rate > 0.0 && !mode::modes(&built.body).iter().any(drops) {
            let expected = format!("0, since {} has no stochastic depth", self.backbone.name());
            return Err(OptionError::new("drop_path", expected, rate.to_string()).into());
        }
        let (body, report) = (built.body, built.report);
        // A custom head may take whatever the body gives.
        let features = self.custom_head.is_none().then_some(built.features);
        let model = match self.custom_head {
            Some(head) => boxed(Cnn { body, head }),
            None => {
                let (nf, pool) = (pooled(built.features, built.maps), built.maps);
                let config = HeadConfig { nf, pool, ..config };
                let head = create_head(config)?.build(init, dropout);
                boxed(Cnn { body, head })
            }
        };
        let mut warnings = Vec::new();
        if let Some(report) = report.as_ref().filter(|report| !report.folded.is_empty()) {
            warnings.push(format!(
                "{}: {} batch norms were folded into convolutions when it was exported. Predictions do not change, \
                 but training starts from a network without their scales and statistics: export it unfolded instead \
                 (torch.onnx.export(.., do_constant_folding=False, \
                 training=TrainingMode.PRESERVE))",
                shown(&report.file),
                report.folded.len()
            ));
        }
        let hub = built.hub.as_ref();
        let images = hub.map(|hub| hub.images);
        let warning = hub.and_then(|hub| hub.warning(data));
        // What the data does not say is said by the weights.
        let is_open = images.is_none_or(|images| images.stats.is_none());
        if built.pretrained && data.stats().is_none() && is_open {
            let warning = match &self.weights.pretrained {
                Pretrained::ImageNet => {
                    "the pretrained weights expect pixels normalized with the mean and standard deviation of \
                     ImageNet; add .normalize(Stats::IMAGENET) to the data"
                }
                _ => {
                    "the data is not normalized; if the pretrained weights were trained with normalized pixels, add \
                     .normalize(..) with the same statistics to the data, mostly .normalize(Stats::IMAGENET)"
                }
            };
            warnings.push(warning.to_owned());
        }
        warnings.extend(warning);
        Ok(Parts {
            model,
            name: self.backbone.name(),
            split: self.backbone.split(),
            sides: Sides {
                least: self.backbone.min_size(),
                multiple: self.backbone.size_multiple(),
            },
            freeze: built.pretrained,
            features,
            random_body: !built.pretrained,
            warnings,
            report,
            images,
            note: match &self.weights.pretrained {
                Pretrained::ImageNet => Some(format!("pretrained weights: {}", built.origin)),
                _ => None,
            },
        })
    }
}
