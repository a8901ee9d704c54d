//! An order of classes in which those that are confused are neighbors.

use crate::ConfusionMatrix;

/// Groups of classes in an order, and how much the classes of two groups are confused.
struct Groups {
    /// Empty if the group is a part of another one.
    members: Vec<Vec<usize>>,
    /// Mean confusion of a class of the one group with a class of the other; row-major.
    between: Vec<f64>,
    classes: usize,
}

/// How often items of one class were predicted as the other, as a share of the items of each.
fn confusion(matrix: &ConfusionMatrix, a: usize, b: usize, totals: &[u64]) -> f64 {
    let share = |from: usize, to: usize| match totals[from] {
        0 => 0.0,
        total => matrix.get(from, to).unwrap_or(0) as f64 / total as f64,
    };
    (share(a, b) + share(b, a)) / 2.0
}

/// These classes in an order in which those that are confused are neighbors: hierarchical clustering with average
/// linkage (the nearest-neighbor chain of Murtagh 1983), where groups are joined at the ends that are confused most.
pub(crate) fn similar_order(matrix: &ConfusionMatrix, classes: &[usize]) -> Vec<usize> {
    let n = classes.len();
    let totals: Vec<u64> = matrix.rows().map(|row| row.iter().sum()).collect();
    let mut own = vec![0.0; n * n];
    for a in 0..n {
        for b in a + 1..n {
            let value = confusion(matrix, classes[a], classes[b], &totals);
            (own[a * n + b], own[b * n + a]) = (value, value);
        }
    }
    let mut groups = Groups {
        members: (0..n).map(|class| vec![class]).collect(),
        between: own.clone(),
        classes: n,
    };
    let mut chain: Vec<usize> = Vec::new();
    for _ in 1..n {
        if chain.is_empty() {
            let first = groups.members.iter().position(|group| !group.is_empty());
            chain.extend(first);
        }
        // Each group of the chain is nearest to the one before, until two are nearest to each other.
        while let Some(&last) = chain.last() {
            let before = chain.len().checked_sub(2).map(|at| chain[at]);
            let Some(next) = groups.nearest(last, before) else {
                break;
            };
            if Some(next) == before {
                chain.truncate(chain.len() - 2);
                groups.join(next, last, &own);
                break;
            }
            chain.push(next);
        }
    }
    let order = groups.members.into_iter().flatten();
    order.map(|place| classes[place]).collect()
}

impl Groups {
    /// The group that is confused most with this one; of equals the one `before` it in the chain, or else the first.
    fn nearest(&self, group: usize, before: Option<usize>) -> Option<usize> {
        let value = |other: usize| self.between[group * self.classes + other];
        let mut best = before;
        for other in 0..self.classes {
            let exists = other != group && !self.members[other].is_empty();
            if exists && best.is_none_or(|best| value(other) > value(best)) {
                best = Some(other);
            }
        }
        best
    }

    /// Puts two groups into the place of the first of them, joined at the ends that are confused most.
    fn join(&mut self, a: usize, b: usize, own: &[f64]) {
        let (into, from) = (a.min(b), a.max(b));
        let n = self.classes;
        let mut left = std::mem::take(&mut self.members[into]);
        let mut right = std::mem::take(&mut self.members[from]);
        let sizes = (left.len() as f64, right.len() as f64);
        let at = |a: Option<&usize>, b: Option<&usize>| match (a, b) {
            (Some(a), Some(b)) => own[a * n + b],
            _ => 0.0,
        };
        let ends = [
            (at(left.last(), right.first()), false, false),
            (at(left.last(), right.last()), false, true),
            (at(left.first(), right.first()), true, false),
            (at(left.first(), right.last()), true, true),
        ];
        // The first of equals, so that nothing is turned around without a reason.
        let mut best = ends[0];
        for end in ends {
            if end.0 > best.0 {
                best = end;
            }
        }
        if best.1 {
            left.reverse();
        }
        if best.2 {
            right.reverse();
        }
        left.extend(right);
        self.members[into] = left;
        for other in 0..n {
            let mean = (self.between[into * n + other] * sizes.0
                + self.between[from * n + other] * sizes.1)
                / (sizes.0 + sizes.1);
            self.between[into * n + other] = mean;
            self.between[other * n + into] = mean;
        }
    }
}

/// Up to `n` classes: those of the pairs that were confused most, most confused first. A pair is taken whole.
pub(crate) fn confused_classes(matrix: &ConfusionMatrix, n: usize) -> Vec<usize> {
    let mut pairs = Vec::new();
    for (a, row) in matrix.rows().enumerate() {
        for (b, count) in row.iter().enumerate().skip(a + 1) {
            // Counts of a matrix add up to at most 2⁵³.
            let both = count + matrix.get(b, a).unwrap_or(0);
            if both > 0 {
                pairs.push((both, a, b));
            }
        }
    }
    pairs.sort_by_key(|(count, ..)| std::cmp::Reverse(*count));
    let mut taken = vec![false; matrix.classes().len()];
    let mut found = Vec::new();
    for (_, a, b) in pairs {
        let new: Vec<usize> = [a, b].into_iter().filter(|class| !taken[*class]).collect();
        if found.len() + new.len() <= n {
            new.iter().for_each(|class| taken[*class] = true);
            found.extend(new);
        }
    }
    found
}

impl ConfusionMatrix {
    /// The positions of all classes in an order in which those that are confused are neighbors: hierarchical clustering
    /// with average linkage, by the share of each class's items that were predicted as the other class.
    ///
    /// ```
    /// use vision_interp::ConfusionMatrix;
    ///
    /// # fn main() -> vision_interp::Result<()> {
    /// let rows = [[9, 0, 1], [0, 10, 0], [3, 0, 7]];
    /// let matrix = ConfusionMatrix::from_rows(["cat", "car", "dog"], rows)?;
    /// assert_eq!(matrix.order_by_confusion(), [0, 2, 1]);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias("linkage", "leaves_list"))]
    pub fn order_by_confusion(&self) -> Vec<usize> {
        let all: Vec<usize> = (0..self.classes().len()).collect();
        similar_order(self, &all)
    }
}
