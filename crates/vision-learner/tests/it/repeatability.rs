//! One seed makes a run on the CPU repeatable bit for bit.

use vision_learner::Recorder;
use vision_models::state::NamedTensor;

use crate::prelude::*;
use crate::support;

fn run(path: &std::path::Path, seed: u64, workers: usize) -> (Vec<NamedTensor>, Recorder) {
    let data = ImageDataBunch::from_folder(path)
        .batch_size(8)
        .num_workers(workers)
        .build()
        .unwrap();
    let builder = create_cnn(data, Arch::ResNet18)
        .pretrained(false)
        .seed(seed)
        .silent(true);
    let mut learner = builder.metrics([accuracy()]).build().unwrap();
    let record = learner.fit_one_cycle(2, 1e-3).unwrap();
    (learner.weights(), record)
}

#[test]
fn two_runs_with_one_seed_are_equal_bit_for_bit_with_any_number_of_workers() {
    let digits = support::digits(20, 8);
    let (weights, record) = run(&digits.path, 7, 0);
    for workers in [1, 3] {
        let (again, other) = run(&digits.path, 7, workers);
        assert_eq!(again, weights, "{workers} workers");
        assert_eq!(other.raw_losses, record.raw_losses);
        assert_eq!(other.epochs[1].valid_loss, record.epochs[1].valid_loss);
    }
    let (other, _) = run(&digits.path, 8, 0);
    assert_ne!(other, weights, "another seed is another run");
}

#[test]
fn the_number_of_computing_threads_changes_no_bit() {
    let digits = support::digits(20, 8);
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap().install(|| run(&digits.path, 7, 0).0)
    };
    let one = on(1);
    for threads in [2, 3] {
        assert_eq!(on(threads), one, "{threads} threads");
    }
}

#[test]
fn another_learner_in_another_thread_does_not_disturb_a_run() {
    let digits = support::digits(20, 8);
    let (alone, _) = run(&digits.path, 7, 0);
    let path = digits.path.clone();
    let other = std::thread::spawn(move || run(&path, 99, 0));
    let (beside, _) = run(&digits.path, 7, 0);
    other.join().unwrap();
    assert_eq!(beside, alone);
}
