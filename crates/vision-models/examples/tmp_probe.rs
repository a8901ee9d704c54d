//! x
#![allow(clippy::unwrap_used)]
use vision_models::{Arch, Init, weights};
fn main() {
    let mode = std::env::args().nth(1).unwrap();
    let path = std::env::args().nth(2).unwrap();
    let start = std::time::Instant::now();
    if mode == "load" {
        let device = vision_models::test_device();
        let arch: Arch = std::env::args().nth(3).unwrap().parse().unwrap();
        let classes = std::env::args().nth(4).unwrap().parse().unwrap();
        let mut best = (f64::MAX, f64::MAX, f64::MAX);
        for _ in 0..7 {
            let t = std::time::Instant::now();
            let model = arch.build(classes, &mut Init::zeroed(&device));
            let built = t.elapsed().as_secs_f64();
            let t = std::time::Instant::now();
            let file = weights::WeightsFile::open(&path).unwrap();
            let opened = t.elapsed().as_secs_f64();
            let (_m, r) = weights::load_into(model, &file).unwrap();
            let all = t.elapsed().as_secs_f64();
            r.require_complete().unwrap();
            best = (best.0.min(built), best.1.min(opened), best.2.min(all));
        }
        println!("built, opened, open+load: {best:?}");
    } else {
        match weights::WeightsFile::open(&path) {
            Err(e) => println!("{e}"),
            Ok(f) => {
                for n in f.names() {
                    if let Err(e) = f.read_f32(n) {
                        println!("{e}")
                    }
                }
                println!("{} read", f.len());
            }
        }
    }
    let s = std::fs::read_to_string("/proc/self/status").unwrap();
    println!(
        "{:?} {}",
        start.elapsed(),
        s.lines()
            .filter(|l| l.starts_with("VmHWM") || l.starts_with("VmRSS"))
            .collect::<Vec<_>>()
            .join(" ")
    );
}
