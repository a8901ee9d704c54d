//! `vision bench`.

use crate::support::vision;

#[test]
fn speed_and_memory_are_measured_without_any_file() {
    let folder = tempfile::tempdir().unwrap();
    let options = [
        "bench",
        "--arch=resnet18",
        "--size=32",
        "--batch-size=2",
        "--seconds=1",
    ];
    let json = vision(folder.path(), options.into_iter().chain(["--json"]))
        .ends(0)
        .json();
    assert_eq!(
        (&json["arch"], &json["weights"]),
        (&"resnet18".into(), &"random".into())
    );
    let number = |pointer: &str| {
        json.pointer(pointer)
            .and_then(|n| n.as_f64())
            .unwrap_or(f64::NAN)
    };
    let (p50, p99) = (number("/predict_one/p50_ms"), number("/predict_one/p99_ms"));
    assert!(0.0 < p50 && p50 <= p99, "{json}");
    // Steps and images a second belong together.
    assert!(
        number("/train/images_per_second") > 0.0 && number("/train/steps") >= 2.0,
        "{json}"
    );
    assert!(number("/predict_many/images_per_second") > 0.0, "{json}");
    if cfg!(target_os = "linux") {
        let memory = ["predict", "train"].map(|part| number(&format!("/peak_memory_bytes/{part}")));
        assert!(1e7 < memory[0] && memory[0] <= memory[1], "{json}");
    }
    let text = vision(folder.path(), options).ends(0).out;
    assert!(
        text.contains("random weights") && text.contains("images a second"),
        "{text}"
    );
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    vision(folder.path(), ["bench", "--seconds=0"])
        .ends(2)
        .says("bad --seconds");
    vision(folder.path(), ["bench", "--batch-size=0"])
        .ends(2)
        .says("bad --batch-size");
}
