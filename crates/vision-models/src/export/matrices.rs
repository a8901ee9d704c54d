//! Preprocessing as nodes. Every resize of the library is linear and treats rows and columns alike, so it is
//! `A · image · Bᵀ` with one matrix per axis. The graph computes both from the image's height and width, in 64 bits.

use super::image::{Edge, FLOAT, Fit};
use super::lower::{Lowering, Refusal, join};
use super::proto::Attribute;

const INT64: i64 = 7;
const DOUBLE: i64 = 11;
/// A weight of 1 in Pillow's whole numbers.
const ONE: f32 = 4_194_304.0;

pub(super) type Named = Result<String, Refusal>;

/// Nodes of the preprocessing, with names that count up.
pub(super) struct Preparation<'a> {
    lowering: &'a mut Lowering,
    count: usize,
}

/// One axis of an image.
#[derive(Debug)]
pub(super) struct Axis {
    /// The name of its number of pixels, a scalar of 64-bit integers.
    pub(super) pixels: String,
}

impl<'a> Preparation<'a> {
    /// Nodes whose names count up from `count`.
    pub(super) fn new(lowering: &'a mut Lowering, count: usize) -> Self {
        Self { lowering, count }
    }

    pub(super) fn node<const N: usize>(
        &mut self,
        op: &str,
        inputs: &[&str],
        attributes: [(&str, Attribute); N],
    ) -> Named {
        self.count += 1;
        let path = join("prepare", &format!("{}_{op}", self.count));
        self.lowering.node(op, &path, inputs, attributes)
    }

    pub(super) fn int(&mut self, value: usize) -> Named {
        let value = Attribute::Int(value as i64);
        self.node("Constant", &[], [("value_int", value)])
    }

    pub(super) fn ints(&mut self, values: Vec<i64>) -> Named {
        self.node("Constant", &[], [("value_ints", Attribute::Ints(values))])
    }

    pub(super) fn float(&mut self, value: f32) -> Named {
        let value = Attribute::Float(value);
        self.node("Constant", &[], [("value_float", value)])
    }

    /// A scalar of 64 bits.
    fn double(&mut self, value: f32) -> Named {
        let value = self.float(value)?;
        self.cast(&value, DOUBLE)
    }

    pub(super) fn cast(&mut self, x: &str, to: i64) -> Named {
        self.node("Cast", &[x], [("to", Attribute::Int(to))])
    }

    pub(super) fn two(&mut self, op: &str, a: &str, b: &str) -> Named {
        self.node(op, &[a, b], [])
    }

    /// The integers 0 to `count` - 1.
    fn range(&mut self, count: &str) -> Named {
        let (zero, one) = (self.int(0)?, self.int(1)?);
        self.node("Range", &[&zero, count, &one], [])
    }

    /// A vector as a column.
    fn column(&mut self, x: &str) -> Named {
        let axis = self.ints(vec![1])?;
        self.two("Unsqueeze", x, &axis)
    }

    /// `down · x · acrossᵀ` for each channel.
    pub(super) fn product(&mut self, down: &str, x: &str, across: &str) -> Named {
        let y = self.two("MatMul", down, x)?;
        let across = self.node("Transpose", &[across], [])?;
        self.two("MatMul", &y, &across)
    }

    /// The quotients of height and width by those of `size`, in 64 bits.
    fn ratios(&mut self, h: &Axis, w: &Axis, size: [usize; 2]) -> Result<[String; 2], Refusal> {
        let mut ratio = |axis: &Axis, side: usize| {
            let pixels = self.cast(&axis.pixels, DOUBLE)?;
            let side = self.int(side)?;
            let side = self.cast(&side, DOUBLE)?;
            self.two("Div", &pixels, &side)
        };
        Ok([ratio(h, size[0])?, ratio(w, size[1])?])
    }

