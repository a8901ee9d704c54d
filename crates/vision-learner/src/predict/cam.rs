//! Class activation maps by gradients.

use burn::module::Module as _;
use burn::tensor::Tensor;
use vision_base::OptionError;
use vision_data::Image;
use vision_models::layers::{Layer, Sequential};
use vision_models::state::values;

use crate::learner::Learner;
use crate::metrics::argmax;
use crate::model::any_model::AnyModel;
use crate::predict::cam_config::{CamConfig, CamMethod};
use crate::predict::cores;
use crate::predict::embed::no_such_layer;
use crate::predict::heatmap::{Heatmap, position};
use crate::predict::predictor::{Inner, Predictor};
use crate::train::limits::check_outputs;
use crate::{Error, Result};

/// The body of a model of two parts.
const BODY: &str = "0";

impl Learner {
    /// Which places of an image speak for the class that the model predicts: Grad-CAM (Selvaraju et al. 2017,
    /// <https://arxiv.org/abs/1610.02391>) of the body's output, as fastai's `GradCAM`.
    ///
    /// The model runs as in inference and does not change. The channels of the body's output are added, each with the mean of
    /// the gradient of the class's logit (before softmax) as its weight; what is below 0 becomes 0. The map has the size of
    /// the body's output, for example 7 x 7 for a ResNet and images of 224 pixels.
    ///
    /// ```no_run
    /// use vision_data::Image;
    /// # fn explain(learner: &vision_learner::Learner) -> vision_learner::Result<()> {
    /// let map = learner.grad_cam(&Image::open("rose.jpg")?)?;
    /// println!("{:?}: {} x {} values", map.class(), map.height(), map.width());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`grad_cam_with`](Self::grad_cam_with).
    #[doc(alias("GradCAM", "heatmap"))]
    pub fn grad_cam(&self, image: &Image) -> Result<Heatmap> {
        self.grad_cam_with(image, &CamConfig::new())
    }

    /// [`grad_cam`](Self::grad_cam) with settings: another class, any layer, Grad-CAM++.
    ///
    /// # Errors
    ///
    /// [`Error::NoSpatialMap`] if the layer's output is a single place, [`Error::NoSuchLayer`] with the names of the layers,
    /// [`Error::Option`] for an unknown class, if the labels are numbers, or without a layer if the model is not made of a body
    /// and a head; and those of [`predict`](Self::predict).
    pub fn grad_cam_with(&self, image: &Image, config: &CamConfig) -> Result<Heatmap> {
        self.predictor().0.grad_cam(image, config)
    }
}

impl Predictor {
    /// As [`Learner::grad_cam`].
    ///
    /// ```no_run
    /// # fn main() -> vision_learner::Result<()> {
    /// let predictor = vision_learner::Predictor::open("pets.safetensors")?;
    /// let map = predictor.grad_cam(&predictor.open_image("rose.jpg")?)?;
    /// println!("{:?}: {} x {} values", map.class(), map.height(), map.width());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Learner::grad_cam_with`].
    #[doc(alias("GradCAM", "heatmap"))]
    pub fn grad_cam(&self, image: &Image) -> Result<Heatmap> {
        self.grad_cam_with(image, &CamConfig::new())
    }

    /// As [`Learner::grad_cam_with`].
    ///
    /// # Errors
    ///
    /// As [`Learner::grad_cam_with`].
    pub fn grad_cam_with(&self, image: &Image, config: &CamConfig) -> Result<Heatmap> {
        cores::share(|| self.0.grad_cam(image, config))
    }
}

