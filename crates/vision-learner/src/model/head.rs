//! The new head that replaces an architecture's own classifier.

use vision_base::OptionError;
use vision_models::Init;
use vision_models::layers::{
    AdaptiveAvgPool2d, AdaptiveConcatPool2d, BatchNorm, Dropout, Layer, Linear, RandomStream,
    Sequential,
};

use crate::{Error, Result};

/// Dropout probabilities of a head: one for the last block (the others get half of it), or one per block.
#[derive(Clone, Debug, PartialEq)]
pub enum Ps {
    /// The last block's probability; every earlier block gets half of it.
    Last(f64),
    /// The probability of each block.
    Each(Vec<f64>),
}

impl From<f64> for Ps {
    fn from(p: f64) -> Self {
        Self::Last(p)
    }
}

impl<const N: usize> From<[f64; N]> for Ps {
    fn from(ps: [f64; N]) -> Self {
        ps.to_vec().into()
    }
}

impl From<Vec<f64>> for Ps {
    fn from(ps: Vec<f64>) -> Self {
        match ps[..] {
            [one] => Self::Last(one),
            _ => Self::Each(ps),
        }
    }
}

/// The configuration of a head; [`create_head`] validates it.
#[derive(Clone, Debug, PartialEq)]
pub struct HeadConfig {
    /// Number of features after the pool: twice the body's with concatenated pooling.
    pub nf: usize,
    /// Number of classes.
    pub nc: usize,
    /// Widths of the hidden layers. Default: `[512]`.
    pub lin_ftrs: Vec<usize>,
    /// Dropout. Default: 0.5 in the last block and 0.25 in the others.
    pub ps: Ps,
    /// Pooling before the first block. Without it, the head takes one vector for each image. Default: true.
    pub pool: bool,
    /// Concatenated max and mean pooling instead of mean pooling alone. Default: true.
    pub concat_pool: bool,
    /// A batch norm (momentum 0.01) after the outputs. Default: false.
    pub bn_final: bool,
}

impl HeadConfig {
    /// fastai's default head from `nf` pooled features to `nc` classes.
    pub fn new(nf: usize, nc: usize) -> Self {
        Self {
            nf,
            nc,
            lin_ftrs: vec![512],
            ps: Ps::Last(0.5),
            pool: true,
            concat_pool: true,
            bn_final: false,
        }
    }

    /// Sets the widths of the hidden layers; an empty list makes a single block.
    #[doc(alias = "lin_ftrs")]
    pub fn with_lin_ftrs(mut self, widths: impl Into<Vec<usize>>) -> Self {
        self.lin_ftrs = widths.into();
        self
    }

    /// Sets the dropout: a number, or one per block.
    #[doc(alias = "ps")]
    pub fn with_ps(mut self, ps: impl Into<Ps>) -> Self {
        self.ps = ps.into();
        self
    }

    /// Chooses whether there is a pool.
    #[doc(alias = "pool")]
    pub fn with_pool(mut self, on: bool) -> Self {
        self.pool = on;
        self
    }

    /// Chooses the pool.
    #[doc(alias("concat_pool", "AdaptiveConcatPool2d"))]
    pub fn with_concat_pool(mut self, on: bool) -> Self {
        self.concat_pool = on;
        self
    }

    /// Adds a batch norm over the outputs.
    #[doc(alias = "bn_final")]
    pub fn with_bn_final(mut self, on: bool) -> Self {
        self.bn_final = on;
        self
    }
}

/// The name of the sizes in errors.
const SIZES: &str = "the head's sizes (features, lin_ftrs, classes)";

/// Largest number of hidden layers.
const MOST_LAYERS: usize = 1000;

/// Largest number of parameters.
const MOST_PARAMETERS: u128 = 1 << 28;

/// A head with a validated configuration, ready to be built.
#[derive(Clone, Debug, PartialEq)]
pub struct HeadPlan {
    config: HeadConfig,
    sizes: Vec<usize>,
    ps: Vec<f64>,
}

