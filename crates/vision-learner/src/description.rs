//! The settings of a learner in words.

use vision_data::{Preprocessing, Transform};

use crate::Learner;
use crate::bundle::machine;

impl Learner {
    /// The settings of the learner, for people: names such as `optimizer`, each with its value in words. Versions and the
    /// machine are the last.
    ///
    /// ```no_run
    /// # fn show(learner: &vision_learner::Learner) {
    /// for (name, value) in learner.describe() {
    ///     println!("{name}: {value}");
    /// }
    /// # }
    /// ```
    pub fn describe(&self) -> Vec<(&'static str, String)> {
        let (data, settings) = (self.data(), &self.settings);
        let (parameters, trainable) = self.num_params();
        let Preprocessing {
            size,
            resize_method,
            transforms,
            normalize,
            ..
        } = data.preprocessing();
        let size = match (size, resize_method) {
            (Some(size), Some(method)) => {
                let (height, width) = size.height_width();
                format!("{height} x {width}, {method:?}")
            }
            _ => "each image has its own".to_owned(),
        };
        let normalize = match normalize {
            Some(stats) => format!("mean {:?}, standard deviation {:?}", stats.mean, stats.std),
            None => "no".to_owned(),
        };
        let metrics: Vec<String> = settings.metrics.iter().map(|m| m.name()).collect();
        let callbacks = settings.callbacks.iter();
        let callbacks: Vec<String> = callbacks
            .map(|callback| match callback.settings() {
                settings if settings.is_empty() => callback.name(),
                settings => format!("{} ({settings})", callback.name()),
            })
            .collect();
        let optimizer = (settings.optimizer)();
        vec![
            ("architecture", self.arch().to_owned()),
            (
                "parameters",
                format!("{parameters}, of which {trainable} train"),
            ),
            ("layer groups", self.groups.len().to_string()),
            ("epochs trained", self.epochs_trained().to_string()),
            ("loss", format!("{:?}", settings.loss)),
            ("optimizer", format!("{optimizer:?}")),
            ("weight decay", settings.wd.to_string()),
            ("metrics", or_none(metrics)),
            ("callbacks", or_none(callbacks)),
            ("seed", settings.seed.to_string()),
            ("batch size", data.batch_size().to_string()),
            ("image size", size),
            ("normalization", normalize),
            ("transforms in training", names(&data.transforms().train)),
            ("transforms in prediction", names(&transforms)),
            (
                "transforms of batches",
                or_none(data.batch_transforms().iter().map(|t| format!("{t:?}"))),
            ),
            ("versions and machine", machine::describe(data.device())),
        ]
    }
}

fn names(transforms: &[Transform]) -> String {
    or_none(
        transforms
            .iter()
            .map(|transform| transform.name().to_owned()),
    )
}

fn or_none(values: impl IntoIterator<Item = String>) -> String {
    let values: Vec<String> = values.into_iter().collect();
    match values.is_empty() {
        true => "none".to_owned(),
        false => values.join(", "),
    }
}
