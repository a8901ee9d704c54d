//! Regions of the target, and the classes of their pixels.
//!
//! Pixels that see the same taps form a class. Within a class, each tap is a constant distance in the source, so that
//! a tile of any pixels of the class needs no border checks, and nothing is multiplied with padding.

use std::ops::Range;

use super::DepthwiseShape;
use super::links::{Link, Links};
use crate::isa::prefetch;

/// Pixels of the target in a region. The source of a region, 16 channels of it, then fits into L2.
const PIXELS: usize = 448;
/// Pixels of a map that is small: most of them are at a border, where the same pixel of several images forms a tile.
const SMALL: usize = 256;
/// Images of small maps in a region.
const IMAGES: usize = 4;
/// Desired number of regions, so that there is work for all cores.
const REGIONS: usize = 4;

/// A tap: the distance of its source from that of the first tap, in pixels, and its place in the kernel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tap {
    pub(super) offset: usize,
    pub(super) tap: usize,
}

/// A pixel of the target.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    /// The source of its first tap, in the pixels of the region's source.
    pub(super) source: usize,
    /// Its index in the region.
    pub(super) target: usize,
}

/// Whole rows of the target: of one image, or of several whole images.
#[derive(Clone, Debug)]
pub(super) struct Region {
    images: Range<usize>,
    rows: Range<usize>,
    /// Rows of each image that are read.
    source_rows: Range<usize>,
}

/// Positions along one side.
struct Axis {
    /// The distances and taps of each class.
    classes: Vec<Vec<Link>>,
    /// For each target position, its class and the source of its first tap.
    of: Vec<(usize, usize)>,
}

impl Axis {
    fn new(links: &[Vec<Link>]) -> Self {
        let mut classes: Vec<Vec<Link>> = Vec::new();
        let mut of = Vec::with_capacity(links.len());
        for links in links {
            let base = links.first().map_or(0, |link| link.source);
            let distances = links.iter().map(|link| Link {
                source: link.source - base,
                tap: link.tap,
            });
            let taps: Vec<Link> = distances.collect();
            let class = classes.iter().position(|known| *known == taps);
            let class = class.unwrap_or_else(|| {
                classes.push(taps);
                classes.len() - 1
            });
            of.push((class, base));
        }
        Self { classes, of }
    }

    /// The source positions that a range of targets reads.
    fn reads(&self, targets: Range<usize>) -> Range<usize> {
        let read = self.of[targets].iter().filter_map(|&(class, base)| {
            let last = self.classes[class].last()?;
            Some((base, base + last.source + 1))
        });
        let (start, end) = read.fold((usize::MAX, 0), |(start, end), (first, last)| {
            (first.min(start), last.max(end))
        });
        start.min(end)..end
    }
}

/// A pass over a depthwise convolution.
pub(super) struct Plan {
    rows: Axis,
    columns: Axis,
    /// Rows and columns of the source.
    source: [usize; 2],
    channels: usize,
    batch: usize,
    /// The taps of each class: of its rows times the number of classes of columns, plus of its columns.
    taps: Vec<Vec<Tap>>,
}

impl Plan {
    pub(super) fn new(shape: &DepthwiseShape, links: &Links) -> Self {
        let (rows, columns) = (Axis::new(&links.rows), Axis::new(&links.columns));
        let mut taps = Vec::with_capacity(rows.classes.len() * columns.classes.len());
        for row in &rows.classes {
            for column in &columns.classes {
                let class = row.iter().flat_map(|vertical| {
                    column.iter().map(|horizontal| Tap {
                        offset: vertical.source * links.source_width + horizontal.source,
                        tap: vertical.tap * shape.kernel + horizontal.tap,
                    })
                });
                taps.push(class.collect());
            }
        }
        Self {
            rows,
            columns,
            source: [links.source_height, links.source_width],
            channels: shape.channels,
            batch: shape.batch,
            taps,
        }
    }

    /// The taps of each class.
    pub(super) fn taps(&self) -> &[Vec<Tap>] {
        &self.taps
    }

    /// All regions, in the order of the target. They follow the shape alone.
    pub(super) fn regions(&self) -> Vec<Region> {
        let (height, width) = (self.rows.of.len(), self.columns.of.len());
        let region = |images: Range<usize>, rows: Range<usize>| Region {
            images,
            source_rows: self.rows.reads(rows.clone()),
            rows,
        };
        let together = (self.batch / REGIONS).min(IMAGES);
        if height * width <= SMALL && together > 1 {
            let starts = (0..self.batch).step_by(together);
            let images = starts.map(|start| start..self.batch.min(start + together));
            return images.map(|images| region(images, 0..height)).collect();
        }
        let few = (height * self.batch).div_ceil(REGIONS);
        let step = (PIXELS / width).max(4).min(few).max(3);
        let rows = (0..height).step_by(step);
        (0..self.batch)
            .flat_map(|image| {
                let rows = rows.clone().map(|start| start..height.min(start + step));
                rows.map(move |rows| (image..image + 1, rows))
            })
            .map(|(images, rows)| region(images, rows))
            .collect()
    }

