//! The tests of learners, in one program.

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

mod arguments;
mod calibration;
mod callbacks;
mod callbacks_by_pytorch;
mod cam;
mod checkpoints;
mod classifiers;
mod cross_validation;
mod data_parallel;
mod deployed;
mod deployed_damage;
mod device_faults;
mod embed;
mod evaluation;
mod export;
mod feature_cache;
mod feature_space;
mod fixed_body;
mod freezing;
mod hub;
mod losses;
mod mc_dropout;
mod metrics;
mod optimizers;
mod own_backbone;
mod plain;
mod predictions;
mod prelude;
mod pretrained;
mod repeatability;
mod resume;
mod robust;
mod schedules;
mod scored;
#[path = "../../../vision-fetch/tests/it/support/mod.rs"]
mod server;
mod small;
mod summary;
mod support;
mod threads;
mod training;
mod training_loop;
mod transformers;
mod tta;
mod written;
