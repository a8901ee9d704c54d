//! Event files of TensorBoard: records of a length, a message in protocol buffers, and checksums.
//!
//! Sources: TensorFlow's `record_writer.h` (the records), `event.proto` and `summary.proto` (the numbers of the fields).
//! The only writer on crates.io, `tensorboard-rs`, was last published in 2022 and brings an old `image`.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use vision_base::io_error;
use vision_base::paths::continue_file;
use vision_learner::Result;

/// A named value of a step: a message `Summary.Value`.
pub(super) struct Value(Vec<u8>);

impl Value {
    pub(super) fn scalar(tag: &str, value: f64) -> Self {
        let mut message = Message::default();
        message.bytes(1, tag.as_bytes());
        message.float(2, value as f32);
        Self(message.0)
    }

    /// An image in PNG, of a width and a height.
    pub(super) fn image(tag: &str, [width, height]: [u64; 2], png: Vec<u8>) -> Self {
        let mut image = Message::default();
        image.number(1, height);
        image.number(2, width);
        // RGB.
        image.number(3, 3);
        image.bytes(4, &png);
        let mut message = Message::default();
        message.bytes(1, tag.as_bytes());
        message.bytes(4, &image.0);
        Self(message.0)
    }
}

/// A message in protocol buffers.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn number(&mut self, field: u64, value: u64) {
        self.varint(field << 3);
        self.varint(value);
    }

    fn double(&mut self, field: u64, value: f64) {
        self.varint(field << 3 | 1);
        self.0.extend(value.to_le_bytes());
    }

    fn bytes(&mut self, field: u64, value: &[u8]) {
        self.varint(field << 3 | 2);
        self.varint(value.len() as u64);
        self.0.extend(value);
    }

    fn float(&mut self, field: u64, value: f32) {
        self.varint(field << 3 | 5);
        self.0.extend(value.to_le_bytes());
    }
}

/// A file that grows by an event for each step.
#[derive(Debug)]
pub(super) struct EventFile {
    path: PathBuf,
    file: File,
    bytes: u64,
}

impl EventFile {
    /// Opens a file that had so many bytes, and cuts off what came after them; 0 for a new file.
    pub(super) fn open(path: &Path, bytes: u64) -> Result<Self> {
        let file = continue_file(path, bytes)?;
        let mut events = Self {
            path: path.to_owned(),
            file,
            bytes,
        };
        if bytes == 0 {
            let mut message = time();
            message.bytes(3, b"brain.Event:2");
            events.record(&message.0)?;
        }
        Ok(events)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn add(&mut self, step: u64, values: &[Value]) -> Result<()> {
        let mut summary = Message::default();
        for value in values {
            summary.bytes(1, &value.0);
        }
        let mut message = time();
        message.number(2, step);
        message.bytes(5, &summary.0);
        self.record(&message.0)
    }

    /// Brings everything to the disk.
    pub(super) fn sync(&mut self) -> Result<()> {
        Ok(self
            .file
            .sync_data()
            .map_err(io_error("write", &self.path))?)
    }

    fn record(&mut self, data: &[u8]) -> Result<()> {
        let length = (data.len() as u64).to_le_bytes();
        let mut record = length.to_vec();
        record.extend(checksum(&length).to_le_bytes());
        record.extend(data);
        record.extend(checksum(data).to_le_bytes());
        let written = self.file.write_all(&record);
        written.map_err(io_error("write", &self.path))?;
        self.bytes += record.len() as u64;
        Ok(())
    }
}

/// An event of this moment.
fn time() -> Message {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let mut message = Message::default();
    message.double(1, since.as_secs_f64());
    message
}

/// CRC-32C, masked as in TensorFlow.
fn checksum(data: &[u8]) -> u32 {
    const TABLE: [u32; 256] = table();
    let step = |crc: u32, byte: &u8| TABLE[usize::from(crc as u8 ^ byte)] ^ (crc >> 8);
    let crc = !data.iter().fold(!0, step);
    crc.rotate_right(15).wrapping_add(0xA282_EAD8)
}

/// The remainders of Castagnoli's polynomial, for each byte.
const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 {
                crc >> 1 ^ 0x82F6_3B78
            } else {
                crc >> 1
            };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 3720, B.4: 32 zeros, and 32 bytes of ones.
    #[test]
    fn the_checksum_is_crc_32c() {
        let unmasked = |data: &[u8]| checksum(data).wrapping_sub(0xA282_EAD8).rotate_left(15);
        assert_eq!(unmasked(&[0; 32]), 0x8A91_36AA);
        assert_eq!(unmasked(&[0xFF; 32]), 0x62A8_AB43);
    }
}