    /// Values of a region of the target.
    pub(super) fn len(&self, region: &Region) -> usize {
        region.images.len() * region.rows.len() * self.columns.of.len() * self.channels
    }

    /// The first pixel of a region, counted over all images.
    pub(super) fn first_pixel(&self, region: &Region) -> usize {
        (region.images.start * self.rows.of.len() + region.rows.start) * self.columns.of.len()
    }

    /// Pixels of a region's source.
    pub(super) fn source_pixels(&self, region: &Region) -> usize {
        region.images.len() * region.source_rows.len() * self.source[1]
    }

    /// The first pixel of a region's source, counted over all images, if its pixels follow each other without a gap.
    pub(super) fn contiguous_source(&self, region: &Region) -> Option<usize> {
        let all = region.source_rows.len() == self.source[0];
        let start = region.images.start * self.source[0] + region.source_rows.start;
        (all || region.images.len() == 1).then_some(start * self.source[1])
    }

    /// The pixels of a region, by class.
    pub(super) fn members(&self, region: &Region) -> Vec<Vec<Member>> {
        let width = self.columns.classes.len();
        let mut counts = vec![0; width];
        self.columns
            .of
            .iter()
            .for_each(|&(class, _)| counts[class] += 1);
        let mut members: Vec<Vec<Member>> = Vec::with_capacity(self.taps.len());
        for class in 0..self.rows.classes.len() {
            let rows = self.rows.of[region.rows.clone()].iter();
            let rows = rows.filter(|(row, _)| *row == class).count() * region.images.len();
            members.extend(
                counts
                    .iter()
                    .map(|columns| Vec::with_capacity(rows * columns)),
            );
        }
        let mut target = 0;
        for image in 0..region.images.len() {
            let first = image * region.source_rows.len();
            for &(row_class, row) in &self.rows.of[region.rows.clone()] {
                // Without taps there is no source, and the rows that are read can begin behind its place.
                let row = first + row.saturating_sub(region.source_rows.start);
                for &(column_class, column) in &self.columns.of {
                    let class = row_class * width + column_class;
                    members[class].push(Member {
                        source: row * self.source[1] + column,
                        target,
                    });
                    target += 1;
                }
            }
        }
        members
    }

    /// Copies `G` channels of a region's source from `first` on; those that do not exist become 0.
    #[inline(always)]
    pub(super) fn copy<const G: usize>(
        &self,
        region: &Region,
        source: &[f32],
        first: usize,
        copies: &mut [[f32; G]],
    ) {
        let row = self.source[1] * self.channels;
        let mut rest = copies;
        for image in region.images.clone() {
            let start = (image * self.source[0] + region.source_rows.start) * row;
            let values = &source[start..start + region.source_rows.len() * row];
            let (now, later) = rest.split_at_mut(region.source_rows.len() * self.source[1]);
            copy(values, self.channels, first, now);
            rest = later;
        }
    }
}

/// Copies `G` channels of `[pixels, channels]` from `first` on; those that do not exist become 0.
#[inline(always)]
pub(super) fn copy<const G: usize>(
    values: &[f32],
    channels: usize,
    first: usize,
    copies: &mut [[f32; G]],
) {
    let pixels = values.chunks_exact(channels).zip(copies);
    if first + G <= channels {
        for (pixel, copy) in pixels {
            copy.copy_from_slice(&pixel[first..first + G]);
            // The processor does not foresee that the next block comes after all pixels.
            fetch(&pixel[first + G..], G);
        }
    } else {
        for (pixel, copy) in pixels {
            let (there, missing) = copy.split_at_mut(channels - first);
            there.copy_from_slice(&pixel[first..]);
            missing.fill(0.0);
        }
    }
}

/// Fetches the first values of a pixel's next block.
#[inline(always)]
pub(super) fn fetch(next: &[f32], len: usize) {
    prefetch(&next[..len.min(next.len())]);
}

/// The weights `[channels, 1, kernel, kernel]` as `[blocks][kernel, kernel][width]`, with zeros for channels that do not
/// exist.
pub(super) fn blocks_of_weights(shape: &DepthwiseShape, w: &[f32], width: usize) -> Vec<f32> {
    let taps = shape.kernel * shape.kernel;
    let mut packed = vec![0.0; shape.channels.div_ceil(width) * taps * width];
    for (channel, w) in w.chunks_exact(taps).enumerate() {
        let block = channel / width * taps * width + channel % width;
        for (tap, w) in w.iter().enumerate() {
            packed[block + tap * width] = *w;
        }
    }
    packed
}
