//! Reads the pickles inside a PyTorch file without calling anything.
//!
//! A pickle is a program that builds objects. This reader builds a description of them: a function
//! call is recorded with its name and arguments, and never executed. Values are stored in one list
//! and refer to each other by index, so no value is copied, and cycles do no harm.

use std::collections::HashMap;
use std::io::{self, BufRead, Read};
use std::path::Path;
use std::sync::Arc;

use super::view::{Element, View};
use crate::weights::contents::{bad, read_error};
use crate::{Error, Result};

/// The maximum over all pickles of a file. A state dict takes about 40 operations and 250 bytes per
/// tensor.
const MAX_OPERATIONS: usize = 1_000_000;
const MAX_BYTES: u64 = 64 << 20;
/// The maximum length of a text argument.
const MAX_LINE: u64 = 1 << 16;
/// The maximum number of dimensions of a tensor.
const MAX_RANK: usize = 64;

/// An index into [`Pickle::nodes`].
pub(super) type Id = usize;

/// A value.
pub(super) enum Node {
    /// A mark on the stack, or a value without relevant parts: `None`, floats, bytes.
    Nothing,
    Int(i64),
    Text(Arc<str>),
    /// `module.name`
    Class(Arc<str>),
    /// A list, tuple or set.
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Storage(Storage),
    Tensor(View),
    Object(Object),
}

/// The result that a function or class would have produced.
pub(super) struct Object {
    pub(super) class: Arc<str>,
    pub(super) arguments: Vec<Id>,
    /// Its attributes, usually a dict.
    pub(super) state: Option<Id>,
    /// Appended items, if it is a kind of list or set.
    pub(super) items: Vec<Id>,
    /// Inserted pairs, if it is a kind of dict.
    pub(super) pairs: Vec<(Id, Id)>,
}

/// A storage: values outside of the pickle.
#[derive(Clone)]
pub(super) struct Storage {
    pub(super) key: Arc<str>,
    /// Unknown for an untyped storage.
    pub(super) element: Option<Element>,
    /// The number of elements, or of bytes if untyped.
    pub(super) len: u64,
    /// The offset in elements, if it is a part of the storage with that key.
    pub(super) start: u64,
}

/// What the persistent identifiers of a pickle refer to.
pub(super) enum Outside {
    Storages,
    /// In TAR files: the tensors, by identifier.
    Tensors(HashMap<String, View>),
}

/// The budget for all pickles of a file, and the values they have built.
pub(super) struct Pickle<'a> {
    path: &'a Path,
    operations: usize,
    bytes: u64,
    pub(super) nodes: Vec<Node>,
    pub(super) outside: Outside,
    /// The storages that were referenced, with their lengths.
    pub(super) storages: HashMap<Arc<str>, Storage>,
}

impl<'a> Pickle<'a> {
    pub(super) fn new(path: &'a Path) -> Self {
        Self {
            path,
            operations: MAX_OPERATIONS,
            bytes: MAX_BYTES,
            nodes: Vec::new(),
            outside: Outside::Storages,
            storages: HashMap::new(),
        }
    }

    /// Reads one pickle to its end and returns its value.
    pub(super) fn read(&mut self, from: &mut impl BufRead) -> Result<Id> {
        let run = Run {
            all: self,
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
        };
        run.read(from)
    }

    pub(super) fn node(&self, id: Id) -> &Node {
        &self.nodes[id]
    }