    /// Height and width to resize to before cropping or padding.
    pub(super) fn resized(
        &mut self,
        h: &Axis,
        w: &Axis,
        size: [usize; 2],
        fit: Fit,
    ) -> Result<[String; 2], Refusal> {
        let op = match fit {
            Fit::Squish => return Ok([self.int(size[0])?, self.int(size[1])?]),
            Fit::Crop => "Min",
            Fit::Pad => "Max",
        };
        let [rows, cols] = self.ratios(h, w, size)?;
        let ratio = self.two(op, &rows, &cols)?;
        let one = self.int(1)?;
        let mut side = |axis: &Axis| {
            let pixels = self.cast(&axis.pixels, DOUBLE)?;
            let side = self.two("Div", &pixels, &ratio)?;
            // To even, as the library.
            let side = self.node("Round", &[&side], [])?;
            let side = self.cast(&side, INT64)?;
            self.two("Max", &side, &one)
        };
        Ok([side(h)?, side(w)?])
    }

    /// How many times smaller the image gets before it is sampled: 1 for not at all.
    pub(super) fn shrink(&mut self, h: &Axis, w: &Axis, rows: &str, cols: &str) -> Named {
        let mut ratio = |axis: &Axis, to: &str| {
            let from = self.cast(&axis.pixels, DOUBLE)?;
            let to = self.cast(to, DOUBLE)?;
            self.two("Div", &from, &to)
        };
        let (down, across) = (ratio(h, rows)?, ratio(w, cols)?);
        let least = self.two("Min", &down, &across)?;
        let (two, one) = (self.double(2.0)?, self.double(1.0)?);
        let shrink = self.two("Div", &least, &two)?;
        self.two("Max", &shrink, &one)
    }

    /// The matrix of one axis: the mean over areas, then bilinear sampling at the rows that the crop keeps.
    pub(super) fn bilinear(
        &mut self,
        from: &Axis,
        to: &str,
        shrink: &str,
        want: usize,
        edge: Edge,
        place: f32,
    ) -> Named {
        let (zero, one, one_int) = (self.double(0.0)?, self.double(1.0)?, self.int(1)?);
        // The length after the reduction.
        let pixels = self.cast(&from.pixels, DOUBLE)?;
        let factor = self.two("Div", &one, shrink)?;
        let length = self.two("Mul", &pixels, &factor)?;
        let length = self.cast(&length, INT64)?;
        let length = self.two("Max", &length, &one_int)?;
        // Row i is the mean of the pixels from i·n/m to (i + 1)·n/m, rounded outwards.
        let i = self.range(&length)?;
        let begin = self.two("Mul", &i, &from.pixels)?;
        let begin = self.two("Div", &begin, &length)?;
        let end = self.two("Add", &i, &one_int)?;
        let end = self.two("Mul", &end, &from.pixels)?;
        let end = self.two("Add", &end, &length)?;
        let end = self.two("Sub", &end, &one_int)?;
        let end = self.two("Div", &end, &length)?;
        let count = self.two("Sub", &end, &begin)?;
        let (begin, end, count) = (
            self.column(&begin)?,
            self.column(&end)?,
            self.column(&count)?,
        );
        let j = self.range(&from.pixels)?;
        let after = self.two("GreaterOrEqual", &j, &begin)?;
        let before = self.two("Less", &j, &end)?;
        let inside = self.two("And", &after, &before)?;
        let inside = self.cast(&inside, DOUBLE)?;
        let count = self.cast(&count, DOUBLE)?;
        let area = self.two("Div", &inside, &count)?;

        let (index, mask) = self.window(to, want, edge, place)?;
        // Position i of n lies at i·(m - 1)/(n - 1); a single one at the first pixel.
        let last = self.two("Sub", &length, &one_int)?;
        let last = self.cast(&last, DOUBLE)?;
        let steps = self.two("Sub", to, &one_int)?;
        let steps = self.two("Max", &steps, &one_int)?;
        let steps = self.cast(&steps, DOUBLE)?;
        let index = self.cast(&index, DOUBLE)?;
        let at = self.two("Mul", &index, &last)?;
        let at = self.two("Div", &at, &steps)?;
        let at = self.column(&at)?;
        let k = self.range(&length)?;
        let k = self.cast(&k, DOUBLE)?;
        let distance = self.two("Sub", &k, &at)?;
        let distance = self.node("Abs", &[&distance], [])?;
        let weight = self.two("Sub", &one, &distance)?;
        let mut weight = self.two("Max", &weight, &zero)?;
        if let Some(mask) = mask {
            let mask = self.column(&mask)?;
            let mask = self.cast(&mask, DOUBLE)?;
            weight = self.two("Mul", &weight, &mask)?;
        }
        let matrix = self.two("MatMul", &weight, &area)?;
        self.cast(&matrix, FLOAT)
    }

