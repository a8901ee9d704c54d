//! The tests of the data, in one program.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

/// Asserts that an error is of a variant and has fields; shows all of them if not.
macro_rules! assert_matches {
    ($value:expr, $pattern:pat $(if $guard:expr)? $(,)?) => {
        match &$value {
            $pattern $(if $guard)? => {}
            other => panic!("{other:?} is not {}", stringify!($pattern $(if $guard)?)),
        }
    };
}

mod alpha;
mod balance;
mod decisions;
mod describe;
mod doctor;
mod download_images;
mod factories;
mod fingerprint;
mod folders;
mod image_defaults;
mod image_sources;
mod images;
mod indexing;
mod labels;
mod loader;
mod numbers;
mod odd_images;
mod overlap;
mod own_transforms;
mod remote_shards;
mod resize;
mod resplit;
mod saved;
mod shards;
mod splits;
mod summary;
#[path = "../../../vision-fetch/tests/it/support/mod.rs"]
mod support;
mod synthetic;
mod tables;
mod targets;
mod transforms;
mod untar_data;
mod verify;
