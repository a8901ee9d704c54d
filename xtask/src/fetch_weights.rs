use std::path::{Path, PathBuf};

use burn::tensor::{Tensor, TensorData};
use vision::data::device;
use vision::fetch::{Download, Fetched, Options, cache};
use vision::learner::imagenet_weights;
use vision::models::weights::{self, WeightsFile};
use vision::models::{Arch, Init, WeightsInfo, WeightsPlace, parity, state};

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
        let place = arch.info().weights.as_ref().map(|info| info.place);
        let (url, mib) = match place {
            Some(WeightsPlace::Url { url, mib }) => (Some(url), Some(mib)),
            _ => (None, None),
        };
        if let (Some(WeightsPlace::Hub { repository }), None) = (place, &args.url) {
            // Its files are verified by the hashes that the hub states.
            if args.list {
                println!("{:<14} on the hub: {repository}", arch.name());
            } else {
                match imagenet_weights(arch) {
                    Ok(file) => println!("{arch}: {}", file.display()),
                    Err(error) => {
                        eprintln!("error: {error}");
                        failed += 1;
                    }
                }
            }
            continue;
        }
        let Some(url) = args.url.as_deref().or(url) else {
            // An error only if the user named it.
            if !args.archs.is_empty() {
                return Err(format!(
                    "{arch}: there are no published weights; give your own with --url, or train from random weights"
                )
                .into());
            }
            if args.list {
                println!("{:<14} no published weights", arch.name());
            }
            continue;
        };
        let download = Download::named_by_hash(url, &folder)?;
        if args.list {
            let size = mib.filter(|_| args.url.is_none());
            let size = size.map_or(String::new(), |mib| format!("{mib:.1} MiB"));
            let presence = presence(download.file());
            println!("{:<14} {presence:<14} {size:>9} {url}", arch.name());
        } else if let Err(error) = fetch(arch, url, download, args) {
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

fn fetch(arch: Arch, url: &str, download: Download, args: &Args) -> Result<()> {
    let own = args.url.is_some();
    let mut options = Options::new().with_retries(args.retries);
    let info = arch.info().weights.as_ref().filter(|_| !own);
    if let Some(bytes) = info.and_then(WeightsInfo::max_bytes) {
        options = options.with_max_size(bytes);
    }
    if let Some(mirror) = &args.mirror {
        options = options.with_mirror(mirror.as_str());
    }
    let download = download.with_options(options);
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
    println!("{arch}: {}", fetched.path.display());
    let check = self_check(arch, own, &fetched)?;
    let digits = download.sha256().unwrap_or_default();
    println!(
        "{arch}: {check}\n  SHA-256 {} begins with {digits}, as the name says",
        fetched.sha256
    );
    Ok(())
}

/// Runs the weights on the parity input, and reports what that shows and what it cannot show.
fn self_check(arch: Arch, own: bool, fetched: &Fetched) -> Result<String> {
    let device = device::parse("cpu")?;
    let info = arch.info();
    let build = |classes| arch.build(classes, &mut Init::zeroed(&device));
    let mut model = build(info.weights.as_ref().map_or(1000, |w| w.classes));
    let file = WeightsFile::open(&fetched.path)?;
    if own {
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
             damaged, although the file has the expected SHA-256",
            fetched.path.display(),
            logits.len()
        )
        .into());
    }
    let norm = logits.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>();
    let top = (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b]));
    Ok(format!(
        "{report}\n  the parity input gives {} finite logits, norm {:.4}, class {} first (there is no reference to \
         compare them with)",
        logits.len(),
        norm.sqrt(),
        top.unwrap_or(0),
    ))
}
