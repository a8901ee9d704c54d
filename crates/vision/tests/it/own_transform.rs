//! The example of a transform of the user's own runs as it stands.

#[path = "../../examples/own_transform.rs"]
#[allow(dead_code, reason = "its `main` writes to a fixed folder")]
mod example;

#[test]
fn the_example_gives_the_same_batches_from_saved_data() {
    let folder = tempfile::tempdir().unwrap();
    example::run(folder.path()).unwrap();
    assert!(folder.path().join("batch.png").is_file());
}
