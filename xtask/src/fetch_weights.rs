use std::path::{Path, PathBuf};

use burn::tensor::{Tensor, TensorData};
use vision::data::device;
use vision::fetch::{Download, Fetched, Options, cache};
use vision::models::weights::{self, WeightsFile};
use vision::models::{Arch, Init, parity, state};

use crate::Result;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Architectures. Default: all
    archs: Vec<Arch>,
    /// List the weights and what is in the cache, and download nothing
    #[arg(long)]
    list: bool,
    /// Folder or base URL to use instead of torchvision's server
    #[arg(long)]
    mirror: Option<String>,
    /// Local file to verify and copy into the cache, for one architecture
    #[arg(long, conflicts_with = "mirror")]
    from: Option<PathBuf>,
    /// URL of other weights for one architecture, with a file name that ends in the first digits of
    /// their SHA-256 (`flowers-0123abcd.safetensors`)
    #[arg(long)]
    url: Option<String>,
    /// Folder to use instead of the cache
    #[arg(long)]
    to: Option<PathBuf>,
    /// Number of retries of a broken download
    #[arg(long, default_value_t = 4)]
    retries: u32,
}

/// What to bring: torchvision's weights, or those at a URL of the user's.
struct Target<'a> {
    arch: Arch,
    url: &'a str,
    name: &'a str,
    sha256: &'a str,
    /// Classes that the weights must have; whatever the file has if they are the user's own.
    classes: Option<usize>,
}

/// Downloads, verifies and tries out the weights of the architectures.
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
    if (args.from.is_some() || args.url.is_some()) && args.archs.len() != 1 {
        return Err("--from and --url are for one architecture: name it".into());
    }
    let mut failed = 0;
    for &arch in archs {
        // Named, it is an error; as one of all, there is just nothing to do.
        if arch.info().weights.is_none() && args.url.is_none() && args.archs.is_empty() {
            if args.list {
                println!("{:<14} nobody hosts weights", arch.name());
            }
            continue;
        }
        let target = Target::new(arch, args.url.as_deref())?;
        if args.list {
            let path = folder.join(target.name);
            println!("{:<14} {:<14} {}", arch.name(), presence(&path), target.url);
        } else if let Err(error) = fetch(&target, args, &folder) {
            // The others may do better.
            eprintln!("error: {arch}: {error}");
            failed += 1;
        }
    }
    match failed {
        0 => Ok(()),
        _ => Err(format!("{failed} of {} could not be fetched", archs.len()).into()),
    }
}

impl<'a> Target<'a> {
    fn new(arch: Arch, url: Option<&'a str>) -> Result<Self> {
        let Some(url) = url else {
            let Some(info) = &arch.info().weights else {
                return Err(format!(
                    "{arch}: nobody hosts weights of this architecture; give your own with --url, or train \
                     from random weights"
                )
                .into());
            };
            return Ok(Self {
                arch,
                url: info.url,
                name: info.file_name(),
                sha256: info.sha256_prefix(),
                classes: Some(info.classes),
            });
        };
        let path = url.split(['?', '#']).next().unwrap_or(url);
        let name = path.rsplit('/').next().unwrap_or(path);
        let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
        let sha256 = stem.rsplit_once('-').map_or("", |(_, digits)| digits);
        if sha256.len() < 8 || !sha256.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(format!(
                "{url}: expected a name that ends in a hyphen and at least 8 digits of the file's SHA-256 \
                 (flowers-0123abcd.safetensors), found {name:?}; without them nothing can be verified"
            )
            .into());
        }
        Ok(Self {
            arch,
            url,
            name,
            sha256,
            classes: None,
        })
    }
}

fn presence(path: &Path) -> &'static str {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    if path.is_file() {
        "in the cache"
    } else if Path::new(&part).is_file() {
        "begun"
    } else {
        "not here"
    }
}

fn fetch(target: &Target<'_>, args: &Args, folder: &Path) -> Result<()> {
    let Target { arch, url, .. } = target;
    let path = folder.join(target.name);
    let mut options = Options::new().with_retries(args.retries);
    if let Some(mirror) = &args.mirror {
        options = options.with_mirror(mirror.as_str());
    }
    let download = Download::new(*url, &path)
        .with_sha256(target.sha256)
        .with_options(options);
    let fetched = match &args.from {
        Some(file) => {
            println!("{arch}: {}", file.display());
            download.install(file)?
        }
        None => {
            println!("{arch}: {url}");
            download.fetch()?
        }
    };
    println!("{arch}: {}", path.display());
    let check = self_check(target, &fetched)?;
    println!("{arch}: {check}");
    Ok(())
}

/// Runs the weights on the parity input, and reports what that shows and what it cannot show.
fn self_check(target: &Target<'_>, fetched: &Fetched) -> Result<String> {
    let device = device::parse("cpu")?;
    let info = target.arch.info();
    let build = |classes| target.arch.build(classes, &mut Init::zeroed(&device));
    let mut model = build(info.weights.as_ref().map_or(1000, |w| w.classes));
    let file = WeightsFile::open(&fetched.path)?;
    if target.classes.is_none() {
        // Every classifier ends in a parameter with one value, or row, per class.
        let last = state::entries(&model).pop();
        let report = weights::compare_layers(&model, &file)?;
        let found = report
            .mismatched
            .iter()
            .find(|m| last.as_ref().is_some_and(|l| l.name == m.name));
        let shape = found.map(|m| &m.found[..]);
        if let Some(&classes) = shape.and_then(<[usize]>::first).filter(|&&n| n > 0) {
            model = build(classes);
        }
    }
    let (model, report) = weights::load_layers(model, &file)?;
    report.require_complete()?;

    let shape = [1, 3, info.input_size, info.input_size];
    let pixels = TensorData::new(parity::fill("input", &shape, 0), shape);
    let logits = state::values(model.forward(Tensor::<4>::from_data(pixels, &device)));
    if let Some(bad) = logits.iter().find(|v| !v.is_finite()) {
        return Err(format!(
            "{}: the parity input gives {bad} among its {} logits; expected finite numbers: the weights are \
             spoiled, though the file is the one that its SHA-256 names",
            fetched.path.display(),
            logits.len()
        )
        .into());
    }
    let norm = logits.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>();
    let top = (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b]));
    Ok(format!(
        "{report}\n  SHA-256 {} begins with {}, as the name says\n  the parity input gives {} finite logits, \
         norm {:.4}, class {} first (what they should be is not known here)",
        fetched.sha256,
        target.sha256,
        logits.len(),
        norm.sqrt(),
        top.unwrap_or(0),
    ))
}
