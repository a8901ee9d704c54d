//! The layers of a network as data: written to JSON, and built again from it.

mod build;
mod check;
mod parameters;
mod pixels;
mod read;
mod spec;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::layers::Sequential;
use spec::Children;

/// The layers of a network with all their settings, without weights: an architecture as data.
///
/// As JSON it is a list of layers with their names. [`build`](Self::build) makes the same network again,
/// whose parameters have the same names:
///
/// ```
/// use vision_models::{Arch, Description, Init, state};
/// # let device = vision_models::test_device();
/// let model = Arch::ResNet18.build(10, &mut Init::zeroed(&device));
/// let json = serde_json::to_string(&Description::of(&model))?;
///
/// let description: Description = serde_json::from_str(&json)?;
/// let shapes = state::entries(&model);
/// let shape = |name: &str| shapes.iter().find(|e| e.name == name).map(|e| e.shape.clone());
/// let again = description.build(shape, &device)?;
/// assert_eq!(state::tensors(&again).len(), 102);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The JSON may come from anywhere: sizes, counts and depth are limited, and nothing is allocated for a
/// parameter whose shape the caller does not confirm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Description(Children);

impl Description {
    /// The layers of `model`.
    pub fn of(model: &Sequential) -> Self {
        Self(read::children(model))
    }

    /// Checks sizes, counts and depth, and that each layer takes what the one before it gives, for images
    /// `[batch, 3, height, width]`; `size` is height and width, if they are known. Returns the number of
    /// outputs, if it can be known.
    ///
    /// # Errors
    ///
    /// [`Error::Description`](crate::Error::Description) with the first layer that is wrong.
    pub fn check(&self, size: Option<[usize; 2]>) -> Result<Option<usize>> {
        check::check(&self.0, size)
    }

    /// The name and the shape of each parameter and running statistic, in order.
    pub fn parameters(&self) -> Vec<(String, Vec<usize>)> {
        parameters::parameters(&self.0)
    }

    /// Builds the network on a device; all parameters are zero. `shape` returns the shape of the values that
    /// are there for a parameter's name.
    ///
    /// # Errors
    ///
    /// Those of [`check`](Self::check), and [`Error::Description`](crate::Error::Description) for a
    /// parameter of which `shape` says another shape or none. Nothing was allocated then.
    pub fn build(
        &self,
        shape: impl Fn(&str) -> Option<Vec<usize>>,
        device: &Device,
    ) -> Result<Sequential> {
        self.check(None)?;
        check::confirm(&self.parameters(), shape)?;
        Ok(build::children(&self.0, device))
    }
}
