//! Tells the crate its own `opt-level`, which no crate can see: debug assertions are another setting.

use std::env;

#[allow(clippy::expect_used)] // a broken invariant of Cargo's
fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let level = env::var("OPT_LEVEL").expect("Cargo sets it for every build script");
    println!("cargo::rustc-env=OPT_LEVEL_OF_KERNELS={level}");
}
