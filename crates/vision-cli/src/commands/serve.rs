//! `vision serve`.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;
use vision::base::message::shown;
use vision::kernels::buffers;
use vision::learner::Predictor;
use vision_serve::{ServeConfig, Server};

use crate::failure::{Failure, Outcome, Result};
use crate::output::{Output, note, warn};
use crate::{deployed, interrupt};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "POST /predict takes an image as it is, a form with files, or JSON; GET / is a page for people; /health, /ready, \
                  /metrics and /model are for machines. There is no encryption and no password: put a reverse proxy before it. \
                  Ctrl-C and SIGTERM answer what has come in, then end it.\n\n\
                  Examples:\n  \
                  vision serve run\n  \
                  vision serve pets.safetensors --listen 0.0.0.0:8080 --threads 4\n  \
                  curl -F image=@photo.jpg http://127.0.0.1:8080/predict\n  \
                  curl -H 'Content-Type: image/jpeg' --data-binary @photo.jpg 'http://127.0.0.1:8080/predict?top=3'"
)]
pub(crate) struct Args {
    /// Model file, or folder of a training
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// Address and port; port 0 takes a free one, 0.0.0.0 is open to every machine that reaches this one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080", value_parser = address)]
    listen: SocketAddr,
    /// Device: cpu, cuda .. (see `vision devices`)
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
    /// Threads that decode, and compute on the CPU [default: one for each core]
    #[arg(long, value_name = "NUMBER")]
    threads: Option<usize>,
    /// Images that are computed at a time [default: 1 on the CPU, 32 on other devices]
    #[arg(long, value_name = "NUMBER")]
    max_batch: Option<usize>,
    /// How long a batch waits for images that are being decoded, in milliseconds [default: 2]
    #[arg(long, value_name = "MS")]
    max_wait: Option<u64>,
    /// Largest body of a request in MiB [default: 16]
    #[arg(long, value_name = "MIB", help_heading = "Limits")]
    max_body: Option<u64>,
    /// Largest width times height of an image, in millions [default: 50, or 4 if the model does not resize]
    #[arg(long, value_name = "MILLIONS", help_heading = "Limits")]
    max_pixels: Option<u64>,
    /// Images in a request [default: 32]
    #[arg(long, value_name = "NUMBER", help_heading = "Limits")]
    max_images: Option<usize>,
    /// Open connections [default: 512]
    #[arg(long, value_name = "NUMBER", help_heading = "Limits")]
    max_connections: Option<usize>,
    /// Images that wait [default: 256]
    #[arg(long, value_name = "NUMBER", help_heading = "Limits")]
    max_queue: Option<usize>,
    /// Bodies of all requests in memory, in MiB [default: 256]
    #[arg(long, value_name = "MIB", help_heading = "Limits")]
    max_buffered: Option<u64>,
    /// Share of connections, queue and bodies that one client may hold [default: 0.5]
    #[arg(long, value_name = "FRACTION", help_heading = "Limits")]
    client_share: Option<f64>,
    /// Seconds to send the head of a request, its body, and to take the answer [default: 15]
    #[arg(long, value_name = "SECONDS", help_heading = "Limits")]
    read_timeout: Option<f64>,
    /// Seconds from a whole request to its answer [default: 30]
    #[arg(long, value_name = "SECONDS", help_heading = "Limits")]
    timeout: Option<f64>,
    /// Seconds at the end for requests that have come in [default: 10]
    #[arg(long, value_name = "SECONDS", help_heading = "Limits")]
    drain: Option<f64>,
    /// Allow a name in the Host header, such as that of a reverse proxy
    #[arg(long, value_name = "NAME", help_heading = "Access")]
    allow_host: Vec<String>,
    /// Allow web pages of an origin (CORS): https://pets.example.org, or *
    #[arg(long, value_name = "ORIGIN", help_heading = "Access")]
    allow_origin: Vec<String>,
    /// Believe the X-Forwarded-For of a reverse proxy with this address
    #[arg(long, value_name = "ADDRESS", help_heading = "Access")]
    trust_proxy: Vec<IpAddr>,
}

/// Bytes that computing keeps for reuse, at most. It is far more than an image takes; without it, strangers who send images of
/// ever new sizes would make it the 2 GiB that training may keep.
const KEPT: usize = 256 << 20;

