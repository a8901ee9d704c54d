//! Points that are connected by small distances.

use crate::feature_space::points::{BLOCK, Points};

/// Sets of connected points.
struct Sets {
    parents: Vec<u32>,
}

impl Sets {
    fn new(points: usize) -> Self {
        Self {
            parents: (0..points as u32).collect(),
        }
    }

    /// The first point of a set.
    fn first(&mut self, mut point: usize) -> usize {
        while self.parents[point] as usize != point {
            let parent = self.parents[point] as usize;
            self.parents[point] = self.parents[parent];
            point = parent;
        }
        point
    }

    /// Whether two sets were joined: not if they were one.
    fn join(&mut self, a: usize, b: usize) -> bool {
        let (a, b) = (self.first(a), self.first(b));
        self.parents[a.max(b)] = a.min(b) as u32;
        a != b
    }
}

/// What a block of points is connected with: at most one pair for each point.
struct Block {
    first: usize,
    own: Sets,
    pairs: Vec<(u32, u32)>,
}

impl Points<'_> {
    /// The groups of points that are connected by cosines of at least `least`, each ascending, in the order of their first
    /// points. A point that is connected with no other is in none.
    pub(super) fn groups(&self, least: f64) -> Vec<Vec<usize>> {
        let error = f64::from(self.error());
        let start = |rows: std::ops::Range<usize>| Block {
            first: rows.start,
            own: Sets::new(BLOCK),
            pairs: Vec::new(),
        };
        // The cosines of the points before the block are those of the blocks of these points.
        let blocks = self.blocks(
            |first| first,
            start,
            |block, other, cosines| {
                let mut known = None;
                for (row, cosine) in cosines.iter().enumerate() {
                    let cosine = f64::from(*cosine);
                    let point = block.first + row;
                    if cosine < least - error || other <= point {
                        continue;
                    }
                    // So close to the limit that 64 bits decide.
                    if cosine < least + error && self.cosine(point, other) < least {
                        continue;
                    }
                    match known {
                        None => {
                            known = Some(row);
                            block.pairs.push((point as u32, other as u32));
                        }
                        Some(before) => {
                            if block.own.join(before, row) {
                                let before = block.first + before;
                                block.pairs.push((before as u32, point as u32));
                            }
                        }
                    }
                }
            },
        );
        let mut sets = Sets::new(self.len());
        for (a, b) in blocks.into_iter().flat_map(|block| block.pairs) {
            sets.join(a as usize, b as usize);
        }
        let mut members: Vec<Vec<usize>> = vec![Vec::new(); self.len()];
        for point in 0..self.len() {
            members[sets.first(point)].push(point);
        }
        members.retain(|group| group.len() > 1);
        members
    }
}
