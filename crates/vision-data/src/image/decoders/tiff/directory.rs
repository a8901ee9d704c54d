//! The directory of a TIFF: its tags and their values, read from the file when they are asked for.

use std::collections::BTreeMap;

use crate::image::decoders::tiff::problem::Result;
use crate::image::problem::ImageProblem;

/// The tags that matter to pixels.
pub(super) mod tag {
    pub(crate) const WIDTH: u16 = 256;
    pub(crate) const HEIGHT: u16 = 257;
    pub(crate) const BITS: u16 = 258;
    pub(crate) const COMPRESSION: u16 = 259;
    pub(crate) const PHOTOMETRIC: u16 = 262;
    pub(crate) const FILL_ORDER: u16 = 266;
    pub(crate) const STRIP_OFFSETS: u16 = 273;
    pub(crate) const ORIENTATION: u16 = 274;
    pub(crate) const SAMPLES: u16 = 277;
    pub(crate) const ROWS_PER_STRIP: u16 = 278;
    pub(crate) const STRIP_COUNTS: u16 = 279;
    pub(crate) const PLANAR: u16 = 284;
    pub(crate) const GROUP_3_OPTIONS: u16 = 292;
    pub(crate) const PREDICTOR: u16 = 317;
    pub(crate) const PALETTE: u16 = 320;
    pub(crate) const TILE_WIDTH: u16 = 322;
    pub(crate) const TILE_HEIGHT: u16 = 323;
    pub(crate) const TILE_OFFSETS: u16 = 324;
    pub(crate) const TILE_COUNTS: u16 = 325;
    pub(crate) const EXTRA_SAMPLES: u16 = 338;
    pub(crate) const SAMPLE_FORMAT: u16 = 339;
    pub(crate) const JPEG_TABLES: u16 = 347;
    pub(crate) const JPEG_STREAM: u16 = 513;
    pub(crate) const JPEG_STREAM_LENGTH: u16 = 514;
    pub(crate) const YCBCR_COEFFICIENTS: u16 = 529;
    pub(crate) const YCBCR_SUBSAMPLING: u16 = 530;
    pub(crate) const REFERENCE_BLACK_WHITE: u16 = 532;
}

/// The values of a tag.
#[derive(Clone, Copy, Debug)]
struct Field<'a> {
    kind: u16,
    data: &'a [u8],
}

/// The tags of a page.
#[derive(Debug)]
pub(super) struct Directory<'a> {
    pub(super) big_endian: bool,
    fields: BTreeMap<u16, Field<'a>>,
}

impl<'a> Directory<'a> {
    /// Reads the directory of the first page of a TIFF or BigTIFF.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self> {
        let cut = || ImageProblem::Truncated("the directory of the TIFF is missing".to_owned());
        let big_endian = bytes.starts_with(b"MM");
        let number = |at: usize, size: usize| -> Option<u64> {
            Some(uint(bytes.get(at..at.checked_add(size)?)?, big_endian))
        };
        let big = number(2, 2) == Some(43);
        // The widths of a count and an offset, of the number of entries, and of an entry.
        let (word, counter, entry) = if big { (8, 8, 20) } else { (4, 2, 12) };
        let start = number(if big { 8 } else { 4 }, word).and_then(|at| usize::try_from(at).ok());
        let start = start.ok_or_else(cut)?;
        let count = number(start, counter).ok_or_else(cut)?;
        let first = start + counter;
        let mut fields = BTreeMap::new();
        for index in 0..count {
            let at = usize::try_from(index).ok();
            let at = at.and_then(|index| index.checked_mul(entry)?.checked_add(first));
            let Some(found) = at.and_then(|at| bytes.get(at..at.checked_add(entry)?)) else {
                return Err(cut());
            };
            let (tag, kind) = (
                uint(&found[..2], big_endian),
                uint(&found[2..4], big_endian),
            );
            let (kind, values) = (kind as u16, uint(&found[4..4 + word], big_endian));
            let inline = &found[4 + word..];
            let length = usize::try_from(values).ok();
            let length = length.and_then(|values| values.checked_mul(size_of(kind)?));
            // A value outside the file counts as absent.
            let data = length.and_then(|length| match inline.get(..length) {
                Some(data) => Some(data),
                None => {
                    let at = usize::try_from(uint(inline, big_endian)).ok()?;
                    bytes.get(at..at.checked_add(length)?)
                }
            });
            if let Some(data) = data {
                fields.insert(tag as u16, Field { kind, data });
            }
        }
        Ok(Self { big_endian, fields })
    }

    pub(super) fn has(&self, tag: u16) -> bool {
        self.fields.contains_key(&tag)
    }

    /// The number of values of a tag.
    pub(super) fn count(&self, tag: u16) -> usize {
        let field = self.fields.get(&tag);
        field.map_or(0, |field| {
            field.data.len() / size_of(field.kind).unwrap_or(1)
        })
    }

    /// The bytes of a tag.
    pub(super) fn bytes(&self, tag: u16) -> Option<&'a [u8]> {
        self.fields.get(&tag).map(|field| field.data)
    }

    /// The first value of a tag, if it is a whole number.
    pub(super) fn number(&self, tag: u16) -> Option<u64> {
        self.number_at(tag, 0)
    }

    /// A value of a tag, if it is a whole number.
    pub(super) fn number_at(&self, tag: u16, index: usize) -> Option<u64> {
        let field = self.fields.get(&tag)?;
        let size = match field.kind {
            // BYTE and UNDEFINED, SHORT, LONG and IFD, LONG8 and IFD8.
            1 | 7 => 1,
            3 => 2,
            4 | 13 => 4,
            16 | 18 => 8,
            _ => return None,
        };
        let at = index.checked_mul(size)?;
        Some(uint(
            field.data.get(at..at.checked_add(size)?)?,
            self.big_endian,
        ))
    }

    /// All values of a tag with few of them.
    pub(super) fn numbers(&self, tag: u16) -> Vec<u64> {
        (0..self.count(tag).min(1 << 17))
            .map_while(|index| self.number_at(tag, index))
            .collect()
    }

    /// Fractions, or whole numbers.
    pub(super) fn fractions(&self, tag: u16) -> Option<Vec<f64>> {
        let field = self.fields.get(&tag)?;
        if field.kind != 5 {
            return Some(self.numbers(tag).into_iter().map(|v| v as f64).collect());
        }
        let parts = field.data.chunks_exact(8).take(16);
        let number = |bytes: &[u8]| uint(bytes, self.big_endian) as f64;
        Some(
            parts
                .map(|pair| number(&pair[..4]) / number(&pair[4..]))
                .collect(),
        )
    }
}

/// Bytes per value of a field.
fn size_of(kind: u16) -> Option<usize> {
    Some(match kind {
        1 | 2 | 6 | 7 => 1,
        3 | 8 => 2,
        4 | 9 | 11 | 13 => 4,
        5 | 10 | 12 | 16 | 17 | 18 => 8,
        _ => return None,
    })
}

fn uint(bytes: &[u8], big_endian: bool) -> u64 {
    let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
    match big_endian {
        true => bytes.iter().fold(0, add),
        false => bytes.iter().rev().fold(0, add),
    }
}
