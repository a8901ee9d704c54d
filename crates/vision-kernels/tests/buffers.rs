//! Recycling of buffers. The pool belongs to the process, so these tests are a program of their
//! own.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::sync::{Mutex, MutexGuard, PoisonError};

use vision_kernels::buffers::{self, Buffer};

const LARGE: usize = 1 << 20;

/// The pool belongs to the process: one test at a time, each starting with an empty pool.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    let guard = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    buffers::set_limit(buffers::DEFAULT_LIMIT);
    buffers::clear();
    guard
}

#[test]
fn a_large_buffer_that_was_dropped_is_the_next_of_its_size() {
    let _alone = alone();
    let mut first = buffers::take(LARGE + 5);
    first.fill(3.0);
    let place = first.as_ptr();
    drop(first);
    assert!(buffers::kept() >= 4 * (LARGE + 5));
    let again = buffers::take(LARGE + 6);
    assert_eq!(again.as_ptr(), place);
    assert_eq!(again.len(), LARGE + 6);
    assert_eq!(buffers::kept(), 0);
    assert_ne!(buffers::take(LARGE + 6).as_ptr(), place, "it is in use");
}

#[test]
fn a_buffer_of_another_size_class_is_not_taken() {
    let _alone = alone();
    drop(buffers::take(2 * LARGE));
    let kept = buffers::kept();
    drop(buffers::take(LARGE));
    assert!(buffers::kept() > kept);
}

#[test]
fn every_length_is_handed_out_in_full_and_wastes_an_eighth_at_most() {
    let _alone = alone();
    for len in [
        0,
        1,
        1000,
        LARGE - 1,
        LARGE,
        LARGE + 1,
        LARGE * 9 / 8 + 1,
        2 * LARGE - 1,
    ] {
        let mut buffer = buffers::take(len);
        assert_eq!(buffer.len(), len);
        buffer.fill(1.0);
        assert!(buffer.iter().all(|&v| v == 1.0));
        let floats = buffer.into_vec();
        assert_eq!(floats.len(), len);
        assert!(floats.capacity() <= len + len / 8 + 1, "{len}");
    }
    assert_eq!(buffers::kept(), 0, "a vector is its owner's");
}

#[test]
fn small_buffers_are_left_to_the_allocator() {
    let _alone = alone();
    drop(buffers::take(1000));
    assert_eq!(buffers::kept(), 0);
}

#[test]
fn a_vector_goes_out_and_comes_back_without_a_copy() {
    let _alone = alone();
    let floats = buffers::take(LARGE + 5).into_vec();
    let place = floats.as_ptr();
    let buffer = Buffer::from_vec(floats);
    assert_eq!((buffer.as_ptr(), buffer.len()), (place, LARGE + 5));
    drop(buffer);
    assert_eq!(buffers::take(LARGE + 5).as_ptr(), place);
    // A vector from elsewhere serves the class below its length.
    drop(Buffer::from_vec(vec![2.0; LARGE + 5]));
    assert_eq!(buffers::take(LARGE).len(), LARGE);
}

#[test]
fn a_vector_that_was_not_filled_goes_back_to_the_class_it_came_from() {
    let _alone = alone();
    let mut floats = buffers::take(2 * LARGE).into_vec();
    let place = floats.as_ptr();
    floats.truncate(LARGE);
    drop(Buffer::from_vec(floats));
    let again = buffers::take(2 * LARGE);
    assert_eq!((again.as_ptr(), again.len()), (place, 2 * LARGE));
    assert_eq!(buffers::kept(), 0);
}

#[test]
fn bytes_are_recycled_as_floats_are_and_apart_from_them() {
    let _alone = alone();
    let bytes = buffers::take_bytes(LARGE + 5);
    let place = bytes.as_ptr();
    drop(bytes);
    let kept = buffers::kept();
    assert!((LARGE + 5..2 * LARGE).contains(&kept), "{kept}");
    let floats = buffers::take(LARGE + 5);
    assert_eq!(buffers::kept(), kept, "no floats in the memory of bytes");
    let mut again = buffers::take_bytes(LARGE + 6);
    again.fill(7);
    assert_eq!((again.as_ptr(), again.len()), (place, LARGE + 6));
    drop((floats, again));
    buffers::set_limit(0);
    assert_eq!(buffers::kept(), 0, "the limit is for both");
}

#[test]
fn no_more_than_the_limit_is_kept_and_the_oldest_goes_first() {
    let _alone = alone();
    buffers::set_limit(4 * 3 * LARGE);
    let taken = [LARGE, 2 * LARGE, LARGE].map(buffers::take);
    let places = [0, 1, 2].map(|i: usize| taken[i].as_ptr());
    for buffer in taken {
        drop(buffer);
        assert!(buffers::kept() <= 4 * 3 * LARGE);
    }
    assert_eq!(buffers::take(LARGE).as_ptr(), places[2]);
    assert_eq!(buffers::take(2 * LARGE).as_ptr(), places[1]);
    drop(buffers::take(4 * LARGE));
    assert_eq!(buffers::kept(), 0, "larger than the limit");
    buffers::set_limit(0);
    drop(buffers::take(LARGE));
    assert_eq!(buffers::kept(), 0);
}

#[test]
fn threads_share_one_recycler() {
    let _alone = alone();
    let buffer = buffers::take(LARGE);
    let place = buffer.as_ptr() as usize;
    let elsewhere = std::thread::spawn(move || drop(buffer));
    elsewhere.join().unwrap();
    assert_eq!(buffers::take(LARGE).as_ptr() as usize, place);
}
