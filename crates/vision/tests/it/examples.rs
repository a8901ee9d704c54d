//! Examples that are short enough to run in a test.

// The test calls `run`, not `main`.
#[allow(dead_code)]
#[path = "../../examples/own_source.rs"]
mod own_source;

#[test]
fn a_source_of_ones_own_gives_batches() {
    let folder = tempfile::tempdir().unwrap();
    // 40 of each of two digits for training, of 28 x 28 pixels.
    let (items, shape) = own_source::run(folder.path()).unwrap();
    assert_eq!((items, shape), (80, [16, 3, 28, 28]));
}
