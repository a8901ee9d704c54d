//! The order of an epoch over images in shards.

use crate::rng::Rng;

/// How an epoch goes through shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardOrder {
    /// From how many images the next one is drawn, over all streams.
    pub buffer: usize,
    /// The number of streams of disjoint shards.
    pub streams: usize,
}

impl ShardOrder {
    /// All items of the shards, in the order of an epoch with batches of `batch` items.
    ///
    /// Slice s of each batch, `s * batch / streams..(s + 1) * batch / streams`, is from stream s, until a stream is at its
    /// end: then the longest takes its place.
    pub(crate) fn order(self, shards: Vec<Vec<usize>>, batch: usize, rng: &mut Rng) -> Vec<usize> {
        let count = self.streams.clamp(1, shards.len().max(1));
        let buffer = (self.buffer / count).max(1);
        let streams = dealt(shards, count).into_iter();
        let streams: Vec<Vec<usize>> = streams
            .map(|shards| within(shards, buffer, &mut rng.split()))
            .collect();
        interleaved(streams, batch)
    }
}

/// Deals shards to streams, each to the one with the fewest items: the same in every epoch, so that a machine which reads
/// some of the streams needs only their shards.
fn dealt(shards: Vec<Vec<usize>>, streams: usize) -> Vec<Vec<Vec<usize>>> {
    let mut dealt: Vec<(usize, Vec<Vec<usize>>)> = vec![(0, Vec::new()); streams];
    for shard in shards {
        if let Some((items, stream)) = dealt.iter_mut().min_by_key(|(items, _)| *items) {
            *items += shard.len();
            stream.push(shard);
        }
    }
    dealt.into_iter().map(|(_, stream)| stream).collect()
}

/// Goes through shards in random order. An item moves back by a random number of places below `buffer`, so at any place
/// only the shards of the last `buffer` items are in use: each is read once.
fn within(mut shards: Vec<Vec<usize>>, buffer: usize, rng: &mut Rng) -> Vec<usize> {
    rng.shuffle(&mut shards);
    // The first items of the order come from the beginning of a shard.
    for shard in &mut shards {
        rng.shuffle(shard);
    }
    let mut items = shards.concat();
    if buffer >= items.len() {
        rng.shuffle(&mut items);
        return items;
    }
    let mut moved: Vec<(usize, usize)> = items
        .into_iter()
        .enumerate()
        .map(|(place, item)| (place + rng.below(buffer), item))
        .collect();
    // Among equal ones the order of a shard would remain, if it were not random.
    moved.sort_unstable();
    moved.into_iter().map(|(_, item)| item).collect()
}

/// One order of several.
fn interleaved(mut streams: Vec<Vec<usize>>, batch: usize) -> Vec<usize> {
    if let [only] = &mut *streams {
        return std::mem::take(only);
    }
    let total = streams.iter().map(Vec::len).sum();
    let mut order = Vec::with_capacity(total);
    for stream in &mut streams {
        stream.reverse();
    }
    while order.len() < total {
        for stream in 0..streams.len() {
            let begin = |stream| stream * batch / streams.len();
            for _ in begin(stream)..begin(stream + 1) {
                let next = streams[stream].pop().or_else(|| {
                    let longest = streams.iter_mut().max_by_key(|stream| stream.len());
                    longest.and_then(Vec::pop)
                });
                order.extend(next);
            }
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Purpose;

    /// `shards` shards of `each` items, and `more` items in the last one.
    fn shards(shards: usize, each: usize, more: usize) -> Vec<Vec<usize>> {
        let items = |shard: usize| {
            let more = if shard + 1 == shards { more } else { 0 };
            (shard * each..(shard + 1) * each + more).collect()
        };
        (0..shards).map(items).collect()
    }

    fn order(shards: Vec<Vec<usize>>, buffer: usize, streams: usize, batch: usize) -> Vec<usize> {
        let rng = &mut Rng::keyed(Purpose::Order, 7, 0, 0);
        ShardOrder { buffer, streams }.order(shards, batch, rng)
    }

    #[test]
    fn every_item_comes_once_whatever_the_sizes() {
        for (count, each, more) in [(1, 1, 0), (3, 5, 0), (7, 4, 30), (20, 30, 1)] {
            for (buffer, streams, batch) in [
                (1, 1, 1),
                (10, 2, 4),
                (50, 3, 8),
                (50, 7, 5),
                (usize::MAX, usize::MAX, 3),
            ] {
                let mut order = order(shards(count, each, more), buffer, streams, batch);
                order.sort_unstable();
                assert_eq!(order, (0..count * each + more).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn slices_of_batches_read_disjoint_shards_for_any_number_of_ranks_that_divides_the_streams() {
        let (count, each, streams, batch) = (32, 10, 8, 24);
        let order = order(shards(count, each, 0), 80, streams, batch);
        for ranks in [1, 2, 4, 8] {
            let slice = batch / ranks;
            let mut owner = vec![None; count];
            for (place, item) in order.iter().enumerate().take(320 / batch * batch) {
                let rank = place % batch / slice;
                let owner = owner[item / each].get_or_insert(rank);
                assert_eq!(*owner, rank, "{ranks} ranks, shard {}", item / each);
            }
        }
    }

    #[test]
    fn only_the_shards_of_a_buffer_are_in_use_at_once_and_each_in_one_stretch() {
        let (count, each, buffer) = (100, 20, 60);
        let order = order(shards(count, each, 0), buffer, 1, 1);
        let mut stretch = vec![(usize::MAX, 0); count];
        for (place, item) in order.iter().enumerate() {
            let (first, last) = &mut stretch[item / each];
            (*first, *last) = ((*first).min(place), place);
        }
        for place in 0..order.len() {
            let open = stretch.iter().filter(|(a, b)| (*a..=*b).contains(&place));
            // A buffer begins and ends within a shard.
            assert!(open.count() <= buffer / each + 1);
        }
    }
}
