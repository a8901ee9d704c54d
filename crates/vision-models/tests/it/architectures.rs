//! `docs/architectures.md` says what the library builds. Its numbers were counted by PyTorch.

use vision_models::{Arch, Init, inspect, state};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/architectures.md");

#[test]
fn the_table_of_architectures_has_the_sizes_of_each_that_the_library_builds() {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let device = vision_models::test_device();
    let rows: Vec<&str> = page
        .lines()
        .filter(|line| line.starts_with("| `"))
        .collect();
    assert_eq!(rows.len(), Arch::ALL.len());
    for &arch in Arch::ALL {
        let row = rows
            .iter()
            .find(|row| row.starts_with(&format!("| `{arch}` |")))
            .unwrap_or_else(|| panic!("{arch} is missing"));
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let net = arch.build(1000, &mut Init::zeroed(&device));
        let entries = state::entries(&net).into_iter();
        let parameters: usize = entries.filter(|e| !e.buffer).map(|e| e.len()).sum();
        let layers = inspect::profile(&net, [3, 224, 224]).unwrap();
        let multiply_adds: u64 = layers.iter().map(|row| row.multiply_adds).sum();
        let expected = [
            format!("{:.1}", parameters as f64 / 1e6),
            format!("{:.2}", multiply_adds as f64 / 1e9),
            arch.info().input_size.to_string(),
            arch.info().min_size.to_string(),
        ];
        assert_eq!(cells[2..6], expected, "{arch}");
        for speed in &cells[6..8] {
            let measured = speed.parse::<f64>().is_ok_and(|speed| speed > 0.0);
            assert!(measured, "{arch}: {speed}");
        }
        let published = cells[8] != "none published";
        assert_eq!(published, arch.info().weights.is_some(), "{arch}");
        if let Some(weights) = &arch.info().weights
            && let Some((_, tag)) = weights.name().split_once('.')
            && weights.name().starts_with("timm/")
        {
            assert!(cells[8].contains(&format!("`{tag}`")), "{arch}: {tag}");
        }
    }
}
