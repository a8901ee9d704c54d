//! Micro-kernels: the two inner loops that take nearly all the time, and their tile per instruction
//! set.
//!
//! A tile is `MR` rows of `NV` vectors of `W` values: an accumulator array small enough for rustc
//! to keep in registers, because all indices into it are constants once its loops are unrolled.

use crate::isa::{Isa, Kernel, Lanes, dispatch};

/// Accumulators of `MR` rows.
pub(crate) type Tile<const W: usize, const NV: usize, const MR: usize> = [[[f32; W]; NV]; MR];

/// A kernel that is also generic over the tile. `run` must be `#[inline(always)]`.
pub(crate) trait TileKernel {
    /// Runs it with tiles of at most `MR` rows by `NV * W` columns.
    fn run<L: Lanes, const W: usize, const NV: usize, const MR: usize>(self);
}

struct Tiled<K>(K);

impl<K: TileKernel> Kernel for Tiled<K> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        // 6 x 4 of 32 registers, or 6 x 2 of 16 with fused multiply-add. Without it the product
        // takes a register as well, and 3 x 4 is the largest tile that does not spill (5 times
        // faster than 6 x 4).
        match (L::WIDTH, L::REGISTERS) {
            (16, _) => self.0.run::<L, 16, 4, 6>(),
            (8, _) => self.0.run::<L, 8, 2, 6>(),
            (_, 32) => self.0.run::<L, 4, 4, 6>(),
            _ => self.0.run::<L, 4, 4, 3>(),
        }
    }
}

/// Runs `kernel` with the tile of `isa`.
pub(crate) fn dispatch_tiled<K: TileKernel>(isa: Isa, kernel: K) {
    dispatch(isa, Tiled(kernel));
}

/// Runs `kernel` with tiles of 1 to 5 rows, if there are any: those that are left over.
///
/// Each number of rows is a function of its own. In one function with the others, some of their
/// loops became scalar code.
pub(crate) fn dispatch_rows<K: TileKernel>(isa: Isa, rows: usize, kernel: K) {
    struct Rows<K, const MR: usize>(K);
    impl<K: TileKernel, const MR: usize> Kernel for Rows<K, MR> {
        type Output = ();

        #[inline(always)]
        fn run<L: Lanes>(self) {
            match L::WIDTH {
                16 => self.0.run::<L, 16, 4, MR>(),
                8 => self.0.run::<L, 8, 2, MR>(),
                _ => self.0.run::<L, 4, 4, MR>(),
            }
        }
    }
    with_rows!(rows, |ROWS| dispatch(isa, Rows::<K, ROWS>(kernel)));
}

/// The rows of a tile.
pub(crate) fn tile_rows(isa: Isa) -> usize {
    struct Height<'a>(&'a mut usize);
    impl TileKernel for Height<'_> {
        #[inline(always)]
        fn run<L: Lanes, const W: usize, const NV: usize, const MR: usize>(self) {
            *self.0 = MR;
        }
    }
    let mut rows = 0;
    dispatch_tiled(isa, Height(&mut rows));
    rows
}

/// The instruction set for a product with few columns: half a panel of AVX-512 with its 64 columns
/// costs more than AVX2 with its 16.
pub(crate) fn for_columns(isa: Isa, columns: usize) -> Isa {
    match isa {
        Isa::Avx512 if columns <= 32 => Isa::Avx2,
        _ => isa,
    }
}

/// The columns of a tile, which is the width of the panels of packed weights.
pub(crate) fn panel_width(isa: Isa) -> usize {
    struct Width;
    impl Kernel for Width {
        type Output = usize;

        #[inline(always)]
        fn run<L: Lanes>(self) -> usize {
            if L::WIDTH == 16 { 64 } else { 16 }
        }
    }
    dispatch(isa, Width)
}

/// A panel as rows of vectors.
#[inline(always)]
pub(crate) fn panel_rows<const W: usize, const NV: usize>(panel: &[f32]) -> &[[[f32; W]; NV]] {
    panel.as_chunks::<W>().0.as_chunks::<NV>().0
}

/// `tile[m] += rows[m][k] * panel[k]` for all `k`: as many rows of a matrix product as the tile
/// has.
///
/// The tile must be a local array of the caller, copied from and to its permanent place, and
/// nothing else may take its address. Otherwise the compiler writes it to memory at each step,
/// which is four times slower. A copy inside this function instead is split into scalars, which is
/// twenty times slower.
#[inline(always)]
pub(crate) fn add_rows<L: Lanes, const W: usize, const NV: usize, const MR: usize>(
    tile: &mut Tile<W, NV, MR>,
    rows: [&[f32]; MR],
    panel: &[[[f32; W]; NV]],
) {
    // Zipped, so that the loop needs no bounds checks: with a check between the products, the
    // compiler keeps weights or sums in memory. Beyond the last row, its values are read again and
    // not used.
    let row = |m: usize| &rows[m.min(MR - 1)][..panel.len()];
    let pairs = |m: usize| row(m).iter().zip(row(m + 1));
    let rows = pairs(0).zip(pairs(2)).zip(pairs(4));
    for (weights, (((a, b), (c, d)), (e, f))) in panel.iter().zip(rows) {
        let values = [*a, *b, *c, *d, *e, *f];
        for m in 0..MR {
            for v in 0..NV {
                for w in 0..W {
                    tile[m][v][w] = L::mul_add(values[m], weights[v][w], tile[m][v][w]);
                }
            }
        }
    }
}

/// `tile[m] += x[p][first + m] * panel[p]` for all `p`: a sum of outer products. `x` has rows of
/// `stride` values, see [`spread`]. For `tile`, see [`add_rows`].
#[inline(always)]
pub(crate) fn add_outer<L: Lanes, const W: usize, const NV: usize, const MR: usize>(
    tile: &mut Tile<W, NV, MR>,
    (x, stride): (&[f32], usize),
    first: usize,
    panel: &[[[f32; W]; NV]],
) {
    for (row, gradients) in x.chunks_exact(stride).zip(panel) {
        let values: &[f32] = &row[first..first + MR];
        for m in 0..MR {
            let value = values[m];
            for v in 0..NV {
                for w in 0..W {
                    tile[m][v][w] = L::mul_add(value, gradients[v][w], tile[m][v][w]);
                }
            }
        }
    }
}

/// The distance between rows of `len` values for [`add_outer`]. It is not a power of two, because
/// then the same columns of many rows would evict each other from the cache.
pub(crate) fn spread(len: usize) -> usize {
    len.next_multiple_of(16) + 16
}

/// Evaluates `$body` with the number of rows of the last, smaller tile as a constant: 1 to 5, or
/// not at all.
macro_rules! with_rows {
    ($rows:expr, |$constant:ident| $body:expr) => {
        match $rows {
            1 => {
                const $constant: usize = 1;
                $body
            }
            2 => {
                const $constant: usize = 2;
                $body
            }
            3 => {
                const $constant: usize = 3;
                $body
            }
            4 => {
                const $constant: usize = 4;
                $body
            }
            5 => {
                const $constant: usize = 5;
                $body
            }
            _ => {}
        }
    };
}
pub(crate) use with_rows;
