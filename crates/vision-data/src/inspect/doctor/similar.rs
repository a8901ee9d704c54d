//! Groups of pictures that look alike, without comparing each with each.
//!
//! Hashes of 64 bits are cut into four bands of 16. If two differ by at most 7 bits, then by at
//! most one bit in some band; so a picture is compared only with those that share a band, or all of
//! it but one bit: 17 look-ups a band. Bands of ten thousand photographs hold one or two each.

use std::collections::HashMap;

use crate::inspect::doctor::look::{Look, RADIUS};

const BANDS: u32 = 4;

/// A group: its first picture, and those that look like it with their correlations.
pub(super) type Group = (usize, Vec<(usize, f32)>);

/// The first of each group, findable by band.
#[derive(Default)]
struct Leaders {
    by_band: HashMap<(u32, u16), Vec<u32>>,
}

/// Groups the pictures, given in order; each goes to the earlier leader of a group that it is most
/// alike, or leads a new one. Members are compared with their leader, not with each other, so that
/// no chain of small differences joins what is different.
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
            // Of equals the first, whatever the order of visits.
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
