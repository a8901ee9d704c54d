//! Training mode of layers that behave differently in training: batch norms and dropouts.

use burn::module::{Flag, Module, ModuleMapper, ModuleVisitor, Param};

use crate::state::Path;

/// A layer with a switch between training and inference, of this crate or of Burn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mode {
    /// Dotted path of the layer, such as `layer1.0.bn1`.
    pub name: String,
    /// Its type, such as `BatchNorm`.
    pub owner: String,
    /// Whether it is in training mode on an autodiff device: a batch norm uses the batch, a dropout
    /// drops values.
    pub training: bool,
}

/// Lists the layers that behave differently in training.
///
/// ```
/// use vision_models::{Arch, Init, mode};
/// # let device = vision_models::test_device();
/// let model = Arch::ResNet18.build(2, &mut Init::zeroed(&device));
/// let modes = mode::modes(&model);
/// assert_eq!((modes.len(), modes[0].name.as_str()), (20, "bn1"));
///
/// let model = mode::set_training(model, &mut |mode| !mode.name.starts_with("layer1."));
/// assert_eq!(mode::modes(&model).iter().filter(|mode| !mode.training).count(), 4);
/// ```
pub fn modes(module: &impl Module) -> Vec<Mode> {
    let mut visitor = ModeVisitor::default();
    module.visit(&mut visitor);
    visitor.modes
}

/// Sets whether each of these layers is in training mode on an autodiff device. Copies for
/// inference ([`Module::valid`]) and back keep the setting.
pub fn set_training<M: Module>(module: M, training: &mut dyn FnMut(&Mode) -> bool) -> M {
    module.map(&mut SetTraining {
        path: Path::default(),
        training,
    })
}

/// The layer of the flag at `path`.
fn mode(path: &Path, flag: &Param<Flag>) -> Mode {
    let name = path.name();
    let name = name.rsplit_once('.').map_or("", |(layer, _)| layer);
    Mode {
        name: name.to_owned(),
        owner: path.owner(),
        training: flag.val().is_enabled(),
    }
}

#[derive(Default)]
struct ModeVisitor {
    path: Path,
    modes: Vec<Mode>,
}

impl ModuleVisitor for ModeVisitor {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn visit_flag(&mut self, flag: &Param<Flag>) {
        self.modes.push(mode(&self.path, flag));
    }
}

struct SetTraining<'a> {
    path: Path,
    training: &'a mut dyn FnMut(&Mode) -> bool,
}

impl ModuleMapper for SetTraining<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn map_flag(&mut self, flag: Param<Flag>) -> Param<Flag> {
        let training = (self.training)(&mode(&self.path, &flag));
        flag.with_value(training)
    }
}
