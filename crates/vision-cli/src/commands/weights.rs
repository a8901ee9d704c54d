//! `vision weights`.

use std::path::PathBuf;

use serde_json::json;
use vision::base::message::{named, shown};
use vision::data::device;
use vision::fetch::hub::{Hub, cached_repositories};
use vision::fetch::{Download, cache};
use vision::learner::{hub_weights, imagenet_weights};
use vision::models::weights::{LoadReport, WeightsFile, WeightsSource, compare_layers};
use vision::models::{Arch, Init, WeightsPlace};

use crate::failure::{Failure, Outcome, Result};
use crate::options::model::HUB;
use crate::output::Output;
use crate::wording::in_options;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
                        vision weights list\n  \
                        vision weights fetch resnet34\n  \
                        vision weights fetch hub:timm/resnet18.a1_in1k\n  \
                        vision weights show flowers.pth --arch resnet18")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// List the architectures, the weights of each, which of them are here, and what else the cache of the hub has
    #[command(after_help = "Example:\n  vision weights list")]
    List,
    /// Download weights into the cache: those listed for an architecture, or timm's in a repository of Hugging Face's hub
    #[command(after_help = "Examples:\n  \
                            vision weights fetch resnet34\n  \
                            vision weights fetch hub:timm/resnet18.a1_in1k\n  \
                            vision weights fetch hub:resnet18.a1_in1k@main")]
    Fetch {
        /// Architecture, or hub:NAME; NAME without a slash is one of timm, and a revision may follow after @
        #[arg(value_name = "ARCH|hub:NAME")]
        what: String,
    },
    /// Say what a weights file has, and whether an architecture would load it
    #[command(
        after_help = "The exit code is 1 if the body would not load; a classifier for other classes does not matter.\n\n\
                            Examples:\n  \
                            vision weights show flowers.pth\n  \
                            vision weights show checkpoint.ckpt --arch resnet18 --prefix model.\n  \
                            vision weights show timm.pth.tar --arch resnet18 --averaged"
    )]
    Show {
        /// PyTorch, safetensors or ONNX file
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Architecture that should load it
        #[arg(long, value_name = "NAME")]
        arch: Option<Arch>,
        /// Beginning of the names of the weights to take, if there are several sets
        #[arg(long, value_name = "TEXT")]
        prefix: Option<String>,
        /// Key of the saved dict under which the weights are, such as state_dict
        #[arg(long, value_name = "TEXT", requires = "arch")]
        key: Option<String>,
        /// Take the weights averaged over training (EMA), if the file has them beside the others
        #[arg(long, requires = "arch")]
        averaged: bool,
    },
}

pub(crate) fn run(args: &Args, output: &Output) -> Result {
    match &args.what {
        What::List => list(output),
        What::Fetch { what } => fetch(what, output),
        What::Show {
            file,
            arch,
            prefix,
            key,
            averaged,
        } => {
            let mut source = WeightsSource::new(file);
            if let Some(prefix) = prefix {
                source = source.prefix(prefix);
            }
            if let Some(key) = key {
                source = source.key(key);
            }
            if *averaged {
                source = source.averaged();
            }
            show(source, *arch, prefix.as_deref(), output)
        }
    }
}

fn fetch(what: &str, output: &Output) -> Result {
    let Some(name) = what.strip_prefix(HUB) else {
        let arch: Arch = what
            .parse()
            .map_err(|error| Failure::usage(with_hub(what, &error)))?;
        let file = imagenet_weights(arch)?;
        output.text(format_args!("{arch}: {}", shown(&file)));
        output.value(&json!({ "arch": arch.name(), "file": file }))?;
        return Ok(Outcome::Done);
    };
    let hub = Hub::new(name);
    let weights = hub_weights(&hub, None)?;
    let arch = weights.arch;
    output.text(format_args!(
        "{}, commit {}: {arch}: {}",
        hub.name(),
        weights.commit,
        shown(&weights.file)
    ));
    let images = &weights.images;
    output.value(&json!({
        "arch": arch.name(),
        "file": weights.file,
        "hub": hub.name(),
        "commit": weights.commit,
        "mean": images.stats.map(|stats| stats.mean),
        "std": images.stats.map(|stats| stats.std),
        "size": images.size,
        "crop_pct": images.crop_pct,
    }))?;
    Ok(Outcome::Done)
}

/// What is no architecture may be a name of the hub.
fn with_hub(what: &str, error: &vision::models::Error) -> String {
    match what.contains(['/', '.']) {
        true => format!(
            "{} is no architecture; for weights of the hub say {HUB}{0}",
            shown(what)
        ),
        false => error.to_string(),
    }
}

