use std::time::Instant;

use burn::{
    module::{Module, ParamGroup},
    tensor::{Device, Int, Tensor, TensorData},
};
use clap::ValueEnum;
use serde_json::json;
use vision::{
    data::device,
    kernels::{conv::Accuracy, ops},
    learner::{Adam, CrossEntropy, GroupedOptimizer, Loss},
    models::{Arch, Init, layers::Sequential, parity, state},
};

use crate::Result;

#[derive(Clone, Copy, PartialEq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum What {
    /// Forward pass in eval mode
    Inference,
    /// Forward, backward and Adam over every parameter
    Train,
    /// The same where only batch norms and the last layer train
    TrainFrozenBody,
}

#[derive(clap::Args)]
pub(crate) struct Args {
    /// What to time; all three if not given
    #[arg(long)]
    what: Option<What>,
    #[arg(long, default_value = "resnet18")]
    arch: Arch,
    #[arg(long, default_value_t = 16)]
    batch: usize,
    /// Side of the pictures in pixels
    #[arg(long, default_value_t = 224)]
    size: usize,
    #[arg(long, default_value_t = 2)]
    threads: usize,
    #[arg(long, default_value_t = 5)]
    repeats: usize,
    #[arg(long, default_value = "cpu")]
    device: String,
    /// What convolutions may give of their accuracy for speed, on the CPU: direct, balanced or fast
    #[arg(long, default_value = "balanced", value_parser = accuracy)]
    accuracy: Accuracy,
}

fn accuracy(name: &str) -> std::result::Result<Accuracy, String> {
    match name {
        "direct" => Ok(Accuracy::Direct),
        "balanced" => Ok(Accuracy::Balanced),
        "fast" => Ok(Accuracy::Fast),
        _ => Err("expected direct, balanced or fast".to_owned()),
    }
}

/// Times what `../shared/bench/torch_resnet.py` times, and prints the same fields.
pub(crate) fn run(args: &Args) -> Result<()> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(args.threads)
        .build_global()?;
    ops::set_accuracy(args.accuracy);
    let device = device::parse(&args.device)?;
    let all = [What::Inference, What::Train, What::TrainFrozenBody];
    for what in all
        .into_iter()
        .filter(|what| args.what.is_none_or(|only| only == *what))
    {
        let mut step = stepper(what, args, &device);
        for _ in 0..2 {
            step();
        }
        let mut times: Vec<f64> = (0..args.repeats.max(1))
            .map(|_| {
                let begin = Instant::now();
                step();
                begin.elapsed().as_secs_f64()
            })
            .collect();
        times.sort_by(f64::total_cmp);
        let median = times[times.len() / 2];
        let name = what
            .to_possible_value()
            .map_or(String::new(), |v| v.get_name().to_owned());
        println!(
            "{}",
            json!({
                "engine": format!("vision {}", env!("CARGO_PKG_VERSION")), "what": name, "format": "nchw",
                "arch": args.arch.name(), "batch": args.batch, "size": args.size, "threads": args.threads,
                "device": device::describe(&device),
                "accuracy": format!("{:?}", args.accuracy).to_lowercase(), "min_s": times[0], "median_s": median,
                "images_per_s": args.batch as f64 / median,
            })
        );
    }
    Ok(())
}

/// One step of the work, to be called again and again; it returns when the device is done.
fn stepper(what: What, args: &Args, device: &Device) -> Box<dyn FnMut()> {
    let plain = device.clone();
    let shape = [args.batch, 3, args.size, args.size];
    let model = args.arch.build(2, &mut Init::new(0, device));
    let pixels = TensorData::new(parity::fill("input", &shape, 0), shape);
    if what == What::Inference {
        let x = Tensor::<4>::from_data(pixels, device);
        return Box::new(move || {
            drop(model.forward(x.clone()));
            drop(plain.sync());
        });
    }
    let device = device.clone().autodiff();
    let x = Tensor::<4>::from_data(pixels, &device);
    let classes: Vec<i64> = (0..args.batch as i64).map(|i| i % 2).collect();
    let y = Tensor::<1, Int>::from_data(TensorData::new(classes, [args.batch]), &device);
    let mut model = model.train();
    if what == What::TrainFrozenBody {
        let entries = state::entries(&model).into_iter();
        let frozen = entries.filter(|e| !(e.is_batch_norm() || e.name.starts_with("fc.")));
        let frozen = frozen.map(|e| e.id).collect();
        model = model.set_require_grad_group(ParamGroup::from_ids(frozen), false);
    }
    let groups = [state::entries(&model)];
    let mut optimizer = GroupedOptimizer::new(Box::new(Adam::default()), &groups, true, true);
    let mut slot: Option<Sequential> = Some(model);
    Box::new(move || {
        slot = slot.take().map(|model| {
            let logits = model.forward(x.clone()).flatten(1, 3);
            let mut grads = CrossEntropy.mean(logits, y.clone()).backward();
            optimizer.step(model, &mut grads)
        });
        drop(plain.sync());
    })
}
