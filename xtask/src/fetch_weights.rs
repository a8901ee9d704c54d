use std::path::PathBuf;

use vision::{
    data::{
        cache,
        download::{Download, Options},
    },
    models::{Arch, Init, weights},
};

use crate::Result;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Architectures; all of them if none is given
    archs: Vec<Arch>,
    /// List what there is and what is in the cache, and download nothing
    #[arg(long)]
    list: bool,
    /// Folder or base URL to take the files from instead of torchvision's server
    #[arg(long)]
    mirror: Option<String>,
    /// Folder to put the files in instead of the cache
    #[arg(long)]
    to: Option<PathBuf>,
}

/// Downloads, verifies and opens the weights of the architectures.
pub(crate) fn run(args: &Args) -> Result<()> {
    let folder = match &args.to {
        Some(folder) => folder.clone(),
        None => cache::weights_dir()?,
    };
    let archs = if args.archs.is_empty() {
        Arch::ALL
    } else {
        &args.archs
    };
    for arch in archs {
        let Some(info) = &arch.info().weights else {
            println!("{arch:<12} nobody hosts weights");
            continue;
        };
        let path = folder.join(info.file_name());
        if args.list {
            let here = if path.is_file() {
                "in the cache"
            } else {
                "not here"
            };
            println!("{arch:<12} {here:<14} {}", info.url);
            continue;
        }
        let mut options = Options::new();
        if let Some(mirror) = &args.mirror {
            options = options.with_mirror(mirror.as_str());
        }
        println!("{arch}: {}", info.url);
        Download::new(info.url, &path)
            .with_sha256(info.sha256_prefix())
            .with_options(options)
            .fetch()?;
        // A file that was fetched whole should also be what its name says.
        let device = vision::data::device::parse("cpu")?;
        let model = arch.build(info.classes, &mut Init::zeroed(&device));
        let (_, report) = weights::load_into(model, &weights::WeightsFile::open(&path)?)?;
        report.require_complete()?;
        println!("{arch}: {} ({report})", path.display());
    }
    Ok(())
}
