//! `vision completions`.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::Program;
use crate::failure::{Outcome, Result};
use crate::output::Output;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
                        vision completions bash > ~/.local/share/bash-completion/completions/vision\n  \
                        vision completions fish > ~/.config/fish/completions/vision.fish")]
pub(crate) struct Args {
    /// Shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

pub(crate) fn run(args: &Args, output: &Output) -> Result {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Program::command(), "vision", &mut script);
    output.line(String::from_utf8_lossy(&script).trim_end());
    Ok(Outcome::Done)
}