fn list(output: &Output) -> Result {
    let folder = cache::weights_dir()?;
    let cached = cached_repositories(None)?;
    let mut rows = Vec::new();
    for arch in Arch::ALL.iter().copied() {
        let (file, url, hub, mib) = match arch.info().weights.as_ref().map(|info| info.place) {
            Some(WeightsPlace::Url { url, mib }) => {
                let download = Download::named_by_hash(url, &folder)?;
                let file = Some(download.file().to_owned()).filter(|file| file.is_file());
                (file, Some(url), None, Some(mib))
            }
            Some(WeightsPlace::Hub { repository }) => {
                let here = cached.iter().find(|found| found.name == repository);
                let file = here.map(|found| found.folder.join("model.safetensors"));
                (
                    file.filter(|file| file.is_file()),
                    None,
                    Some(repository),
                    None,
                )
            }
            _ => (None, None, None, None),
        };
        let here = if file.is_some() { "here" } else { "not here" };
        let size = mib.map_or(String::new(), |mib| format!("{mib:.1} MiB"));
        let name = hub.map(|repository| format!("{HUB}{repository}"));
        match name.as_deref().or(url) {
            None => output.text(format_args!("{arch:<22}no published weights")),
            Some(place) => output.text(format_args!("{arch:<22}{here:<10}{size:>11}  {place}")),
        }
        rows.push(json!({ "arch": arch.name(), "url": url, "hub": hub, "mib": mib, "file": file }));
    }
    let mut repositories = Vec::new();
    for found in cached {
        let file = found.folder.join("model.safetensors");
        let mib = found.bytes as f64 / f64::from(1 << 20);
        output.text(format_args!(
            "{HUB}{}, commit {}: {mib:.1} MiB",
            found.name, found.commit
        ));
        repositories.push(json!({
            "hub": found.name,
            "commit": found.commit,
            "bytes": found.bytes,
            "file": Some(file).filter(|file| file.is_file()),
        }));
    }
    output.value(&json!({ "folder": folder, "weights": rows, "cached": repositories }))?;
    Ok(Outcome::Done)
}

fn show(
    source: WeightsSource,
    arch: Option<Arch>,
    prefix: Option<&str>,
    output: &Output,
) -> Result {
    let file = WeightsFile::open(source)?;
    let report = match arch {
        Some(arch) => {
            let device = device::parse("cpu")?;
            let classes = arch
                .info()
                .weights
                .as_ref()
                .map_or(1000, |info| info.classes);
            let model = arch.build(classes, &mut Init::zeroed(&device));
            let report = compare_layers(&model, &file)?;
            // A learner replaces what comes after the cut.
            let cut = arch.info().cut;
            let names: Vec<&str> = model.names().collect();
            let kept = match usize::try_from(cut) {
                Ok(kept) => kept,
                Err(_) => names.len().saturating_sub(cut.unsigned_abs()),
            };
            let head = names.into_iter().skip(kept);
            Some(head.fold(report, LoadReport::without))
        }
        None => None,
    };
    output.text(format_args!(
        "{}: {:?}, {} tensors",
        shown(file.path()),
        file.format(),
        file.len()
    ));
    let mut tensors = Vec::new();
    // An architecture finds its weights behind a prefix; without one the names are those of the file.
    let prefix = prefix.filter(|_| arch.is_none()).unwrap_or_default();
    for name in file.names().filter(|name| name.starts_with(prefix)) {
        let shape = file.shape(name).unwrap_or_default();
        if arch.is_none() {
            output.text(format_args!("  {} {shape:?}", named(name)));
        }
        tensors.push(json!({ "name": name, "shape": shape }));
    }
    for line in file.notes() {
        output.text(format_args!("note: {}", in_options(line)));
    }
    let loads = report.as_ref().map(LoadReport::is_complete);
    if let (Some(report), Some(arch)) = (&report, arch) {
        output.text(in_options(&report.to_string()));
        let verdict = if report.is_complete() {
            "loads"
        } else {
            "does not load"
        };
        output.text(format_args!("the body of {arch} {verdict} from it"));
    }
    let mismatched = |report: &LoadReport| -> Vec<String> {
        report.mismatched.iter().map(ToString::to_string).collect()
    };
    output.value(&json!({
        "file": file.path(),
        "format": format!("{:?}", file.format()),
        "tensors": tensors,
        "notes": file.notes().iter().map(|note| in_options(note)).collect::<Vec<_>>(),
        "arch": arch.map(Arch::name),
        "loads": loads,
        "missing": report.as_ref().map(|report| &report.missing),
        "mismatched": report.as_ref().map(mismatched),
    }))?;
    Ok(if loads == Some(false) {
        Outcome::Found
    } else {
        Outcome::Done
    })
}
