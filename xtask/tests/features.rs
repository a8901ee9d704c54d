//! What tests and benches depend on switches on no feature in what programs depend on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::process::Command;

/// Every package of the workspace's tree along such edges, with its features.
fn packages(edges: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--workspace", "--offline", "--locked"])
        .args(["--edges", edges, "--prefix", "none"])
        .args(["--format", "{p} [{f}]"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    // The mark of a subtree that is printed elsewhere.
    let package = |line: &str| line.trim_end_matches(" (*)").to_owned();
    text.lines().map(package).collect()
}

/// Otherwise `cargo xtask`, after an example or a test, compiles Burn again. Such features are asked for
/// in `xtask/Cargo.toml`.
#[test]
fn dev_dependencies_switch_on_no_feature_of_a_dependency() {
    let programs = packages("normal,build");
    let everything = packages("normal,build,dev");
    assert!(programs.iter().any(|package| package.starts_with("burn ")));
    assert!(programs.len() < everything.len());
    let differ: Vec<_> = programs.difference(&everything).collect();
    assert!(differ.is_empty(), "{differ:#?}");
}
