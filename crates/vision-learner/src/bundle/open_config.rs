use std::fmt;
use std::sync::Arc;

use vision_data::Device;

use crate::loss::Loss;
use crate::model::any_model::{AnyModel, plain};
use crate::model::cnn::Model;

type OnDevice = Box<dyn FnOnce(&Device) -> Box<dyn AnyModel>>;

/// What a file cannot hold, for [`Predictor::open_with`](crate::Predictor::open_with): the device, a model of
/// your own, a loss of your own. A [`Model`] converts to it.
///
/// ```no_run
/// use vision_learner::{OpenConfig, Predictor};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let device = vision_data::device::parse("cpu")?;
/// let predictor = Predictor::open_with("pets.safetensors", OpenConfig::new().with_device(device))?;
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
#[must_use]
pub struct OpenConfig {
    pub(super) device: Option<Device>,
    pub(super) model: Option<OnDevice>,
    pub(super) loss: Option<Arc<dyn Loss>>,
}

impl OpenConfig {
    /// The default device, and everything else from the file.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the device. Default: [`default_device`](vision_data::device::default_device).
    pub fn with_device(mut self, device: Device) -> Self {
        self.device = Some(device.without_autodiff());
        self
    }

    /// Sets the model whose weights the file holds, built by your code, for a model whose layers the file
    /// does not describe. Its own weights are replaced.
    pub fn with_model<M: Model>(mut self, model: M) -> Self {
        let model = model.valid();
        self.model = Some(Box::new(move |device| plain(model.to_device(device))));
        self
    }

    /// Sets the loss, for one with an activation of its own ([`Output::Own`](crate::Output::Own)).
    pub fn with_loss(mut self, loss: impl Loss + 'static) -> Self {
        self.loss = Some(Arc::new(loss));
        self
    }
}

impl<M: Model> From<M> for OpenConfig {
    fn from(model: M) -> Self {
        Self::new().with_model(model)
    }
}

impl fmt::Debug for OpenConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenConfig")
            .field("device", &self.device)
            .field("model", &self.model.is_some())
            .field("loss", &self.loss)
            .finish()
    }
}