/// Validates a head: pool, flatten, then per block batch norm → dropout → linear (→ ReLU except in the
/// last).
///
/// ```
/// use vision_learner::{HeadConfig, create_head};
/// # let device = vision_models::test_device();
/// let head = create_head(HeadConfig::new(1024, 2).with_lin_ftrs([512]).with_ps(0.5))?.init(&device);
/// assert_eq!(head.len(), 9); // 1.0 pool to 1.8 linear
/// # Ok::<(), vision_learner::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::Option`] if the number of probabilities in `ps` differs from the number of blocks (fastai
/// silently drops blocks), if a probability is outside [0, 1], if a width is 0, or if the head would have more than
/// 1000 hidden layers or 268 million parameters (1 GiB; training takes four times as much).
pub fn create_head(config: HeadConfig) -> Result<HeadPlan> {
    if config.lin_ftrs.len() > MOST_LAYERS {
        let expected = format!("at most {MOST_LAYERS} hidden layers");
        return Err(OptionError::new("lin_ftrs", expected, config.lin_ftrs.len()).into());
    }
    let mut sizes = vec![config.nf];
    sizes.extend(&config.lin_ftrs);
    sizes.push(config.nc);
    let blocks = sizes.len() - 1;
    let ps = match &config.ps {
        Ps::Last(p) => {
            let mut ps = vec![p / 2.0; blocks];
            ps[blocks - 1] = *p;
            ps
        }
        Ps::Each(ps) if ps.len() == blocks => ps.clone(),
        Ps::Each(ps) => {
            return Err(Error::Option(OptionError::new(
                "ps (dropout probabilities of the head's blocks)",
                format!("one value or exactly {blocks}"),
                format!("{} values", ps.len()),
            )));
        }
    };
    if let Some(p) = ps.iter().find(|p| !(0.0..=1.0).contains(*p)) {
        return Err(Error::Option(OptionError::new(
            "ps",
            "probabilities from 0 to 1",
            p.to_string(),
        )));
    }
    if sizes.contains(&0) {
        return Err(Error::Option(OptionError::new(
            SIZES,
            "numbers above 0",
            format!("{sizes:?}"),
        )));
    }
    let parameters = parameters(&sizes);
    if parameters > MOST_PARAMETERS {
        return Err(OptionError::new(
            SIZES,
            format!("sizes of at most {MOST_PARAMETERS} parameters together, 1 GiB"),
            format!(
                "{sizes:?}, which make {parameters} parameters, {} GiB",
                parameters >> 28
            ),
        )
        .into());
    }
    Ok(HeadPlan { config, sizes, ps })
}

/// The number of parameters of the linear layers and batch norms between sizes.
fn parameters(sizes: &[usize]) -> u128 {
    let wide = |size: usize| size as u128;
    let block = |pair: &[usize]| {
        let (inputs, outputs) = (wide(pair[0]), wide(pair[1]));
        // The square of the largest number, twice, still fits.
        (inputs.saturating_mul(outputs)).saturating_add(2 * inputs + outputs)
    };
    sizes.windows(2).map(block).fold(0, u128::saturating_add)
}

impl HeadPlan {
    /// The dropout probability of each block.
    pub fn ps(&self) -> &[f64] {
        &self.ps
    }

    /// The widths from the pooled features to the classes.
    pub fn sizes(&self) -> &[usize] {
        &self.sizes
    }

    /// Builds the head on a device, with weights from seed 0.
    pub fn init(&self, device: &vision_data::Device) -> Sequential {
        self.build(&mut Init::new(0, device), &RandomStream::default())
    }

    /// Builds the head with weights drawn from `init`; its dropout draws from `dropout`.
    ///
    /// Linear weights are drawn from N(0, √(2 / inputs)), and biases are 0 (fastai's `kaiming_normal`).
    /// Batch norms start at weight 1, bias 0. Children are numbered as in fastai's checkpoints. A block
    /// whose dropout is 0 has no dropout layer.
    pub fn build(&self, init: &mut Init, dropout: &RandomStream) -> Sequential {
        let pool = if self.config.concat_pool {
            Layer::AdaptiveConcatPool2d(AdaptiveConcatPool2d)
        } else {
            Layer::AdaptiveAvgPool2d(AdaptiveAvgPool2d::new(1))
        };
        let mut layers = match self.config.pool {
            true => vec![pool, Layer::Flatten],
            false => Vec::new(),
        };
        for (i, (pair, p)) in self.sizes.windows(2).zip(&self.ps).enumerate() {
            let (inputs, outputs) = (pair[0], pair[1]);
            layers.push(Layer::BatchNorm(BatchNorm::new(inputs, init)));
            if *p > 0.0 {
                layers.push(Layer::Dropout(Dropout::new(*p, dropout)));
            }
            let linear = Linear::kaiming_normal(inputs, outputs, init);
            layers.push(Layer::Linear(linear));
            if i + 1 < self.ps.len() {
                layers.push(Layer::Relu);
            }
        }
        if self.config.bn_final {
            let bn = BatchNorm::new(self.config.nc, init).with_momentum(0.01);
            layers.push(Layer::BatchNorm(bn));
        }
        Sequential::numbered(layers)
    }
}
