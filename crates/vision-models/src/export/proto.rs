//! Protobuf writer for the few ONNX messages that a network needs.
//!
//! Field numbers are those of <https://github.com/onnx/onnx/blob/main/onnx/onnx.proto>.

/// A protobuf message under construction.
#[derive(Clone, Debug, Default)]
pub(super) struct Message(Vec<u8>);

impl Message {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn int(mut self, field: u32, value: i64) -> Self {
        self.tag(field, 0);
        // Negative numbers take ten bytes, as protobuf's int64 does.
        self.varint(value as u64);
        self
    }

    pub(super) fn float(mut self, field: u32, value: f32) -> Self {
        self.tag(field, 5);
        self.0.extend(value.to_le_bytes());
        self
    }

    pub(super) fn text(self, field: u32, text: &str) -> Self {
        self.blob(field, text.as_bytes())
    }

    pub(super) fn message(self, field: u32, message: &Self) -> Self {
        self.blob(field, &message.0)
    }

    pub(super) fn each<T>(self, items: &[T], add: impl Fn(Self, &T) -> Self) -> Self {
        items.iter().fold(self, add)
    }

    /// Starts a field of `len` bytes, which the caller writes after this message.
    pub(super) fn announce(mut self, field: u32, len: u64) -> Self {
        self.tag(field, 2);
        self.varint(len);
        self
    }

    fn blob(self, field: u32, bytes: &[u8]) -> Self {
        let mut message = self.announce(field, bytes.len() as u64);
        message.0.extend(bytes);
        message
    }

    fn tag(&mut self, field: u32, wire: u32) {
        self.varint(u64::from(field << 3 | wire));
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

/// `TensorProto.DataType.FLOAT`.
pub(super) const FLOAT: i64 = 1;

/// A `ValueInfoProto` of 32-bit floats.
pub(super) fn value_info(name: &str, dims: &[Dim]) -> Message {
    value_info_of(FLOAT, name, dims)
}

/// A `ValueInfoProto` of any type of elements.
pub(super) fn value_info_of(elements: i64, name: &str, dims: &[Dim]) -> Message {
    let shape = Message::default().each(dims, |shape, dim| {
        let dim = match dim {
            Dim::Fixed(n) => Message::default().int(1, *n as i64),
            Dim::Named(name) => Message::default().text(2, name),
        };
        shape.message(1, &dim)
    });
    let tensor = Message::default().int(1, elements).message(2, &shape);
    Message::default()
        .text(1, name)
        .message(2, &Message::default().message(1, &tensor))
}

/// One dimension of an input or output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dim {
    /// A fixed number.
    Fixed(usize),
    /// A dynamic number. Dimensions with the same name are equal.
    Named(&'static str),
}

/// The value of a node's attribute.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Attribute {
    /// An integer.
    Int(i64),
    /// A float.
    Float(f32),
    /// A list of integers.
    Ints(Vec<i64>),
    /// A text.
    Text(String),
}

/// One operation of a graph.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Node {
    /// The operator, such as `Conv`.
    pub(crate) op: String,
    /// The name of the node.
    pub(crate) name: String,
    /// Names of values. Empty for an omitted optional input.
    pub(crate) inputs: Vec<String>,
    /// Names of values.
    pub(crate) outputs: Vec<String>,
    /// Attributes that differ from their default.
    pub(crate) attributes: Vec<(String, Attribute)>,
}

impl Node {
    /// The `NodeProto`.
    pub(super) fn message(&self) -> Message {
        Message::default()
            .each(&self.inputs, |m, name| m.text(1, name))
            .each(&self.outputs, |m, name| m.text(2, name))
            .text(3, &self.name)
            .text(4, &self.op)
            .each(&self.attributes, |m, (name, value)| {
                let attribute = Message::default().text(1, name);
                let attribute = match value {
                    Attribute::Float(f) => attribute.float(2, *f).int(20, 1),
                    Attribute::Text(text) => attribute.text(4, text).int(20, 3),
                    Attribute::Int(i) => attribute.int(3, *i).int(20, 2),
                    Attribute::Ints(list) => attribute.each(list, |a, i| a.int(8, *i)).int(20, 7),
                };
                m.message(5, &attribute)
            })
    }

    /// The value of an integer attribute.
    pub(crate) fn int(&self, name: &str) -> Option<i64> {
        match self.attribute(name)? {
            Attribute::Int(value) => Some(*value),
            _ => None,
        }
    }

    /// The value of a float attribute.
    pub(crate) fn float(&self, name: &str) -> Option<f32> {
        match self.attribute(name)? {
            Attribute::Float(value) => Some(*value),
            _ => None,
        }
    }

    /// The value of an attribute that is a list of integers.
    pub(crate) fn ints(&self, name: &str) -> Option<&[i64]> {
        match self.attribute(name)? {
            Attribute::Ints(value) => Some(value),
            _ => None,
        }
    }

    fn attribute(&self, name: &str) -> Option<&Attribute> {
        let found = self.attributes.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value)
    }
}
