//! Profile of a step: one JSON line per kernel and shape, and one per kernel.

use std::collections::BTreeMap;
use std::time::Instant;

use burn::tensor::Device;
use serde_json::json;
use vision::kernels::Isa;
use vision::kernels::profile::{self, Machine};

use super::Args;
use super::measurement::median;
use super::work::{What, stepper};

/// The calls of one kernel in one step.
#[derive(Clone, Default)]
struct Line {
    calls: usize,
    seconds: f64,
    flops: f64,
    bytes: f64,
    limit: f64,
}

/// By kernel and shape. An empty shape stands for all shapes together.
type Lines = BTreeMap<(String, String), Line>;

/// Prints the profile of a step: medians over its repeats, longest time first.
pub(super) fn print(what: What, args: &Args, device: &Device) {
    let machine = Machine::measure(Isa::detect());
    let mut step = stepper(what, args.work(), device);
    for _ in 0..2 {
        step();
    }
    let (mut totals, mut repeats) = (Vec::new(), Vec::new());
    for _ in 0..args.repeats.max(1) {
        let begin = Instant::now();
        let ((), calls) = profile::record(&mut step);
        totals.push(begin.elapsed().as_secs_f64());
        repeats.push(lines(&calls, &machine));
    }
    let total = median(totals);
    let mut median_lines: Vec<_> = repeats[0]
        .iter()
        .map(|(key, first)| {
            let all = repeats.iter().filter_map(|lines| lines.get(key));
            let seconds = median(all.map(|line| line.seconds).collect());
            let first = first.clone();
            (key, Line { seconds, ..first })
        })
        .collect();
    median_lines.sort_by(|a, b| b.1.seconds.total_cmp(&a.1.seconds));
    println!(
        "{}",
        json!({
            "what": what.name(), "arch": args.arch.name(), "batch": args.batch, "size": args.size,
            "threads": args.threads, "median_s": total,
            "peak_gflops": machine.flops / 1e9, "copy_gb_per_s": machine.bytes / 1e9,
        })
    );
    let mut rest = total;
    for ((kernel, shape), line) in median_lines {
        if shape.is_empty() {
            rest -= line.seconds;
        }
        println!(
            "{}",
            json!({
                "kernel": kernel, "shape": if shape.is_empty() { "all" } else { shape },
                "calls": line.calls, "median_ms": 1e3 * line.seconds, "limit_ms": 1e3 * line.limit,
                "gflops": line.flops / line.seconds / 1e9, "gb_per_s": line.bytes / line.seconds / 1e9,
                "share": line.seconds / total,
            })
        );
    }
    println!(
        "{}",
        json!({"kernel": "no kernel", "shape": "all", "median_ms": 1e3 * rest, "share": rest / total})
    );
}

fn lines(calls: &[profile::Call], machine: &Machine) -> Lines {
    let mut lines = Lines::new();
    for call in calls {
        for shape in ["", &call.shape] {
            let key = (call.kernel.to_owned(), shape.to_owned());
            let line = lines.entry(key).or_default();
            line.calls += 1;
            line.seconds += call.seconds;
            line.flops += call.flops;
            line.bytes += call.bytes;
            line.limit += machine.limit(call);
        }
    }
    lines
}