impl Inner {
    fn grad_cam(&self, image: &Image, config: &CamConfig) -> Result<Heatmap> {
        let class = position(self.kind, &self.classes, config.class.as_deref())?;
        let mut model = self.model.snapshot();
        let all = model.entries().iter().map(|e| e.id).collect();
        model.set_trainable(all, false);
        model.set_training(&mut |_| false);
        let images = self.preprocessor.prepare(image)?;
        self.limits().check(&*model, &images)?;
        let [_, _, height, width] = images.dims();

        let layer = config.layer.as_deref();
        let (maps, logits) = tapped(&*model, layer, images)?;
        let [_, _, rows, columns] = maps.dims();
        let layer = layer.unwrap_or(BODY);
        if rows * columns <= 1 {
            return Err(Error::NoSpatialMap {
                layer: layer.to_owned(),
                found: [rows, columns],
                size: [height, width],
            });
        }
        check_outputs(&logits, self.outputs, &self.classes)?;
        let predictions = self.activated(logits.clone().inner())?;
        let class = class.unwrap_or_else(|| argmax(&predictions));
        let logit = logits.narrow(1, class, 1);
        // A head of one's own may have a logit that does not depend on the layer.
        let backward = || maps.grad(&logit.clone().sum().backward());
        let found = match logit.is_tracked().then(backward).flatten() {
            Some(gradients) => {
                let (maps, gradients) = (values(maps.inner()), values(gradients));
                weighed(config.method, &maps, &gradients, rows * columns)
            }
            None => vec![0.0; rows * columns],
        };
        let map = Heatmap::new(found, [rows, columns])?;
        Ok(map.of(&self.classes[class], predictions[class], Some(layer)))
    }
}

/// The output of a layer, as a tensor that requires gradients, and the logits that the model computes from it.
fn tapped(
    model: &dyn AnyModel,
    layer: Option<&str>,
    images: Tensor<4>,
) -> Result<(Tensor<4>, Tensor<2>)> {
    let parts = model.parts().filter(|_| layer.is_none_or(|l| l == BODY));
    if let Some(parts) = parts {
        let maps = Tensor::from_inner(parts.body()(images)).require_grad();
        return Ok((maps.clone(), parts.head(maps)));
    }
    if layer.is_none_or(|layer| layer == BODY)
        && let Some((body, head)) = two_parts(model)
    {
        let maps = Tensor::from_inner(body.valid().forward(images)).require_grad();
        return Ok((maps.clone(), head.forward(maps).flatten(1, 3)));
    }
    let Some(layer) = layer else {
        let expected =
            "the name of a layer (CamConfig::with_layer), since the model has no body and head";
        return Err(OptionError::new("layer", expected, "none").into());
    };
    let none = || no_such_layer(model, layer);
    let layers = model.as_layers().ok_or_else(none)?;
    let mut maps = None;
    let logits = layers.forward_replacing(layer, Tensor::from_inner(images), |y| {
        let y = y.detach().require_grad();
        maps = Some(y.clone());
        y
    });
    match (maps, logits) {
        (Some(maps), Some(logits)) => Ok((maps, logits.flatten(1, 3))),
        _ => Err(none()),
    }
}

/// Body and head of a model that was opened from a file, where they are layers.
fn two_parts(model: &dyn AnyModel) -> Option<(Sequential, Sequential)> {
    let layers = model.as_layers()?;
    let is_two_parts = layers.names().eq([BODY, "1"]);
    let mut parts = layers.into_layers().into_iter();
    match (parts.next()?, parts.next()?) {
        (Layer::Sequential(body), Layer::Sequential(head)) if is_two_parts => Some((body, head)),
        _ => None,
    }
}

/// The sum over the channels of maps `[channels, plane]`, each with its weight; what is below 0 becomes 0.
fn weighed(method: CamMethod, maps: &[f32], gradients: &[f32], plane: usize) -> Vec<f32> {
    let mut sums = vec![0.0_f64; plane];
    for (map, gradient) in maps.chunks(plane).zip(gradients.chunks(plane)) {
        let gradient = gradient.iter().map(|g| f64::from(*g));
        let weight = match method {
            CamMethod::GradCam => gradient.sum::<f64>() / plane as f64,
            CamMethod::GradCamPlusPlus => {
                let total: f64 = map.iter().map(|value| f64::from(*value)).sum();
                gradient.map(|g| plus_plus(g, total)).sum()
            }
        };
        for (sum, value) in sums.iter_mut().zip(map) {
            *sum += weight * f64::from(*value);
        }
    }
    sums.into_iter().map(|sum| sum.max(0.0) as f32).collect()
}

/// What a place with gradient `g` adds to the weight of a channel whose values have the sum `total`.
fn plus_plus(g: f64, total: f64) -> f64 {
    let square = g * g;
    let denominator = 2.0 * square + square * g * total;
    if denominator == 0.0 {
        return 0.0;
    }
    square / denominator * g.max(0.0)
}
