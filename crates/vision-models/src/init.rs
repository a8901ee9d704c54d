//! Initialization of parameters, drawn on the host from one seeded stream.

use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::layers::{DropPath, RandomStream};

/// Initialization of the weights of a convolution or linear layer.
///
/// `fan_in` is the number of inputs per output, `fan_out` the number of outputs per input (for a
/// kernel, times its area), as in PyTorch. Biases start at 0, except with
/// [`PyTorch`](Self::PyTorch).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum WeightInit {
    /// PyTorch's default: weights and biases from U(±1/√fan_in).
    PyTorch,
    /// N(0, √(2 / fan_in)): `kaiming_normal_`.
    KaimingNormal,
    /// N(0, √(2 / fan_out)): `kaiming_normal_` with `mode="fan_out"`.
    KaimingNormalFanOut,
    /// U(±√(6 / fan_in)): `kaiming_uniform_`.
    KaimingUniform,
    /// Normal with mean 0 and this standard deviation.
    Normal(f64),
}

/// Draws the initial parameters of a model, in the order in which its layers are built.
///
/// The values come from ChaCha8 on the host, not from the device: one seed gives the same weights on
/// every backend, and two models built side by side do not disturb each other.
///
/// ```
/// use vision_models::{Init, layers::Linear};
/// # let device = vision_models::test_device();
/// let a = Linear::new(4, 2, &mut Init::new(7, &device));
/// let b = Linear::new(4, 2, &mut Init::new(7, &device));
/// assert_eq!(a.weight.val().to_data(), b.weight.val().to_data());
/// ```
#[derive(Debug)]
pub struct Init {
    rng: Option<ChaCha8Rng>,
    device: Device,
    dropout: RandomStream,
    drop_path: f64,
}

impl Init {
    /// A stream of initial values for parameters on `device`.
    pub fn new(seed: u64, device: &Device) -> Self {
        Self {
            rng: Some(ChaCha8Rng::seed_from_u64(seed)),
            device: device.clone(),
            dropout: RandomStream::default(),
            drop_path: 0.0,
        }
    }

    /// Zeros instead of random values, for a model whose weights are loaded immediately afterwards.
    /// Drawing the 60 million values of a ResNet-152 would take most of the loading time.
    pub fn zeroed(device: &Device) -> Self {
        Self {
            rng: None,
            device: device.clone(),
            dropout: RandomStream::default(),
            drop_path: 0.0,
        }
    }

    /// Zeros instead of draws, and the same stream for dropout.
    pub fn without_draws(&self) -> Self {
        Self {
            rng: None,
            device: self.device.clone(),
            dropout: self.dropout.clone(),
            drop_path: self.drop_path,
        }
    }

    /// The device of the parameters.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The stream that the model's dropout layers draw from.
    pub fn dropout(&self) -> &RandomStream {
        &self.dropout
    }

    /// Sets the stochastic depth of ConvNeXts and vision transformers: the probability that the branch of the last block
    /// is dropped for an image in training; it rises from 0 at the first block, as timm's `drop_path_rate`. Default: 0.
    pub fn set_drop_path(&mut self, rate: f64) {
        self.drop_path = rate;
    }

    /// Stochastic depth of block `i` of `blocks`. `None` for 0.
    pub(crate) fn drop_path(&self, i: usize, blocks: usize) -> Option<DropPath> {
        let part = i as f64 / blocks.saturating_sub(1).max(1) as f64;
        DropPath::new(self.drop_path * part, &self.dropout)
    }

    /// Weights with the shape `[outputs, inputs, ..]`.
    pub fn weight<const D: usize>(
        &mut self,
        shape: [usize; D],
        start: WeightInit,
    ) -> Param<Tensor<D>> {
        let area: usize = shape[2..].iter().product();
        let (fan_in, fan_out) = ((shape[1] * area) as f64, (shape[0] * area) as f64);
        match start {
            WeightInit::PyTorch => self.uniform(shape, 1.0 / fan_in.sqrt()),
            WeightInit::KaimingNormal => self.normal(shape, (2.0 / fan_in).sqrt()),
            WeightInit::KaimingNormalFanOut => self.normal(shape, (2.0 / fan_out).sqrt()),
            WeightInit::KaimingUniform => self.uniform(shape, (6.0 / fan_in).sqrt()),
            WeightInit::Normal(std) => self.normal(shape, std),
        }
    }

    /// The bias for weights of `shape`.
    pub fn bias<const D: usize>(
        &mut self,
        shape: [usize; D],
        start: WeightInit,
    ) -> Param<Tensor<1>> {
        match start {
            WeightInit::PyTorch => {
                let fan_in: usize = shape[1..].iter().product();
                self.uniform([shape[0]], 1.0 / (fan_in as f64).sqrt())
            }
            _ => self.zeros([shape[0]]),
        }
    }

    /// Values from N(0, std²).
    pub fn normal<const D: usize>(&mut self, shape: [usize; D], std: f64) -> Param<Tensor<D>> {
        self.draw(shape, |rng| {
            // Box–Muller; 1 − u keeps the logarithm away from zero.
            let (u, v) = (1.0 - unit(rng), unit(rng));
            std * (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
        })
    }

    /// Values from U(−bound, bound).
    pub fn uniform<const D: usize>(&mut self, shape: [usize; D], bound: f64) -> Param<Tensor<D>> {
        self.draw(shape, |rng| bound * (2.0 * unit(rng) - 1.0))
    }

    /// Zeros.
    pub fn zeros<const D: usize>(&self, shape: [usize; D]) -> Param<Tensor<D>> {
        Param::from_tensor(Tensor::zeros(shape, &self.device))
    }

    /// The same value everywhere.
    pub(crate) fn full<const D: usize>(&self, shape: [usize; D], value: f64) -> Param<Tensor<D>> {
        Param::from_tensor(Tensor::full(shape, value, &self.device))
    }

    /// Ones.
    pub fn ones<const D: usize>(&self, shape: [usize; D]) -> Param<Tensor<D>> {
        Param::from_tensor(Tensor::ones(shape, &self.device))
    }

    fn draw<const D: usize>(
        &mut self,
        shape: [usize; D],
        mut value: impl FnMut(&mut ChaCha8Rng) -> f64,
    ) -> Param<Tensor<D>> {
        let len = shape.iter().product();
        let values: Vec<f32> = match &mut self.rng {
            Some(rng) => (0..len).map(|_| value(rng) as f32).collect(),
            // Zero pages from the system take no memory until they are written. Zeros made by the
            // device would be written out, and would double the peak memory of a load.
            None => vec![0.0; len],
        };
        Param::from_tensor(Tensor::from_data(
            TensorData::new(values, shape),
            &self.device,
        ))
    }
}

/// A uniform value in `[0, 1)` with 53 bits.
fn unit(rng: &mut ChaCha8Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}
