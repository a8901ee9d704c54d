//! Grouping images that look alike, without comparing all pairs.
//!
//! Hashes of 64 bits are cut into four bands of 16. If two hashes differ by at most 7 bits, then
//! some band differs by at most one bit. So an image is only compared with those that share a band
//! up to one bit: 17 look-ups per band. Each band of ten thousand photographs holds one or two.

use std::collections::HashMap;

use crate::inspect::doctor::look::{Look, RADIUS};

const BANDS: u32 = 4;

/// A group: its first image (the leader), and the members with their correlations to it.
pub(super) type Group = (usize, Vec<(usize, f32)>);

/// The leaders of the groups, indexed by band.
#[derive(Default)]
struct Leaders {
    by_band: HashMap<(u32, u16), Vec<u32>>,
}

/// Groups the images, in the given order. Each image joins the group whose leader it resembles
/// most, or leads a new group. Members are compared with their leader, not with each other, so that
/// chains of small differences do not join different images.
pub(super) fn groups(looks: &[Option<&Look>]) -> Vec<Group> {
    let mut leaders = Leaders::default();
    let mut members: HashMap<usize, Vec<(usize, f32)>> = HashMap::new();
    for (item, look) in looks.iter().enumerate() {
        let Some(look) = look.filter(|look| !look.flat) else {
            continue;
        };
        let mut best: Option<(usize, f32)> = None;
        leaders.visit(look.hash, |leader| {
            let other = looks.get(leader).copied().flatten();
            let Some(other) = other.filter(|o| (o.hash ^ look.hash).count_ones() <= RADIUS) else {
                return;
            };
            // Among equals choose the first, whatever the order of visits.
            if let Some(alike) = look.alike(other)
                && best.is_none_or(|(known, most)| alike > most || alike >= most && leader < known)
            {
                best = Some((leader, alike));
            }
        });
        match best {
            Some((leader, alike)) => members.entry(leader).or_default().push((item, alike)),
            None => leaders.add(item, look.hash),
        }
    }
    let mut groups: Vec<Group> = members.into_iter().collect();
    groups.sort_unstable_by_key(|(leader, _)| *leader);
    groups
}

impl Leaders {
    fn add(&mut self, item: usize, hash: u64) {
        for band in 0..BANDS {
            let key = (band, (hash >> (16 * band)) as u16);
            self.by_band.entry(key).or_default().push(item as u32);
        }
    }

    fn visit(&self, hash: u64, mut visit: impl FnMut(usize)) {
        for band in 0..BANDS {
            let own = (hash >> (16 * band)) as u16;
            for key in std::iter::once(own).chain((0..16).map(|bit| own ^ 1 << bit)) {
                for &leader in self.by_band.get(&(band, key)).into_iter().flatten() {
                    visit(leader as usize);
                }
            }
        }
    }
}
