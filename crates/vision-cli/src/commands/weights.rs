//! `vision weights`.

use std::path::PathBuf;

use serde_json::json;
use vision::base::message::{named, shown};
use vision::data::device;
use vision::fetch::{Download, cache};
use vision::learner::imagenet_weights;
use vision::models::weights::{LoadReport, WeightsFile, WeightsSource, compare_layers};
use vision::models::{Arch, Init};

use crate::failure::{Outcome, Result};
use crate::output::Output;
use crate::wording::in_options;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
                        vision weights list\n  \
                        vision weights fetch resnet34\n  \
                        vision weights show flowers.pth --arch resnet18")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// List the architectures, their published weights, and which of them are here
    #[command(after_help = "Example:\n  vision weights list")]
    List,
    /// Download the ImageNet weights of an architecture into the cache
    #[command(after_help = "Example:\n  vision weights fetch resnet34")]
    Fetch {
        /// Architecture
        #[arg(value_name = "ARCH")]
        arch: Arch,
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
        What::Fetch { arch } => {
            let file = imagenet_weights(*arch)?;
            output.text(format_args!("{arch}: {}", shown(&file)));
            output.value(&json!({ "arch": arch.name(), "file": file }))?;
            Ok(Outcome::Done)
        }
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

fn list(output: &Output) -> Result {
    let folder = cache::weights_dir()?;
    let mut rows = Vec::new();
    for arch in Arch::ALL.iter().copied() {
        let row = match &arch.info().weights {
            None => {
                output.text(format_args!("{arch:<16}no published weights"));
                json!({ "arch": arch.name(), "url": null, "mib": null, "file": null })
            }
            Some(info) => {
                let download = Download::named_by_hash(info.url, &folder)?;
                let file = Some(download.file()).filter(|file| file.is_file());
                let here = if file.is_some() { "here" } else { "not here" };
                output.text(format_args!(
                    "{arch:<16}{here:<10}{:>7.1} MiB  {}",
                    info.mib, info.url
                ));
                json!({ "arch": arch.name(), "url": info.url, "mib": info.mib, "file": file })
            }
        };
        rows.push(row);
    }
    output.value(&json!({ "folder": folder, "weights": rows }))?;
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