    pub(super) fn text(&self, id: Id) -> Option<&str> {
        match &self.nodes[id] {
            Node::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn list(&self, id: Id) -> &[Id] {
        match &self.nodes[id] {
            Node::List(items) => items,
            _ => &[],
        }
    }

    /// A text, or a number as text: both can name storages and dict entries.
    pub(super) fn name(&self, id: Id) -> Option<String> {
        match &self.nodes[id] {
            Node::Text(text) => Some(text.to_string()),
            Node::Int(number) => Some(number.to_string()),
            _ => None,
        }
    }

    pub(super) fn class(&self, id: Id) -> Option<&str> {
        match &self.nodes[id] {
            Node::Class(class) => Some(class),
            _ => None,
        }
    }

    pub(super) fn number(&self, id: Id, what: &str) -> Result<u64> {
        match self.nodes[id] {
            Node::Int(number) if number >= 0 => Ok(number.unsigned_abs()),
            _ => Err(self.bad(format!("{what} is not a number of at least 0"))),
        }
    }

    pub(super) fn bad(&self, reason: impl Into<String>) -> Error {
        bad(self.path, reason)
    }

    pub(super) fn io(&self, error: io::Error) -> Error {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => self.bad("it ends in the middle of a pickle"),
            _ => read_error(self.path, error),
        }
    }

    fn spend(&mut self, operations: usize) -> Result<()> {
        let left = self.operations.checked_sub(operations);
        self.operations = left.ok_or_else(|| {
            self.bad(format!("its pickles have over {MAX_OPERATIONS} operations"))
        })?;
        Ok(())
    }

    fn spend_bytes(&mut self, bytes: u64) -> Result<()> {
        let left = self.bytes.checked_sub(bytes);
        self.bytes =
            left.ok_or_else(|| self.bad(format!("its pickles are longer than {MAX_BYTES} bytes")))?;
        Ok(())
    }

    fn array<const N: usize>(&mut self, from: &mut impl Read) -> Result<[u8; N]> {
        self.spend_bytes(N as u64)?;
        let mut bytes = [0; N];
        from.read_exact(&mut bytes).map_err(|e| self.io(e))?;
        Ok(bytes)
    }

    fn line(&mut self, from: &mut impl BufRead) -> Result<String> {
        let mut line = Vec::new();
        let read = from.take(MAX_LINE).read_until(b'\n', &mut line);
        self.spend_bytes(read.map_err(|e| self.io(e))? as u64)?;
        if line.pop() != Some(b'\n') {
            return Err(self.bad("a line of its pickle has no end"));
        }
        Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    /// Reads bytes after their length, which itself takes `N` bytes.
    fn counted<const N: usize>(&mut self, from: &mut impl Read) -> Result<Vec<u8>> {
        let mut len = [0; 8];
        len[..N].copy_from_slice(&self.array::<N>(from)?);
        let len = u64::from_le_bytes(len);
        self.spend_bytes(len)?;
        // Memory grows with the bytes that arrive, not with the declared length.
        let mut bytes = Vec::new();
        let read = from.take(len).read_to_end(&mut bytes);
        if (read.map_err(|e| self.io(e))? as u64) < len {
            return Err(self.io(io::ErrorKind::UnexpectedEof.into()));
        }
        Ok(bytes)
    }

    /// Nothing is ever called, but a file that names such a function is malicious.
    fn refuse_dangerous(&self, module: &str, name: &str) -> Result<()> {
        const MODULES: &[&str] = &[
            "asyncio",
            "bdb",
            "code",
            "commands",
            "ctypes",
            "ftplib",
            "http",
            "importlib",
            "marshal",
            "multiprocessing",
            "nt",
            "os",
            "pdb",
            "pickle",
            "pip",
            "posix",
            "pty",
            "runpy",
            "shutil",
            "signal",
            "smtplib",
            "socket",
            "subprocess",
            "sys",
            "telnetlib",
            "urllib",
            "webbrowser",
        ];
        const BUILTINS: &[&str] = &[
            "__import__",
            "breakpoint",
            "compile",
            "eval",
            "exec",
            "execfile",
            "input",
            "open",
        ];
        let root = module.split('.').next().unwrap_or_default();
        let builtin = matches!(module, "builtins" | "__builtin__" | "io" | "_io");
        if MODULES.contains(&root) || builtin && BUILTINS.contains(&name) {
            return Err(Error::UnsafeWeights {
                path: self.path.to_owned(),
                call: format!("{module}.{name}").chars().take(200).collect(),
            });
        }
        Ok(())
    }
}

/// The state of one pickle.
struct Run<'p, 'a> {
    all: &'p mut Pickle<'a>,
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: HashMap<u64, Id>,
}

impl Run<'_, '_> {
    fn read(mut self, from: &mut impl BufRead) -> Result<Id> {
        loop {
            self.all.spend(1)?;
            let [operation] = self.all.array(from)?;
            if operation == b'.' {
                return self.pop();
            }
            self.step(operation, from)?;
        }
    }

    fn step(&mut self, operation: u8, from: &mut impl BufRead) -> Result<()> {
        match operation {
            // PROTO, FRAME
            0x80 => drop(self.all.array::<1>(from)?),
            0x95 => drop(self.all.array::<8>(from)?),
            // MARK, POP_MARK, POP, DUP
            b'(' => self.marks.push(self.stack.len()),
            b'1' => drop(self.pop_to_mark()?),
            b'0' if self.marks.last() == Some(&self.stack.len()) => drop(self.marks.pop()),
            b'0' => drop(self.pop()?),
            b'2' => {
                let top = self.top()?;
                self.stack.push(top);
            }

            // Values without parts: NONE, BINFLOAT, FLOAT, bytes.
            b'N' => self.push(Node::Nothing),
            b'G' => {
                self.all.array::<8>(from)?;
                self.push(Node::Nothing);
            }
            b'F' => {
                self.all.line(from)?;
                self.push(Node::Nothing);
            }
            b'C' => {
                self.all.counted::<1>(from)?;
                self.push(Node::Nothing);
            }
            b'B' => {
                self.all.counted::<4>(from)?;
                self.push(Node::Nothing);
            }
            0x8e | 0x96 => {
                self.all.counted::<8>(from)?;
                self.push(Node::Nothing);
            }
            // Numbers: NEWTRUE, NEWFALSE, BININT1, BININT2, BININT, INT, LONG, LONG1, LONG4
            0x88 => self.push(Node::Int(1)),
            0x89 => self.push(Node::Int(0)),
            b'K' => {
                let [number] = self.all.array(from)?;
                self.push(Node::Int(number.into()));
            }
            b'M' => {
                let number = u16::from_le_bytes(self.all.array(from)?);
                self.push(Node::Int(number.into()));
            }
            b'J' => {
                let number = i32::from_le_bytes(self.all.array(from)?);
                self.push(Node::Int(number.into()));
            }
            b'I' | b'L' => {
                let line = self.all.line(from)?;
                let number = line.trim_end_matches('L').parse();
                self.push(number.map_or(Node::Nothing, Node::Int));
            }
            0x8a => {
                let bytes = self.all.counted::<1>(from)?;
                self.push(long(&bytes));
            }
            0x8b => {
                let bytes = self.all.counted::<4>(from)?;
                self.push(long(&bytes));
            }
            // Texts: those of Python 2, UNICODE, BINUNICODE with a length of 1, 4 or 8 bytes.
            b'S' | b'V' => {
                let line = self.all.line(from)?;
                self.push_text(line.trim_matches(['\'', '"']));
            }
            b'U' | 0x8c => {
                let bytes = self.all.counted::<1>(from)?;
                self.push_text(&String::from_utf8_lossy(&bytes));
            }
            b'T' | b'X' => {
                let bytes = self.all.counted::<4>(from)?;
                self.push_text(&String::from_utf8_lossy(&bytes));
            }
            0x8d => {
                let bytes = self.all.counted::<8>(from)?;
                self.push_text(&String::from_utf8_lossy(&bytes));
            }

            // Empty tuple, list and set; those of the items above the mark; tuples of 1, 2 and 3.
            b')' | b']' | 0x8f => self.push(Node::List(Vec::new())),
            b't' | b'l' | 0x91 => {
                let items = self.pop_to_mark()?;
                self.push(Node::List(items));
            }
            0x85..=0x87 => {
                let len = usize::from(operation - 0x84);
                let floor = self.marks.last().copied().unwrap_or(0);
                let at = self.stack.len().checked_sub(len).filter(|at| *at >= floor);
                let items = self.stack.split_off(at.ok_or_else(|| self.underflow())?);
                self.push(Node::List(items));
            }
            b'}' => self.push(Node::Dict(Vec::new())),
            b'd' => {
                let items = self.pop_to_mark()?;
                let pairs = self.pairs(items)?;
                self.push(Node::Dict(pairs));
            }
            // APPEND, APPENDS, ADDITEMS
            b'a' => {
                let item = self.pop()?;
                self.extend(vec![item])?;
            }
            b'e' | 0x90 => {
                let items = self.pop_to_mark()?;
                self.extend(items)?;
            }
            // SETITEM, SETITEMS
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.insert(vec![(key, value)])?;
            }
            b'u' => {
                let items = self.pop_to_mark()?;
                let pairs = self.pairs(items)?;
                self.insert(pairs)?;
            }

            // The memo: GET and PUT in their forms.
            b'g' | b'h' | b'j' => {
                let index = self.memo_index(operation, from)?;
                let id = self.memo.get(&index).copied();
                let missing = || self.all.bad(format!("its pickle has no memo {index}"));
                let id = id.ok_or_else(missing)?;
                self.stack.push(id);
            }
            b'p' | b'q' | b'r' => {
                let index = self.memo_index(operation, from)?;
                let top = self.top()?;
                self.memo.insert(index, top);
            }
            0x94 => {
                let top = self.top()?;
                self.memo.insert(self.memo.len() as u64, top);
            }

            // GLOBAL: module and name, one per line. STACK_GLOBAL: two texts.
            b'c' => {
                let (module, name) = (self.all.line(from)?, self.all.line(from)?);
                self.global(&module, &name)?;
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let text = |id| match self.all.node(id) {
                    Node::Text(text) => Ok(text.clone()),
                    _ => Err(self
                        .all
                        .bad("its pickle has a class whose name is not a string")),
                };
                let (module, name) = (text(module)?, text(name)?);
                self.global(&module, &name)?;
            }
            // REDUCE, NEWOBJ: the callee or class, then a tuple of arguments.
            b'R' | 0x81 => {
                let (arguments, callee) = (self.pop()?, self.pop()?);
                let arguments = match self.all.node(arguments) {
                    Node::List(items) => items.clone(),
                    _ => vec![arguments],
                };
                self.all.spend(arguments.len())?;
                self.reduce(callee, arguments)?;
            }
            // NEWOBJ_EX has a dict of named arguments too.
            0x92 => {
                let (named, arguments, callee) = (self.pop()?, self.pop()?, self.pop()?);
                self.reduce(callee, vec![arguments, named])?;
            }
            // INST: GLOBAL, then the arguments from the mark; OBJ: the class is the first from the mark.
            b'i' => {
                let (module, name) = (self.all.line(from)?, self.all.line(from)?);
                let arguments = self.pop_to_mark()?;
                self.global(&module, &name)?;
                let callee = self.pop()?;
                self.reduce(callee, arguments)?;
            }
            b'o' => {
                let mut arguments = self.pop_to_mark()?;
                if arguments.is_empty() {
                    return Err(self.underflow());
                }
                let callee = arguments.remove(0);
                self.reduce(callee, arguments)?;
            }
            b'b' => {
                let state = self.pop()?;
                let target = self.top()?;
                match &mut self.all.nodes[target] {
                    Node::Object(object) => object.state = Some(state),
                    // A state dict has attributes beside its entries: the versions of its modules.
                    Node::Dict(_) | Node::List(_) => {}
                    _ => return Err(self.all.bad("its pickle gives attributes to a plain value")),
                }
            }
            b'P' => {
                let line = self.all.line(from)?;
                self.push_text(&line);
                self.persistent()?;
            }
            b'Q' => self.persistent()?,
            other => {
                let reason = format!("its pickle has an operation {other:#04x}");
                return Err(self.all.bad(reason));
            }
        }
        Ok(())
    }

    fn push(&mut self, node: Node) {
        self.stack.push(self.all.nodes.len());
        self.all.nodes.push(node);
    }

    fn push_text(&mut self, text: &str) {
        self.push(Node::Text(text.into()));
    }

    fn underflow(&self) -> Error {
        self.all.bad("its pickle has a stack underflow")
    }

    fn pop(&mut self) -> Result<Id> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn top(&self) -> Result<Id> {
        let floor = self.marks.last().copied().unwrap_or(0);
        let above = self.stack.get(floor..).unwrap_or_default();
        above.last().copied().ok_or_else(|| self.underflow())
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Id>> {
        match self.marks.pop() {
            Some(mark) if mark <= self.stack.len() => Ok(self.stack.split_off(mark)),
            _ => Err(self.underflow()),
        }
    }

    fn pairs(&self, items: Vec<Id>) -> Result<Vec<(Id, Id)>> {
        match items.as_chunks() {
            (pairs, []) => Ok(pairs.iter().map(|&[key, value]| (key, value)).collect()),
            _ => Err(self.all.bad("its pickle has a key without a value")),
        }
    }

    fn extend(&mut self, new: Vec<Id>) -> Result<()> {
        let target = self.top()?;
        match &mut self.all.nodes[target] {
            Node::List(items) => items.extend(new),
            Node::Object(object) => object.items.extend(new),
            _ => {
                return Err(self
                    .all
                    .bad("its pickle appends to something that is not a list"));
            }
        }
        Ok(())
    }

    fn insert(&mut self, new: Vec<(Id, Id)>) -> Result<()> {
        let target = self.top()?;
        match &mut self.all.nodes[target] {
            Node::Dict(pairs) => pairs.extend(new),
            Node::Object(object) => object.pairs.extend(new),
            _ => {
                return Err(self
                    .all
                    .bad("its pickle sets items of something that is not a dict"));
            }
        }
        Ok(())
    }

    fn memo_index(&mut self, operation: u8, from: &mut impl BufRead) -> Result<u64> {
        match operation {
            b'h' | b'q' => Ok(self.all.array::<1>(from)?[0].into()),
            b'j' | b'r' => Ok(u32::from_le_bytes(self.all.array(from)?).into()),
            _ => {
                let line = self.all.line(from)?;
                let index = line.parse();
                index.map_err(|_| self.all.bad("its pickle has a memo that is not a number"))
            }
        }
    }

    fn global(&mut self, module: &str, name: &str) -> Result<()> {
        self.all.refuse_dangerous(module, name)?;
        self.push(Node::Class(format!("{module}.{name}").into()));
        Ok(())
    }

    /// Pushes the result that a call would have produced, as far as it matters here.
    fn reduce(&mut self, callee: Id, arguments: Vec<Id>) -> Result<()> {
        let class = match self.all.node(callee) {
            Node::Class(class) => class.clone(),
            _ => "something that has no name".into(),
        };
        let first = arguments.first().copied();
        match &*class {
            "collections.OrderedDict"
            | "collections.defaultdict"
            | "collections.Counter"
            | "builtins.dict"
            | "__builtin__.dict" => {
                let pairs = self.pairs_of(first)?;
                self.push(Node::Dict(pairs));
            }
            "builtins.set"
            | "builtins.frozenset"
            | "builtins.list"
            | "builtins.tuple"
            | "__builtin__.set"
            | "__builtin__.frozenset"
            | "torch.Size" => {
                let items = first.map_or_else(Vec::new, |id| self.all.list(id).to_vec());
                self.all.spend(items.len())?;
                self.push(Node::List(items));
            }
            "torch._utils._rebuild_tensor" | "torch._utils._rebuild_tensor_v2" => {
                let view = self.view(&arguments, None)?;
                self.push(Node::Tensor(view));
            }
            "torch._utils._rebuild_tensor_v3" => {
                let dtype = arguments.get(6).and_then(|&id| self.all.class(id));
                let element = dtype.and_then(Element::of_dtype);
                let unknown = || self.all.bad("a tensor of its pickle has an unknown type");
                let element = element.ok_or_else(unknown)?;
                let view = self.view(&arguments, Some(element))?;
                self.push(Node::Tensor(view));
            }
            "torch._utils._rebuild_parameter" | "torch._utils._rebuild_parameter_with_state"
                if first.is_some() =>
            {
                self.stack.extend(first);
            }
            // A tensor of a class derived from Tensor: function, class, arguments, attributes.
            "torch._tensor._rebuild_from_type_v2" | "torch._tensor._rebuild_from_type"
                if arguments.len() >= 3 && self.makes_a_tensor(arguments[0]) =>
            {
                let inner = self.all.list(arguments[2]).to_vec();
                self.all.spend(inner.len())?;
                self.reduce(arguments[0], inner)?;
            }
            _ => self.push(Node::Object(Object {
                class,
                arguments,
                state: None,
                items: Vec::new(),
                pairs: Vec::new(),
            })),
        }
        Ok(())
    }

    fn makes_a_tensor(&self, callee: Id) -> bool {
        let class = self.all.class(callee).unwrap_or_default();
        class.starts_with("torch._utils._rebuild_")
    }

    /// The pairs that a dict is built from: another dict, or a list of pairs.
    fn pairs_of(&mut self, id: Option<Id>) -> Result<Vec<(Id, Id)>> {
        let pairs = match id.map(|id| self.all.node(id)) {
            Some(Node::Dict(pairs)) => pairs.clone(),
            Some(Node::List(items)) => {
                let pair = |&id: &Id| match self.all.list(id) {
                    &[key, value] => Some((key, value)),
                    _ => None,
                };
                items.iter().filter_map(pair).collect()
            }
            _ => Vec::new(),
        };
        self.all.spend(pairs.len())?;
        Ok(pairs)
    }

    /// A tensor from storage, offset, shape and strides.
    fn view(&self, arguments: &[Id], dtype: Option<Element>) -> Result<View> {
        let all = &self.all;
        let &[storage, offset, shape, stride, ..] = arguments else {
            return Err(all.bad("a tensor of its pickle lacks its shape"));
        };
        let Node::Storage(storage) = all.node(storage) else {
            return Err(all.bad("a tensor of its pickle has no storage"));
        };
        let dims = |id, what| -> Result<Vec<usize>> {
            let dims = all.list(id);
            if dims.len() > MAX_RANK {
                return Err(all.bad(format!(
                    "a tensor of its pickle has {} dimensions",
                    dims.len()
                )));
            }
            let size = |&id| Ok(usize::try_from(all.number(id, what)?).unwrap_or(usize::MAX));
            dims.iter().map(size).collect()
        };
        let offset = all.number(offset, "the offset of a tensor")?;
        let (shape, stride) = (dims(shape, "a dimension")?, dims(stride, "a stride")?);
        View::new(storage, dtype, offset, shape, stride).map_err(|reason| all.bad(reason))
    }

    /// Replaces a persistent identifier by what it refers to.
    fn persistent(&mut self) -> Result<()> {
        let id = self.pop()?;
        if let Outside::Tensors(tensors) = &self.all.outside {
            let name = self.all.name(id).unwrap_or_default();
            let found = tensors.get(&name).cloned();
            let unknown = || self.all.bad(format!("its pickle has no tensor {name:?}"));
            let found = found.ok_or_else(unknown)?;
            self.push(Node::Tensor(found));
            return Ok(());
        }
        let fields = self.all.list(id).to_vec();
        let kind = fields.first().and_then(|&id| self.all.text(id));
        match (kind, &fields[..]) {
            // A module with its source code, in whole-model files from before 1.6.
            (Some("module"), &[_, module, ..]) => self.stack.push(module),
            (Some("storage"), &[_, class, key, _, len, ..]) => {
                let part = fields
                    .get(5)
                    .map_or(&[][..], |&id| self.all.list(id))
                    .to_vec();
                let storage = self.storage(class, key, len, &part)?;
                self.push(Node::Storage(storage));
            }
            _ => {
                return Err(self
                    .all
                    .bad("its pickle refers to something that is not a storage"));
            }
        }
        Ok(())
    }

    fn storage(&mut self, class: Id, key: Id, len: Id, part: &[Id]) -> Result<Storage> {
        let all = &self.all;
        let class = all.class(class).unwrap_or_default();
        let class = class.rsplit('.').next().unwrap_or_default();
        let element = Element::of_storage(class);
        if element.is_none() && class != "UntypedStorage" {
            return Err(all.bad(format!("it has a storage of the unknown type {class:?}")));
        }
        let key = all
            .name(key)
            .ok_or_else(|| all.bad("a storage has no name"))?;
        let mut storage = Storage {
            key: key.into(),
            element,
            len: all.number(len, "the length of a storage")?,
            start: 0,
        };
        let size = storage.element.as_ref().map_or(1, |e| e.size as u64);
        if storage.len.checked_mul(size).is_none() {
            return Err(all.bad("the length of a storage overflows"));
        }
        // A part of a storage: its own key, its offset, its length.
        let (mut start, mut rest) = (0, storage.len);
        if let &[_, from, len] = part {
            start = all.number(from, "the start of a part of a storage")?;
            rest = all.number(len, "the length of a part of a storage")?;
            if start.checked_add(rest).is_none_or(|end| end > storage.len) {
                return Err(all.bad("a part of a storage is larger than the storage"));
            }
        }
        let known = self.all.storages.get(&storage.key);
        let same = |known: &Storage| {
            let size = |s: &Storage| s.len * s.element.as_ref().map_or(1, |e| e.size as u64);
            size(known) == size(&storage)
        };
        if known.is_some_and(|known| !same(known)) {
            let reason = format!("the storage {:?} has two lengths", storage.key);
            return Err(self.all.bad(reason));
        }
        self.all
            .storages
            .insert(storage.key.clone(), storage.clone());
        (storage.start, storage.len) = (start, rest);
        Ok(storage)
    }
}

/// An integer of any length; only 64-bit values matter here.
fn long(bytes: &[u8]) -> Node {
    let negative = bytes.last().is_some_and(|last| last & 0x80 != 0);
    let fill = if negative { 0xff } else { 0 };
    let mut all = [fill; 8];
    let (low, high) = bytes.split_at(bytes.len().min(8));
    all[..low.len()].copy_from_slice(low);
    let number = i64::from_le_bytes(all);
    if high.iter().all(|&b| b == fill) && (number < 0) == negative {
        Node::Int(number)
    } else {
        Node::Nothing
    }
}
