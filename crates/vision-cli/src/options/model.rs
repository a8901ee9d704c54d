//! Options of the network.

use serde::Serialize;
use vision::models::Arch;

/// How a name of Hugging Face's hub begins.
pub(crate) const HUB: &str = "hub:";

// No documentation comment: clap would take it for the description of the command.
#[derive(Clone, Debug, Default, clap::Args, Serialize)]
#[serde(rename_all = "kebab-case")]
#[command(next_help_heading = "Model")]
pub(crate) struct ModelOptions {
    /// Architecture (see `vision weights list`) [default: that of hub:NAME, or else resnet34]
    #[arg(long, value_name = "NAME")]
    #[serde(serialize_with = "name")]
    pub(crate) arch: Option<Arch>,
    /// Weights of the body: yes (those listed for the architecture), no (random), a file, or timm's in a repository of Hugging Face's hub
    /// [default: yes if they can be had]
    #[arg(long, value_name = "yes|no|FILE|hub:NAME")]
    pub(crate) pretrained: Option<String>,
}

// By the signature that serde asks for.
#[expect(clippy::ref_option, reason = "serde calls it")]
fn name<S: serde::Serializer>(arch: &Option<Arch>, to: S) -> Result<S::Ok, S::Error> {
    arch.map(Arch::name).serialize(to)
}
