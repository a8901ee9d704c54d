//! State dicts of whole backbones load strictly into the models of torchvision and timm.

use std::process::Command;
use std::{env, fs};

use serde_json::json;
use vision_models::export::{Names, export_safetensors_as};
use vision_models::{Arch, Init};

#[test]
#[ignore = "needs Python: set VISION_PYTHON (CONTRIBUTING.md)"]
fn torchvision_and_timm_take_the_state_dict_of_every_architecture_strictly() {
    let python = env::var_os("VISION_PYTHON").expect("VISION_PYTHON is set");
    let script = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../scripts/check_state_dicts.py"
    );
    let device = vision_models::test_device();
    let (mut strict, mut missing) = (0, 0);
    // Some at a time: Python takes seconds to start, and all of them would fill a disk.
    for archs in Arch::ALL.chunks(4) {
        let folder = tempfile::tempdir().unwrap();
        let mut files = Vec::new();
        for &arch in archs {
            let model = arch.build(10, &mut Init::zeroed(&device));
            for (names, program) in [(Names::Torchvision, "torchvision"), (Names::Timm, "timm")] {
                let path = folder.path().join(format!("{program}-{arch}.safetensors"));
                export_safetensors_as(&model, &path, names).unwrap();
                files.push(json!([path, program, arch.name(), 10]));
            }
        }
        let list = folder.path().join("files.json");
        fs::write(&list, json!(files).to_string()).unwrap();
        let output = Command::new(&python).arg(script).arg(list).output();
        let output = output.unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        println!("{text}");
        assert!(
            output.status.success(),
            "{text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        strict += text.matches(" tensors").count();
        missing += text.matches(": missing").count();
    }
    assert_eq!(strict + missing, 2 * Arch::ALL.len());
    // fastai's xresnets are in neither, AlexNet and the SqueezeNets are not in timm.
    assert!(strict > missing, "{strict} strict, {missing} missing");
}