    /// The rows of `have` that a crop or padding to `want` shows, and whether they are not black.
    fn window(
        &mut self,
        have: &str,
        want: usize,
        edge: Edge,
        place: f32,
    ) -> Result<(String, Option<String>), Refusal> {
        let (zero, one, two) = (self.int(0)?, self.int(1)?, self.int(2)?);
        let next = self.int(want + 1)?;
        let want = self.int(want)?;
        // Missing pixels are padded on both sides; one more than that is spare.
        let missing = self.two("Sub", &next, have)?;
        let missing = self.two("Max", &missing, &zero)?;
        let pad = self.two("Div", &missing, &two)?;
        let padded = self.two("Mul", &pad, &two)?;
        let padded = self.two("Add", &padded, have)?;
        let spare = self.two("Add", &padded, &one)?;
        let spare = self.two("Sub", &spare, &want)?;
        let spare = self.two("Max", &spare, &zero)?;
        let spare = self.cast(&spare, DOUBLE)?;
        let place = self.double(place)?;
        let start = self.two("Mul", &spare, &place)?;
        let start = self.cast(&start, INT64)?;
        let first = self.two("Sub", &start, &pad)?;
        // An axis that fits is neither padded nor cropped.
        let fits = self.two("Equal", have, &want)?;
        let first = self.node("Where", &[&fits, &zero, &first], [])?;
        let i = self.range(&want)?;
        let i = self.two("Add", &i, &first)?;
        let last = self.two("Sub", have, &one)?;
        if edge != Edge::Reflection {
            let inside = self.two("Max", &i, &zero)?;
            let inside = self.two("Min", &inside, &last)?;
            let mask = match edge {
                Edge::Zeros => Some(self.two("Equal", &inside, &i)?),
                Edge::Border | Edge::Reflection => None,
            };
            return Ok((inside, mask));
        }
        let period = self.two("Mul", &last, &two)?;
        let period = self.two("Max", &period, &one)?;
        // As Python's remainder: not negative.
        let i = self.two("Mod", &i, &period)?;
        let mirrored = self.two("Sub", &period, &i)?;
        let i = self.two("Min", &i, &mirrored)?;
        Ok((self.two("Min", &i, &last)?, None))
    }

    /// Height and width with a shorter side of at most `side`.
    pub(super) fn shorter_side(
        &mut self,
        h: &Axis,
        w: &Axis,
        side: usize,
    ) -> Result<(String, String), Refusal> {
        let short = self.two("Min", &h.pixels, &w.pixels)?;
        let side = self.int(side)?;
        let side = self.two("Min", &short, &side)?;
        let mut scaled = |axis: &Axis| {
            let product = self.two("Mul", &axis.pixels, &side)?;
            self.two("Div", &product, &short)
        };
        Ok((scaled(h)?, scaled(w)?))
    }

    /// torchvision's `Resize`: the shorter side becomes that of a square `size` plus `extra`, a size that is not square
    /// is stretched to.
    pub(super) fn enlarged(
        &mut self,
        h: &Axis,
        w: &Axis,
        size: [usize; 2],
        extra: usize,
    ) -> Result<[String; 2], Refusal> {
        let sides = size.map(|side| side.saturating_add(extra));
        if sides[0] != sides[1] {
            return Ok([self.int(sides[0])?, self.int(sides[1])?]);
        }
        let side = self.int(sides[0])?;
        let short = self.two("Min", &h.pixels, &w.pixels)?;
        let mut scaled = |axis: &Axis| {
            let product = self.two("Mul", &side, &axis.pixels)?;
            self.two("Div", &product, &short)
        };
        Ok([scaled(h)?, scaled(w)?])
    }

