//! Settings of class activation maps.

/// How the maps of a layer are weighed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum CamMethod {
    /// Grad-CAM (Selvaraju et al. 2017, <https://arxiv.org/abs/1610.02391>): each channel weighs as much as the mean of its
    /// gradient over height and width.
    #[default]
    GradCam,
    /// Grad-CAM++ (Chattopadhay et al. 2018, <https://arxiv.org/abs/1710.11063>), which shows several objects of a class
    /// better. With the values A and their gradients g of a channel, its weight is the sum over all places of
    /// α · max(g, 0), where α = g² / (2 g² + g³ · ΣA), and 0 where that denominator is 0. These are the paper's weights
    /// (equations 10 and 19) up to the factor exp(logit), which all channels have in common.
    ///
    /// The paper assumes values that are not negative, as after a ReLU. Where they are, as after a batch norm, a denominator
    /// near 0 may make a single channel dominate.
    GradCamPlusPlus,
}

/// Settings of [`Learner::grad_cam_with`](crate::Learner::grad_cam_with).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct CamConfig {
    pub(super) layer: Option<String>,
    pub(super) class: Option<String>,
    pub(super) method: CamMethod,
}

impl CamConfig {
    /// Grad-CAM of the body's output, for the predicted class.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the layer, by its name as in [`Learner::weights`](crate::Learner::weights): `0.6` is the body's child 6,
    /// `0.4.0.conv1` the first convolution of a block. An earlier layer has a finer map, and knows less of classes.
    /// Default: `0`, the body's output.
    pub fn with_layer(mut self, layer: impl Into<String>) -> Self {
        self.layer = Some(layer.into());
        self
    }

    /// Sets the class, by its name: the actual one, or any other. Default: the predicted class.
    pub fn with_class(mut self, class: impl Into<String>) -> Self {
        self.class = Some(class.into());
        self
    }

    /// Sets how channels are weighed. Default: [`CamMethod::GradCam`].
    pub fn with_method(mut self, method: CamMethod) -> Self {
        self.method = method;
        self
    }
}
