//! Reading protobuf field by field, without holding large values in memory.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use super::super::contents::{bad, read_error};
use super::MAX_TEXT;
use crate::{Error, Result};

/// The maximum number of fields of a file. A network has about twenty per node.
const MAX_FIELDS: u64 = 4_000_000;

/// A protobuf reader.
pub(super) struct Wire<'a> {
    path: &'a Path,
    input: BufReader<File>,
    at: u64,
    fields: u64,
    text: u64,
}

/// The value of a field, as far as the wire format determines it.
#[derive(Clone, Copy)]
pub(super) enum Value {
    /// An integer.
    Int(u64),
    /// Four bytes.
    Four([u8; 4]),
    /// A text, bytes, packed numbers or a message, not yet read.
    Bytes,
    /// Eight bytes, or the marker of a deprecated group; not used here.
    Other,
}

/// One field of a message.
#[derive(Clone, Copy)]
pub(super) struct Field {
    pub(super) number: u64,
    pub(super) value: Value,
    /// Where its value begins and ends in the file.
    pub(super) start: u64,
    pub(super) end: u64,
}

impl Field {
    pub(super) fn len(&self) -> u64 {
        self.end - self.start
    }

    /// The integer value, or none if the field holds something else.
    pub(super) fn int(&self) -> Option<u64> {
        match self.value {
            Value::Int(value) => Some(value),
            _ => None,
        }
    }
}

impl<'a> Wire<'a> {
    pub(super) fn new(path: &'a Path, mut file: File) -> Result<Self> {
        file.seek(SeekFrom::Start(0))
            .map_err(|e| read_error(path, e))?;
        Ok(Self {
            path,
            input: BufReader::with_capacity(1 << 16, file),
            at: 0,
            fields: MAX_FIELDS,
            text: MAX_TEXT,
        })
    }

    /// The position of the next byte.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    pub(super) fn bad(&self, reason: impl Into<String>) -> Error {
        bad(self.path, reason)
    }

    fn io(&self, source: io::Error) -> Error {
        read_error(self.path, source)
    }

    /// The next field of a message that ends at `end`; none at its end.
    pub(super) fn field(&mut self, end: u64) -> Result<Option<Field>> {
        if self.at >= end {
            return Ok(None);
        }
        self.fields = self
            .fields
            .checked_sub(1)
            .ok_or_else(|| self.bad(format!("it has more than {MAX_FIELDS} protobuf fields")))?;
        let tag = self.varint(end)?;
        let (number, kind) = (tag >> 3, tag & 7);
        if number == 0 || number >= 1 << 29 {
            return Err(self.bad(format!(
                "byte {}: no field has the number {number}",
                self.at
            )));
        }
        let mut start = self.at;
        let (value, len) = match kind {
            0 => (Value::Int(self.varint(end)?), 0),
            1 => (Value::Other, 8),
            2 => {
                let len = self.varint(end)?;
                start = self.at;
                (Value::Bytes, len)
            }
            5 => (Value::Other, 4),
            _ => {
                let reason = format!(
                    "byte {}: field {number} has the encoding {kind}, which protobuf does not use",
                    self.at
                );
                return Err(self.bad(reason));
            }
        };
        let left = end.saturating_sub(self.at);
        if len > left {
            let reason = format!(
                "byte {}: field {number} claims {len} bytes where {left} are left",
                self.at
            );
            return Err(self.bad(reason));
        }
        let mut field = Field {
            number,
            value,
            start,
            end: self.at + len,
        };
        if kind == 5 {
            let mut four = [0; 4];
            self.exact(&mut four)?;
            field.value = Value::Four(four);
        }
        Ok(Some(field))
    }

    /// Moves to the end of a field, however much of it was read.
    pub(super) fn finish(&mut self, field: Field) -> Result<()> {
        let ahead = field.end.saturating_sub(self.at);
        if ahead == 0 {
            return Ok(());
        }
        let step = i64::try_from(ahead).map_err(|_| self.bad("a field is too long"))?;
        self.input.seek_relative(step).map_err(|e| self.io(e))?;
        self.at += ahead;
        Ok(())
    }

    /// A text of at most `limit` bytes.
    pub(super) fn text(&mut self, field: Field, limit: u64) -> Result<String> {
        let Value::Bytes = field.value else {
            return Err(self.bad(format!("field {} should be a string", field.number)));
        };
        if field.len() > limit {
            let reason = format!(
                "byte {}: a string has {} bytes, the limit is {limit}",
                field.start,
                field.len()
            );
            return Err(self.bad(reason));
        }
        self.text = self
            .text
            .checked_sub(field.len())
            .ok_or_else(|| self.bad(format!("its strings take more than {MAX_TEXT} bytes")))?;
        let mut bytes = vec![0; field.len() as usize];
        self.exact(&mut bytes)?;
        String::from_utf8(bytes)
            .map_err(|_| self.bad(format!("byte {}: a string is not valid UTF-8", field.start)))
    }

    /// Reads integers, single or packed, at most `limit` of them in `into`.
    pub(super) fn ints(&mut self, field: Field, into: &mut Vec<i64>, limit: usize) -> Result<()> {
        match field.value {
            Value::Int(value) => into.push(value as i64),
            Value::Bytes => {
                while self.at < field.end && into.len() <= limit {
                    let value = self.varint(field.end)?;
                    into.push(value as i64);
                }
            }
            _ => return Err(self.bad(format!("field {} should be integers", field.number))),
        }
        if into.len() > limit {
            let reason = format!("byte {}: a list of more than {limit} numbers", field.start);
            return Err(self.bad(reason));
        }
        Ok(())
    }

    fn exact(&mut self, bytes: &mut [u8]) -> Result<()> {
        self.input.read_exact(bytes).map_err(|e| self.io(e))?;
        self.at += bytes.len() as u64;
        Ok(())
    }

    fn varint(&mut self, end: u64) -> Result<u64> {
        let start = self.at;
        let mut value = 0;
        for shift in (0..70).step_by(7) {
            if self.at >= end {
                return Err(self.bad(format!("byte {start}: it ends in the middle of a number")));
            }
            let byte = match self.input.fill_buf() {
                Ok([byte, ..]) => *byte,
                Ok([]) => return Err(self.bad(format!("it ends at byte {}", self.at))),
                Err(e) => return Err(self.io(e)),
            };
            self.input.consume(1);
            self.at += 1;
            if shift == 63 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(self.bad(format!("byte {start}: a number of more than 64 bits")))
    }
}
