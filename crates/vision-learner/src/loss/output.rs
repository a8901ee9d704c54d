//! What turns the outputs of a model into predictions.

use std::borrow::Cow;
use std::fmt;

use burn::tensor::Tensor;
use burn::tensor::activation::{sigmoid, softmax};
use serde::{Deserialize, Serialize};
use vision_base::message::quoted;

/// The activation that turns outputs into predictions, by name, so that a file can say it:
/// [`Loss::output`](crate::Loss::output).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Output {
    /// The softmax over the outputs: probabilities of classes of which an item has one.
    Softmax,
    /// The sigmoid of each output: probabilities of classes of which an item has any number.
    Sigmoid,
    /// The outputs themselves: numbers.
    Identity,
    /// An activation of your own, under a name of your own. A program that opens an exported model needs
    /// the loss: [`OpenConfig::with_loss`](crate::OpenConfig::with_loss).
    Own(Cow<'static, str>),
}

impl Output {
    /// Applies it to outputs `[batch, outputs]`. [`Own`](Self::Own) returns them as they are: only the loss
    /// knows it.
    pub(crate) fn apply(&self, outputs: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Softmax => softmax(outputs, 1),
            Self::Sigmoid => sigmoid(outputs),
            Self::Identity | Self::Own(_) => outputs,
        }
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Softmax => f.write_str("softmax"),
            Self::Sigmoid => f.write_str("sigmoid"),
            Self::Identity => f.write_str("none"),
            Self::Own(name) => write!(f, "one of its own ({})", quoted(name)),
        }
    }
}
