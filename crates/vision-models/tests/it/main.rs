//! The tests of the models and their files, in one program.

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

mod architectures;
mod description;
mod golden;
mod hub_config;
mod init;
mod inspect;
mod layers;
mod onnx_export;
mod onnx_import;
mod parity;
mod state;
mod state_dict_export;
mod weights;
mod weights_forms;
