//! The fax compressions: ITU T.4 and T.6, and the two that TIFF 6.0 derives from them. The tables of codes
//! are those of the `fax` crate, which itself reads group 4, and group 3 with one dimension.

use std::convert::Infallible;

use fax::BitReader;
use fax::maps::{Mode, black, mode, white};

use crate::image::decoders::tiff::problem::Result;
use crate::image::problem::ImageProblem;

/// How rows of black and white are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fax {
    /// Runs, each row from a new byte on (compression 2).
    Rows,
    /// Runs, each row from a new pair of bytes on (compression 32771).
    Words,
    /// Rows that an end-of-line code precedes, of runs or of differences.
    Group3,
    /// Rows of differences.
    Group4,
}

/// Decodes rows of `width` pixels to one bit each, 1 for black. With `two_dimensions`, a bit before each row
/// of group 3 tells whether it has runs or differences.
pub(super) fn decode(
    kind: Fax,
    data: &[u8],
    width: usize,
    rows: usize,
    two_dimensions: bool,
) -> Result<Vec<u8>> {
    let row_bytes = width.div_ceil(8);
    let mut bits = Bits { data, at: 0 };
    let mut out = Vec::new();
    let (mut before, mut changes) = (Vec::new(), Vec::new());
    for _ in 0..rows {
        changes.clear();
        let runs = match kind {
            Fax::Rows => bits.align(8),
            Fax::Words => bits.align(16),
            Fax::Group3 => !bits.end_of_line() || !two_dimensions || bits.take(1) == 1,
            Fax::Group4 => false,
        };
        let read = match runs {
            true => row_of_runs(&mut bits, width, &mut changes),
            false => row_of_differences(&mut bits, width, &before, &mut changes),
        };
        if bits.at > 8 * data.len() {
            return Err(ImageProblem::Truncated(
                "a strip or tile ends early".to_owned(),
            ));
        }
        if read.is_none() {
            return Err(ImageProblem::Damaged("an unknown fax code".to_owned()));
        }
        let start = out.len();
        out.resize(start + row_bytes, 0u8);
        for run in changes.chunks(2) {
            let end = run.get(1).copied().unwrap_or(width);
            for at in run[0]..end {
                out[start + at / 8] |= 0x80 >> (at % 8);
            }
        }
        std::mem::swap(&mut before, &mut changes);
    }
    Ok(out)
}

/// Reads the runs of a row, white first. `changes` are the places where the color changes.
fn row_of_runs(bits: &mut Bits<'_>, width: usize, changes: &mut Vec<usize>) -> Option<()> {
    let (mut at, mut is_black) = (0, false);
    while at < width {
        at += run(bits, is_black)?;
        if at > width {
            return None;
        }
        changes.push(at);
        is_black = !is_black;
    }
    Some(())
}

/// Reads a row as differences to the row before: T.4, 4.2.
fn row_of_differences(
    bits: &mut Bits<'_>,
    width: usize,
    before: &[usize],
    changes: &mut Vec<usize>,
) -> Option<()> {
    // The first change of the row before that is considered next; they only move on.
    let (mut at, mut is_black, mut next) = (0, false, 0usize);
    let mut first = true;
    while at < width {
        next = next.saturating_sub(2);
        // The next change to the other color. At the beginning of a row, it may be at its first pixel.
        while before
            .get(next)
            .is_some_and(|&place| place < at || (place == at && !first))
            || (next < before.len() && (next % 2 == 1) != is_black)
        {
            next += 1;
        }
        let change = |index: usize| before.get(index).copied().unwrap_or(width);
        let to = match mode::decode(bits)? {
            Mode::Pass => {
                at = change(next + 1);
                first = false;
                continue;
            }
            Mode::Horizontal => {
                let one = at + run(bits, is_black)?;
                let two = one + run(bits, !is_black)?;
                if two > width {
                    return None;
                }
                changes.extend([one, two]);
                (at, first) = (two, false);
                continue;
            }
            Mode::Vertical(by) => change(next).checked_add_signed(isize::from(by))?,
            Mode::Extension | Mode::EOF => return None,
        };
        if to < at || to > width {
            return None;
        }
        changes.push(to);
        (at, first, is_black) = (to, false, !is_black);
    }
    Some(())
}

/// The length of a run: any number of make-up codes, and a terminating code below 64.
fn run(bits: &mut Bits<'_>, is_black: bool) -> Option<usize> {
    let mut length = 0;
    loop {
        let part = if is_black {
            black::decode(bits)
        } else {
            white::decode(bits)
        };
        let part = usize::from(part?);
        length += part;
        if part < 64 {
            return Some(length);
        }
    }
}

/// Bits, the highest of a byte first; zeros follow the last.
#[derive(Debug)]
struct Bits<'a> {
    data: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    /// Moves on to the next multiple of some bits.
    fn align(&mut self, bits: usize) -> bool {
        self.at = self.at.next_multiple_of(bits);
        true
    }

    fn next(&self, count: u8) -> u16 {
        let byte = |n: usize| u32::from(self.data.get(self.at / 8 + n).copied().unwrap_or(0));
        let word = byte(0) << 16 | byte(1) << 8 | byte(2);
        (word >> (24 - self.at % 8 - usize::from(count)) & ((1 << count) - 1)) as u16
    }

    fn take(&mut self, count: u8) -> u16 {
        let bits = self.next(count);
        self.at += usize::from(count);
        bits
    }

    /// Passes the end of a line, eleven zeros or more and a one, if it is here.
    fn end_of_line(&mut self) -> bool {
        if self.next(11) != 0 {
            return false;
        }
        while self.at < 8 * self.data.len() && self.take(1) == 0 {}
        true
    }
}

impl BitReader for Bits<'_> {
    type Error = Infallible;

    fn peek(&self, bits: u8) -> Option<u16> {
        // Codes end soon after the data, or zeros would be read for ever.
        (self.at < 8 * self.data.len() + 64).then(|| self.next(bits))
    }

    fn consume(&mut self, bits: u8) -> std::result::Result<(), Infallible> {
        self.at += usize::from(bits);
        Ok(())
    }

    fn bits_to_byte_boundary(&self) -> u8 {
        (self.at.next_multiple_of(8) - self.at) as u8
    }
}
