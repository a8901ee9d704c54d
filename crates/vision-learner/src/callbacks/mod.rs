//! Callbacks for the usual course of a training. Each is one file on the public [`Callback`](crate::Callback) trait, as
//! your own would be.

mod accumulate_gradients;
mod averaged;
mod csv_logger;
mod early_stopping;
mod ema;
mod gradient_clip;
mod kept_average;
mod memory_alarm;
mod monitor;
mod progressive_resizing;
mod reduce_lr_on_plateau;
mod save_model;
mod swa;
mod terminate_on_nan;

pub use accumulate_gradients::AccumulateGradients;
pub use csv_logger::CsvLogger;
pub use early_stopping::EarlyStopping;
pub use ema::Ema;
pub use gradient_clip::GradientClip;
pub use memory_alarm::MemoryAlarm;
pub use progressive_resizing::ProgressiveResizing;
pub use reduce_lr_on_plateau::ReduceLrOnPlateau;
pub use save_model::SaveModel;
pub use swa::Swa;
pub use terminate_on_nan::TerminateOnNan;
