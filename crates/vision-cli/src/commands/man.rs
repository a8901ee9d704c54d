//! `vision man`.

use std::fs;
use std::path::PathBuf;

use clap::CommandFactory;
use clap_mangen::Man;
use serde_json::json;
use vision::base::message::shown;
use vision::base::{atomic, io_error};

use crate::Program;
use crate::failure::{Outcome, Result};
use crate::new_file::check_new;
use crate::output::Output;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  vision man ~/.local/share/man/man1")]
pub(crate) struct Args {
    /// Folder of the pages
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Replace earlier pages
    #[arg(long)]
    overwrite: bool,
}

pub(crate) fn run(args: &Args, output: &Output) -> Result {
    let folder = &args.folder;
    let mut program = Program::command();
    // Gives the commands the names of their pages.
    program.build();
    let mut pages = Vec::new();
    collect(&program, &mut pages);
    fs::create_dir_all(folder).map_err(io_error("create the folder", folder))?;
    let mut written = Vec::new();
    for command in pages {
        let name = command
            .get_display_name()
            .unwrap_or_else(|| command.get_name());
        let file = folder.join(format!("{name}.1"));
        check_new(&file, args.overwrite, "another folder")?;
        let mut page = Vec::new();
        Man::new(command.clone()).render(&mut page)?;
        atomic::write(&file, &page)?;
        output.text(shown(&file));
        written.push(file);
    }
    output.value(&json!({ "pages": written }))?;
    Ok(Outcome::Done)
}

/// A command and those below it.
fn collect<'a>(command: &'a clap::Command, pages: &mut Vec<&'a clap::Command>) {
    pages.push(command);
    for inner in command
        .get_subcommands()
        .filter(|inner| inner.get_name() != "help")
    {
        collect(inner, pages);
    }
}