pub(crate) fn run(args: &Args, output: &Output) -> Result {
    let config = config(args)?;
    buffers::set_limit(KEPT);
    let predictor = deployed::open(&args.model, args.device.as_deref())?;
    check(&args.model, &predictor)?;
    let about = match predictor.classes().len() {
        0 => predictor.arch().to_owned(),
        classes => format!("{}, {classes} classes", predictor.arch()),
    };
    let server = interrupt::until_signal(
        || Server::start(predictor, &config),
        |server| {
            let address = server.address();
            note(format_args!(
                "{} ({about}) is served on http://{address}; Ctrl-C ends it",
                shown(&args.model)
            ));
            if !address.ip().to_canonical().is_loopback() {
                warn(
                    "every machine that reaches this address may use it: there is no encryption and no password",
                );
            }
            output.value(&json!({ "url": format!("http://{address}"), "address": address }))
        },
    )?;
    note("ending: answering what has come in");
    match server.stop().unanswered {
        0 => Ok(Outcome::Done),
        left => Err(Failure::failed(format!(
            "{left} requests were not answered in time: give more with --drain"
        ))),
    }
}

/// Replays the golden inputs of the model, which also brings everything into memory that the first request needs.
fn check(model: &std::path::Path, predictor: &Predictor) -> Result<()> {
    let test = predictor.self_test();
    if test.inputs.is_empty() || test.passed() {
        return Ok(());
    }
    let model = shown(model);
    if test.inputs.iter().all(|input| input.class_agrees) {
        // Another version may decode images a little otherwise.
        warn(format_args!(
            "{model} predicts the same classes here, with other probabilities than after training: {test}"
        ));
        return Ok(());
    }
    Err(Failure::failed(format!(
        "{model} predicts here other than it did after training: {test}\nSee `vision self-test`, and export the model here again"
    )))
}

fn config(args: &Args) -> Result<ServeConfig> {
    let seconds = |option: &str, value: f64| {
        Duration::try_from_secs_f64(value).map_err(|error| {
            Failure::usage(format!(
                "bad --{option}: expected a number of seconds, found {value}: {error}"
            ))
        })
    };
    let mut config = ServeConfig::new().with_listen(args.listen);
    let mut set =
        |change: &dyn Fn(ServeConfig) -> vision_serve::Result<ServeConfig>| -> Result<()> {
            // The names of the library are those of the options.
            config = change(config.clone()).map_err(|error| Failure::usage(error.to_string()))?;
            Ok(())
        };
    if let Some(number) = args.threads {
        set(&|config| config.with_threads(number))?;
    }
    if let Some(number) = args.max_batch {
        set(&|config| config.with_max_batch(number))?;
    }
    if let Some(ms) = args.max_wait {
        set(&|config| config.with_max_wait(Duration::from_millis(ms)))?;
    }
    if let Some(mib) = args.max_body {
        set(&|config| config.with_max_body(mib.saturating_mul(1 << 20)))?;
    }
    if let Some(millions) = args.max_pixels {
        set(&|config| config.with_max_pixels(millions.saturating_mul(1_000_000)))?;
    }
    if let Some(number) = args.max_images {
        set(&|config| config.with_max_images(number))?;
    }
    if let Some(number) = args.max_connections {
        set(&|config| config.with_max_connections(number))?;
    }
    if let Some(number) = args.max_queue {
        set(&|config| config.with_max_queue(number))?;
    }
    if let Some(mib) = args.max_buffered {
        set(&|config| config.with_max_buffered(mib.saturating_mul(1 << 20)))?;
    }
    if let Some(share) = args.client_share {
        set(&|config| config.with_client_share(share))?;
    }
    if let Some(time) = args.read_timeout {
        let time = seconds("read-timeout", time)?;
        set(&|config| config.with_read_timeout(time))?;
    }
    if let Some(time) = args.timeout {
        let time = seconds("timeout", time)?;
        set(&|config| config.with_timeout(time))?;
    }
    if let Some(time) = args.drain {
        let time = seconds("drain", time)?;
        set(&|config| config.with_drain(time))?;
    }
    for host in &args.allow_host {
        config = config.with_allowed_host(host);
    }
    for origin in &args.allow_origin {
        config = config.with_allowed_origin(origin);
    }
    for proxy in &args.trust_proxy {
        config = config.with_trusted_proxy(*proxy);
    }
    Ok(config)
}

fn address(text: &str) -> std::result::Result<SocketAddr, String> {
    let text = text.replacen("localhost:", "127.0.0.1:", 1);
    let expected = "an address and a port, such as 127.0.0.1:8080, 0.0.0.0:80 or [::1]:8080";
    text.parse().map_err(|_| format!("expected {expected}"))
}
