//! The parameters and buffers of a module by name, as a PyTorch state dict lists them.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::{DType, Tensor, TensorData};

/// One parameter or buffer of a module.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Dotted path, such as `layer1.0.conv1.weight`.
    pub name: String,
    /// Burn's identity of the parameter.
    pub id: ParamId,
    /// Size of each dimension.
    pub shape: Vec<usize>,
    /// Whether it is a buffer (a running statistic) and never trained.
    pub buffer: bool,
    /// Whether a gradient is asked for.
    pub trainable: bool,
    /// Type name of the module that holds it, such as `BatchNorm`.
    pub owner: String,
}

impl Entry {
    /// The number of values.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether it belongs to a batch normalisation, ours or Burn's own.
    pub fn is_batch_norm(&self) -> bool {
        self.owner == "BatchNorm"
    }
}

/// A parameter or buffer with its values in row-major order.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedTensor {
    /// Dotted path.
    pub name: String,
    /// Size of each dimension.
    pub shape: Vec<usize>,
    /// Row-major values.
    pub values: Vec<f32>,
}

/// Where new values come from: asked with a parameter's name and shape, it answers with values or not.
pub type Source<'a> = dyn FnMut(&str, &[usize]) -> Option<Vec<f32>> + 'a;

/// Lists parameters and buffers in the order of their declaration.
pub fn entries(module: &impl Module) -> Vec<Entry> {
    let mut visitor = EntryVisitor::default();
    module.visit(&mut visitor);
    visitor.entries
}

/// A module inside a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// Dotted path, such as `layer1.0`.
    pub name: String,
    /// The number of [`entries`] before its own, which may be none (a pool has no parameters).
    pub entry: usize,
}

/// Lists the modules of a module, in order and at every depth, and where their parameters begin.
///
/// ```
/// use vision_models::{Arch, Init, state};
/// # let device = vision_models::test_device();
/// let model = Arch::ResNet18.build(2, &mut Init::zeroed(&device));
/// let maxpool = state::starts(&model).into_iter().find(|m| m.name == "maxpool");
/// assert_eq!(maxpool.map(|m| m.entry), Some(5)); // after conv1.weight and four of bn1
/// ```
pub fn starts(module: &impl Module) -> Vec<Start> {
    let mut visitor = EntryVisitor::default();
    module.visit(&mut visitor);
    visitor.starts
}

/// Reads parameters and buffers from the device, in the order of their declaration.
pub fn tensors(module: &impl Module) -> Vec<NamedTensor> {
    let mut visitor = TensorVisitor::default();
    module.visit(&mut visitor);
    visitor.tensors
}

/// Replaces the values for which `source` gives new ones.
///
/// `source` is asked with the name and the shape of each parameter and buffer, in order, and must answer
/// with as many values as the shape holds; another number is ignored as if it had answered `None`.
/// Devices, identities and gradient settings stay as they are.
///
/// Running statistics are shared by the clones of a module; to keep a clone as it is, pass
/// `module.valid()` (and call `train()` on the result).
pub fn assign<M: Module>(module: M, source: &mut Source<'_>) -> M {
    module.map(&mut Assign {
        path: Path::default(),
        source,
    })
}

/// Where a traversal is.
#[derive(Default)]
pub(crate) struct Path(Vec<(String, String)>);

impl Path {
    pub(crate) fn enter(&mut self, name: &str, container: &str) {
        self.0.push((name.to_owned(), container.to_owned()));
    }

    pub(crate) fn exit(&mut self) {
        self.0.pop();
    }

    /// The variant of an enum is no part of a name: PyTorch has no such level.
    pub(crate) fn name(&self) -> String {
        let parts = self.0.iter().filter(|(_, c)| !c.starts_with("Enum:"));
        parts.map(|(n, _)| n.as_str()).collect::<Vec<_>>().join(".")
    }

    pub(crate) fn owner(&self) -> String {
        let container = self.0.last().map_or("", |(_, c)| c);
        container
            .strip_prefix("Struct:")
            .unwrap_or(container)
            .to_owned()
    }

    fn is_buffer(&self) -> bool {
        self.0
            .last()
            .is_some_and(|(n, _)| n.starts_with("running_"))
    }
}

#[derive(Default)]
struct EntryVisitor {
    path: Path,
    entries: Vec<Entry>,
    starts: Vec<Start>,
}

impl ModuleVisitor for EntryVisitor {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
        let (name, entry) = (self.path.name(), self.entries.len());
        self.starts.push(Start { name, entry });
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        // What was entered last is this parameter, not a module.
        self.starts.pop();
        let buffer = self.path.is_buffer();
        self.entries.push(Entry {
            name: self.path.name(),
            id: param.id,
            shape: param.lazy_shape().to_vec(),
            buffer,
            trainable: !buffer && param.is_require_grad(),
            owner: self.path.owner(),
        });
    }
}

#[derive(Default)]
struct TensorVisitor {
    path: Path,
    tensors: Vec<NamedTensor>,
}

impl ModuleVisitor for TensorVisitor {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val();
        self.tensors.push(NamedTensor {
            name: self.path.name(),
            shape: tensor.dims().to_vec(),
            values: values(tensor),
        });
    }
}

/// A tensor's values on the host, in row-major order.
#[expect(clippy::expect_used, reason = "a default would be weights of nothing")]
pub fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    let data = tensor.into_data().convert_dtype(DType::F32);
    data.try_to_vec().expect("data that was converted to f32")
}

struct Assign<'a> {
    path: Path,
    source: &'a mut Source<'a>,
}

impl ModuleMapper for Assign<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let shape = param.lazy_shape().to_vec();
        let len: usize = shape.iter().product();
        match (self.source)(&self.path.name(), &shape) {
            Some(new) if new.len() == len => param.map(|old| {
                let grad = old.is_require_grad();
                Tensor::from_data(TensorData::new(new, shape), &old.device()).set_require_grad(grad)
            }),
            _ => param,
        }
    }
}