    /// Pillow's bilinear resize from `from` to `to`, columns first, rounded to bytes after each pass; of the result the
    /// center, if `center` is given. Weights and sums are whole numbers, as Pillow's, so that halves are rounded as there.
    pub(super) fn pillow(
        &mut self,
        x: &str,
        from: [&Axis; 2],
        to: [&String; 2],
        center: Option<[usize; 2]>,
    ) -> Named {
        let rows = self.triangles(from[0], to[0], center.map(|size| size[0]))?;
        let cols = self.triangles(from[1], to[1], center.map(|size| size[1]))?;
        let cols = self.node("Transpose", &[&cols], [])?;
        let x = self.cast(x, DOUBLE)?;
        let x = self.two("MatMul", &x, &cols)?;
        let x = self.rounded(&x)?;
        let x = self.two("MatMul", &rows, &x)?;
        let x = self.rounded(&x)?;
        self.cast(&x, FLOAT)
    }

    /// Bytes from sums with weights of [`ONE`].
    fn rounded(&mut self, x: &str) -> Named {
        let (one, half) = (self.double(ONE)?, self.double(ONE / 2.0)?);
        let (black, white) = (self.double(0.0)?, self.double(255.0)?);
        let x = self.two("Add", x, &half)?;
        let x = self.two("Div", &x, &one)?;
        let x = self.node("Floor", &[&x], [])?;
        let x = self.two("Max", &x, &black)?;
        self.two("Min", &x, &white)
    }

    /// The matrix of Pillow's bilinear filter for one axis, times [`ONE`]: a triangle about each center, as wide as two pixels of the
    /// result, but at least of the source.
    fn triangles(&mut self, from: &Axis, to: &str, center: Option<usize>) -> Named {
        let (zero, half, one) = (self.double(0.0)?, self.double(0.5)?, self.double(1.0)?);
        let index = match center {
            None => self.range(to)?,
            Some(want) => {
                // (to - want) / 2, rounded to even.
                let want = self.int(want)?;
                let spare = self.two("Sub", to, &want)?;
                let spare = self.cast(&spare, DOUBLE)?;
                let start = self.two("Mul", &spare, &half)?;
                let start = self.node("Round", &[&start], [])?;
                let start = self.cast(&start, INT64)?;
                let i = self.range(&want)?;
                self.two("Add", &i, &start)?
            }
        };
        let pixels = self.cast(&from.pixels, DOUBLE)?;
        let to = self.cast(to, DOUBLE)?;
        let scale = self.two("Div", &pixels, &to)?;
        let support = self.two("Max", &scale, &one)?;
        let index = self.cast(&index, DOUBLE)?;
        let middle = self.two("Add", &index, &half)?;
        let middle = self.two("Mul", &middle, &scale)?;
        let middle = self.column(&middle)?;
        let j = self.range(&from.pixels)?;
        let j = self.cast(&j, DOUBLE)?;
        // The operations in Pillow's order, for its last bits.
        let distance = self.two("Sub", &j, &middle)?;
        let distance = self.two("Add", &distance, &half)?;
        let narrowing = self.two("Div", &one, &support)?;
        let distance = self.two("Mul", &distance, &narrowing)?;
        let distance = self.node("Abs", &[&distance], [])?;
        let weight = self.two("Sub", &one, &distance)?;
        let weight = self.two("Max", &weight, &zero)?;
        let axis = self.ints(vec![1])?;
        let sum = self.node(
            "ReduceSum",
            &[&weight, &axis],
            [("keepdims", Attribute::Int(1))],
        )?;
        let matrix = self.two("Div", &weight, &sum)?;
        let scale = self.double(ONE)?;
        let matrix = self.two("Mul", &matrix, &scale)?;
        let matrix = self.two("Add", &matrix, &half)?;
        self.node("Floor", &[&matrix], [])
    }
}
