//! Links: which source pixel meets which tap, for each target pixel.

use super::DepthwiseShape;

/// A source position along one axis and the tap of the kernel that it meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) source: usize,
    pub(super) tap: usize,
}

/// The links of each target position, along both axes. Forward, the input is the source and the
/// output is the target. Backward it is the other way round: the same sums with reversed links.
pub(super) struct Links {
    pub(super) rows: Vec<Vec<Link>>,
    pub(super) columns: Vec<Vec<Link>>,
    /// Columns of the source.
    pub(super) source_width: usize,
    /// Rows of the source.
    pub(super) source_height: usize,
}

impl Links {
    pub(super) fn forward(shape: &DepthwiseShape) -> Self {
        Self {
            rows: taps(
                shape,
                shape.height,
                shape.out_height(),
                shape.padding.rows[0],
            ),
            columns: taps(
                shape,
                shape.width,
                shape.out_width(),
                shape.padding.columns[0],
            ),
            source_width: shape.width,
            source_height: shape.height,
        }
    }

    pub(super) fn backward(shape: &DepthwiseShape) -> Self {
        let forward = Self::forward(shape);
        Self {
            rows: turned(&forward.rows, shape.height),
            columns: turned(&forward.columns, shape.width),
            source_width: shape.out_width(),
            source_height: shape.out_height(),
        }
    }
}

/// The input positions that each of `outputs` sees, along one axis.
fn taps(shape: &DepthwiseShape, side: usize, outputs: usize, zeros: usize) -> Vec<Vec<Link>> {
    let position = |output: usize, tap: usize| {
        let source = (output * shape.stride + tap * shape.dilation).checked_sub(zeros);
        let source = source.filter(|&source| source < side)?;
        Some(Link { source, tap })
    };
    (0..outputs)
        .map(|output| {
            (0..shape.kernel)
                .filter_map(|tap| position(output, tap))
                .collect()
        })
        .collect()
}

fn turned(links: &[Vec<Link>], side: usize) -> Vec<Vec<Link>> {
    let mut turned = vec![Vec::new(); side];
    for (source, links) in links.iter().enumerate() {
        for link in links {
            turned[link.source].push(Link {
                source,
                tap: link.tap,
            });
        }
    }
    turned
}
