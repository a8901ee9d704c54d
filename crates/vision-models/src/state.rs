//! The parameters and buffers of a module by name, as a PyTorch state dict lists them.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::{DType, Tensor, TensorData};

/// One parameter or buffer of a module.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Dotted path, such as `layer1.0.conv1.weight`.
    pub name: String,
    /// Burn's id of the parameter.
    pub id: ParamId,
    /// Size of each dimension.
    pub shape: Vec<usize>,
    /// Whether it is a buffer (a running statistic), which is never trained.
    pub buffer: bool,
    /// Whether it requires a gradient.
    pub trainable: bool,
    /// Type name of its module, such as `BatchNorm`.
    pub owner: String,
    /// Whether it belongs to a batch normalization: to a module of the type `BatchNorm`, of this crate or of Burn, or
    /// to one that the model declares as such.
    pub batch_norm: bool,
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

    /// Whether it belongs to a batch normalization.
    pub fn is_batch_norm(&self) -> bool {
        self.batch_norm
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

/// A source of new values: returns values for a parameter's name and shape, or `None`.
pub type Source<'a> = dyn FnMut(&str, &[usize]) -> Option<Vec<f32>> + 'a;

/// Lists parameters and buffers in the order of their declaration.
pub fn entries(module: &impl Module) -> Vec<Entry> {
    let mut visitor = EntryVisitor::default();
    module.visit(&mut visitor);
    visitor.entries
}

/// A module inside another module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// Dotted path, such as `layer1.0`.
    pub name: String,
    /// The number of [`entries`] before its first one. It may have none (a pool has no parameters).
    pub entry: usize,
}

/// Lists all modules in a module, in order and at every depth, and where their parameters begin.
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

/// Replaces the values for which `source` returns new ones.
///
/// `source` is called with the name and the shape of each parameter and buffer, in order. It must
/// return as many values as the shape has; another number is ignored like `None`. Devices, ids and
/// gradient settings do not change.
///
/// The clones of a module share its running statistics. To keep a clone unchanged, pass
/// `module.valid()` (and call `train()` on the result).
pub fn assign<M: Module>(module: M, source: &mut Source<'_>) -> M {
    module.map(&mut Assign {
        path: Path::default(),
        source,
    })
}

/// The position of a traversal.
#[derive(Default)]
pub(crate) struct Path(Vec<(String, String)>);

impl Path {
    pub(crate) fn enter(&mut self, name: &str, container: &str) {
        self.0.push((name.to_owned(), container.to_owned()));
    }

    pub(crate) fn exit(&mut self) {
        self.0.pop();
    }

    /// The variant of an enum is not part of a name: PyTorch has no such level.
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
        self.0.last().is_some_and(|(n, _)| is_buffer(n))
    }
}

/// Whether this is the name of a buffer, which training does not optimize.
fn is_buffer(name: &str) -> bool {
    name.starts_with("running_")
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
        // The last entered level is this parameter, not a module.
        self.starts.pop();
        let (buffer, owner) = (self.path.is_buffer(), self.path.owner());
        self.entries.push(Entry {
            name: self.path.name(),
            id: param.id,
            shape: param.lazy_shape().to_vec(),
            buffer,
            trainable: !buffer && param.is_require_grad(),
            batch_norm: owner == "BatchNorm",
            owner,
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

/// Copies a tensor's values to the host, in row-major order.
#[expect(clippy::expect_used, reason = "a default would be weights of nothing")]
pub fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    let data = tensor.into_data().convert_dtype(DType::F32);
    data.try_to_vec().expect("data that was converted to f32")
}

/// The buffers of a module, each flat: running statistics. The tensors share their memory with the module until
/// one of the two changes.
pub fn buffers(module: &impl Module) -> Vec<Tensor<1>> {
    let mut visitor = Buffers::default();
    module.visit(&mut visitor);
    visitor.tensors
}

/// Puts buffers back that [`buffers`] took from a module of the same structure.
pub fn restore_buffers<M: Module>(module: M, buffers: Vec<Tensor<1>>) -> M {
    module.map(&mut Restore {
        inside: Vec::new(),
        buffers: buffers.into_iter(),
    })
}

/// All parameters and buffers of a module, each flat, in the order of [`entries`], without the graph of autodiff. The
/// tensors share their memory with the module until one of the two changes.
pub fn flat(module: &impl Module) -> Vec<Tensor<1>> {
    let mut visitor = Flat::default();
    module.visit(&mut visitor);
    visitor.tensors
}

/// Replaces all parameters and buffers by tensors that [`flat`] took from a module of the same structure, or others of
/// their lengths. One of another length is left out.
pub fn put_flat<M: Module>(module: M, tensors: Vec<Tensor<1>>) -> M {
    module.map(&mut PutFlat(tensors.into_iter()))
}

#[derive(Default)]
struct Flat {
    tensors: Vec<Tensor<1>>,
}

impl ModuleVisitor for Flat {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val();
        let tensor = match tensor.device().is_autodiff() {
            true => tensor.inner(),
            false => tensor,
        };
        let len: usize = tensor.dims().iter().product();
        self.tensors.push(tensor.reshape([len]));
    }
}

struct PutFlat(std::vec::IntoIter<Tensor<1>>);

impl ModuleMapper for PutFlat {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let shape = param.lazy_shape().to_vec();
        let len: usize = shape.iter().product();
        let Some(new) = self.0.next().filter(|new| new.dims() == [len]) else {
            return param;
        };
        param.map(|old| {
            let new = new.reshape(old.dims());
            match old.device().is_autodiff() {
                true => Tensor::from_inner(new).set_require_grad(old.is_require_grad()),
                false => new,
            }
        })
    }
}

#[derive(Default)]
struct Buffers {
    /// Whether each of the modules that were entered is a buffer.
    inside: Vec<bool>,
    tensors: Vec<Tensor<1>>,
}

impl ModuleVisitor for Buffers {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.inside.push(is_buffer(name));
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.inside.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if self.inside.last() == Some(&true) {
            let tensor = param.val();
            let len: usize = tensor.dims().iter().product();
            self.tensors.push(tensor.reshape([len]));
        }
    }
}

struct Restore {
    inside: Vec<bool>,
    buffers: std::vec::IntoIter<Tensor<1>>,
}

impl ModuleMapper for Restore {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.inside.push(is_buffer(name));
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.inside.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if self.inside.last() != Some(&true) {
            return param;
        }
        match self.buffers.next() {
            Some(buffer) => param.map(|old| buffer.reshape(old.dims())),
            None => param,
        }
    }
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
