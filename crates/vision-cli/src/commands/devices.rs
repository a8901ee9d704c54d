//! `vision devices`.

use serde_json::json;
use vision::data::device;

use crate::failure::{Outcome, Result};
use crate::output::Output;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Others are compiled in by a feature: cargo install --path crates/vision-cli --features cuda\n\n\
                        Example:\n  vision devices"
)]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args, output: &Output) -> Result {
    let default = device::default_device();
    let mut devices = Vec::new();
    for name in device::compiled() {
        let found = device::parse(name);
        let is_default =
            matches!((&found, &default), (Ok(device), Ok(default)) if device == default);
        let what = match &found {
            Ok(device) => device::describe(device),
            Err(error) => error.to_string(),
        };
        let mark = if is_default { "  (default)" } else { "" };
        output.text(format_args!("{name:<8}{what}{mark}"));
        devices.push(json!({
            "name": name,
            "device": what,
            "available": found.is_ok(),
            "default": is_default,
        }));
    }
    if let Err(error) = default {
        output.text(format_args!("{:<8}{error}", "default"));
    }
    output.value(&json!({ "devices": devices }))?;
    Ok(Outcome::Done)
}
