//! The commands. To add one, write a file with `Args` and `run`, and name it below.

mod bench;
mod compare;
mod completions;
mod devices;
mod doctor;
mod evaluate;
mod export;
mod lr_find;
mod man;
mod predict;
mod report;
mod resume;
mod self_test;
mod serve;
mod show;
mod train;
mod weights;

use crate::failure::Result;
use crate::output::Output;

macro_rules! commands {
    ($($(#[$about:meta])* $name:ident: $module:ident,)+) => {
        #[derive(clap::Subcommand)]
        pub(crate) enum Command {
            $($(#[$about])* $name($module::Args),)+
        }

        impl Command {
            pub(crate) fn run(&self, output: &Output) -> Result {
                match self {
                    $(Self::$name(args) => $module::run(args, output),)+
                }
            }
        }
    };
}

commands! {
    /// Look for damaged files, copies, wrong splits and other problems of the data
    Doctor: doctor,
    /// Draw contact sheets: images as the model sees them, with and without augmentation
    Show: show,
    /// Find the learning rate
    LrFind: lr_find,
    /// Train a classifier, and write its model, history and report to a folder
    Train: train,
    /// Go on with a training that was interrupted
    Resume: resume,
    /// Predict images
    Predict: predict,
    /// Answer requests for predictions over HTTP, and show a page for people
    Serve: serve,
    /// Score a model on labeled images
    Evaluate: evaluate,
    /// Compare two models on the same labeled images
    Compare: compare,
    /// Write the report on a training again
    Report: report,
    /// Write a model for other programs: ONNX, safetensors, 16-bit weights
    Export: export,
    /// Check that a model predicts here what it predicted after training
    SelfTest: self_test,
    /// List, download and inspect pretrained weights
    Weights: weights,
    /// List the devices
    Devices: devices,
    /// Measure how fast a network trains and predicts here
    Bench: bench,
    /// Print the completions of a shell
    Completions: completions,
    /// Write the man pages
    Man: man,
}
