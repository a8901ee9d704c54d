//! Tensors as PyTorch stores them: a view into a storage, with an offset and strides.

use std::sync::Arc;

use super::pickle::Storage;
use crate::weights::contents::Dtype;

/// The type of a storage's values, and their size in bytes.
#[derive(Clone, PartialEq)]
pub(super) struct Element {
    pub(super) dtype: Dtype,
    pub(super) size: usize,
}

impl Element {
    /// The unit of byte swapping in bytes: a complex number is two numbers.
    pub(super) fn unit(&self) -> usize {
        match &self.dtype {
            Dtype::Other(name) if name.starts_with("complex") => self.size / 2,
            _ => self.size,
        }
    }

    /// From a class name such as `FloatStorage`.
    pub(super) fn of_storage(class: &str) -> Option<Self> {
        let dtype = match class.strip_suffix("Storage")? {
            "Double" => "float64",
            "Float" => "float32",
            "Half" => "float16",
            "BFloat16" => "bfloat16",
            "Long" => "int64",
            "Int" => "int32",
            "Short" => "int16",
            "Char" => "int8",
            "Byte" => "uint8",
            "Bool" => "bool",
            "ComplexDouble" => "complex128",
            "ComplexFloat" => "complex64",
            "QInt8" => "qint8",
            "QUInt8" => "quint8",
            "QInt32" => "qint32",
            "QUInt4x2" => "quint4x2",
            "QUInt2x4" => "quint2x4",
            _ => return None,
        };
        Self::of_dtype(dtype)
    }

    /// From a dtype such as `torch.float32`.
    pub(super) fn of_dtype(name: &str) -> Option<Self> {
        let name = name.strip_prefix("torch.").unwrap_or(name);
        let other = |name: &str| Dtype::Other(name.to_owned());
        let (dtype, size) = match name {
            "float64" | "double" => (Dtype::F64, 8),
            "float32" | "float" => (Dtype::F32, 4),
            "float16" | "half" => (Dtype::F16, 2),
            "bfloat16" => (Dtype::Bf16, 2),
            "int64" | "long" => (other("I64"), 8),
            "int32" | "int" => (other("I32"), 4),
            "int16" | "short" => (other("I16"), 2),
            "int8" => (other("I8"), 1),
            "uint64" => (other("U64"), 8),
            "uint32" => (other("U32"), 4),
            "uint16" => (other("U16"), 2),
            "uint8" => (other("U8"), 1),
            "bool" => (other("Bool"), 1),
            "complex128" => (other(name), 16),
            "complex64" => (other(name), 8),
            "complex32" | "qint32" => (other(name), 4),
            _ if ["float8_", "qint8", "quint"]
                .iter()
                .any(|p| name.starts_with(p)) =>
            {
                (other(name), 1)
            }
            _ => return None,
        };
        Some(Self { dtype, size })
    }
}

/// A tensor. It lies within the declared length of its storage.
#[derive(Clone)]
pub(super) struct View {
    pub(super) storage: Arc<str>,
    pub(super) element: Element,
    pub(super) shape: Vec<usize>,
    stride: Vec<usize>,
    /// The bytes of the storage before the first value, and from there to the end of the last.
    pub(super) start: u64,
    pub(super) extent: u64,
}

impl View {
    pub(super) fn new(
        storage: &Storage,
        dtype: Option<Element>,
        offset: u64,
        shape: Vec<usize>,
        stride: Vec<usize>,
    ) -> Result<Self, String> {
        let key = &storage.key;
        let Some(element) = dtype.or_else(|| storage.element.clone()) else {
            return Err(format!("storage {key:?} has no type"));
        };
        if shape.len() != stride.len() {
            return Err(format!(
                "a tensor of shape {shape:?} has {} strides",
                stride.len()
            ));
        }
        let size = element.size as u64;
        // An untyped storage counts bytes.
        let unit = storage.element.as_ref().map_or(1, |e| e.size as u64);
        let whole = storage.len.saturating_mul(unit);
        let last = shape
            .iter()
            .zip(&stride)
            .try_fold(0u64, |last, (&n, &step)| {
                let step = (n as u64).saturating_sub(1).checked_mul(step as u64)?;
                last.checked_add(step)
            });
        let empty = shape.contains(&0);
        let extent = if empty {
            Some(0)
        } else {
            last.and_then(|last| last.checked_add(1))
        };
        let extent = extent.and_then(|n| n.checked_mul(size));
        let start = offset.checked_mul(size);
        let values = shape
            .iter()
            .try_fold(element.size, |all, &n| all.checked_mul(n));
        let (Some(start), Some(extent), Some(_)) = (start, extent, values) else {
            return Err(format!("the size of a tensor of shape {shape:?} overflows"));
        };
        if start.checked_add(extent).is_none_or(|end| end > whole) {
            return Err(format!(
                "a tensor of shape {shape:?} goes beyond its storage {key:?}, which declares {} elements",
                storage.len
            ));
        }
        Ok(Self {
            storage: key.clone(),
            start: start + storage.start * unit,
            element,
            shape,
            stride,
            extent,
        })
    }

    /// The size of its values in bytes.
    pub(super) fn len(&self) -> usize {
        self.shape.iter().product::<usize>() * self.element.size
    }

    /// Collects the values from the bytes of the view's extent, row by row.
    pub(super) fn gather(&self, bytes: Vec<u8>) -> Vec<u8> {
        let mut dense = 1;
        let in_order = self
            .shape
            .iter()
            .zip(&self.stride)
            .rev()
            .all(|(&n, &step)| {
                let fits = n == 1 || step == dense;
                dense *= n;
                fits
            });
        if in_order || bytes.is_empty() {
            return bytes;
        }
        let size = self.element.size;
        let mut out = Vec::with_capacity(self.len());
        let mut index = vec![0; self.shape.len()];
        let mut at = 0;
        loop {
            out.extend_from_slice(&bytes[at * size..][..size]);
            // Increments the index, beginning with the last dimension.
            let mut dim = self.shape.len();
            loop {
                let Some(d) = dim.checked_sub(1) else {
                    return out;
                };
                index[d] += 1;
                at += self.stride[d];
                if index[d] < self.shape[d] {
                    break;
                }
                at -= self.stride[d] * self.shape[d];
                index[d] = 0;
                dim = d;
            }
        }
    }
}
