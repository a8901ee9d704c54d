//! What users get wrong: exit codes and messages.

use std::fs;

use crate::support::{SHORT, vision, workplace};

#[test]
fn wrong_options_are_wrong_usage() {
    let folder = workplace();
    let path = folder.path();
    for (arguments, said) in [
        (vec!["trian"], "train"),
        (vec!["train", "digits", "--arch=resnet19"], "resnet18"),
        (
            vec!["train", "digits", "--lr=fast"],
            "`auto`, or a number above 0",
        ),
        (
            vec!["train", "digits", "--lr=-1"],
            "`auto`, or a number above 0",
        ),
        (vec!["train"], "DATA is missing"),
        (
            vec!["train", "digits", "--augment", "--no-augment"],
            "cannot be used with",
        ),
        (
            vec!["train", "digits", "--pretrained=no", "--freeze-epochs=2"],
            "--freeze-epochs",
        ),
        (
            vec!["train", "digits", "--pretrained=no", "--early-stop=0"],
            "at least 1 epoch",
        ),
        (
            vec!["train", "digits", "--pretrained=no", "--label-column=x"],
            "--label-column needs --csv",
        ),
        (vec!["predict", "model.safetensors"], "PATH"),
        (
            vec!["predict", "m", "p", "--csv", "--json"],
            "cannot be used with",
        ),
        (vec!["export", "m"], "--onnx"),
        (
            vec!["train", "digits", "--pretrained=no", "--mixup=-1"],
            "bad --mixup: expected 0.001 to 1000, found -1",
        ),
        (
            vec!["train", "digits", "--pretrained=no", "--freeze-norms"],
            "--freeze-norms is for pretrained weights",
        ),
        (vec!["completions", "cmd"], "bash"),
        (
            vec!["train", "https://example.org/a.tgz", "--pretrained=no"],
            "https://example.org/a.tgz is downloaded only with the SHA-256",
        ),
    ] {
        vision(path, &arguments).ends(2).says(said);
    }
    assert!(!path.join("run").exists());
}

#[test]
fn what_is_missing_or_wrong_is_named() {
    let folder = workplace();
    let path = folder.path();
    fs::write(path.join("text.safetensors"), "no model").unwrap();
    fs::create_dir(path.join("empty")).unwrap();
    for (arguments, said) in [
        (vec!["train", "nothing", "--pretrained=no"], "nothing"),
        (vec!["train", "empty", "--pretrained=no"], "empty"),
        (
            vec!["train", "digits", "--pretrained=no", "--metric=accurate"],
            "the names are accuracy",
        ),
        (
            vec!["train", "digits", "--pretrained=no", "--device=abacus"],
            "abacus",
        ),
        (
            vec!["train", "digits", "--pretrained=no", "--decisions=no.csv"],
            "no.csv",
        ),
        (
            vec!["train", "digits", "--pretrained=yes"],
            "VISION_OFFLINE",
        ),
        (
            vec!["train", "digits", "--pretrained=yes"],
            "--pretrained FILE, or begin with random weights with --pretrained no",
        ),
        (
            vec![
                "train",
                "digits",
                "--pretrained=no",
                "--arch=densenet121",
                "--size=20",
                "--out=small",
            ],
            "a larger --size",
        ),
        (
            vec!["train", "digits", "--pretrained=no", "--valid-pct=7"],
            "--valid-pct",
        ),
        (
            vec!["train", "digits", "--csv=no.csv", "--pretrained=no"],
            "no.csv",
        ),
        (
            vec![
                "train",
                "digits",
                "--pretrained=no",
                "--batch-size=17",
                "--out=batches",
            ],
            "bad --batch-size: expected at most the number of training images, 16, found 17",
        ),
        (
            vec!["evaluate", "text.safetensors", "nothing"],
            "text.safetensors",
        ),
        (vec!["doctor", "nothing"], "expected a folder, a CSV file"),
        (vec!["train", "digits", "--config=no.toml"], "no.toml"),
        (vec!["resume", "digits"], "vision.toml"),
        (vec!["report", "digits"], "vision.toml"),
        (
            vec!["predict", "text.safetensors", "digits"],
            "text.safetensors",
        ),
        (vec!["predict", "digits", "digits"], "vision.toml"),
        (
            vec!["evaluate", "none.safetensors", "digits"],
            "none.safetensors",
        ),
        (vec!["doctor", "nothing"], "nothing"),
        (vec!["weights", "show", "nothing.pth"], "nothing.pth"),
        (
            vec!["weights", "fetch", "xresnet18"],
            "no published pretrained weights",
        ),
    ] {
        let ran = vision(path, &arguments).ends(1).says("error: ").says(said);
        assert!(ran.out.is_empty(), "{}", ran.out);
    }
    assert!(!path.join("batches").exists());
}

#[test]
fn a_settings_file_with_an_unknown_name_is_wrong_usage_and_names_the_known_ones() {
    let folder = workplace();
    let path = folder.path();
    fs::write(path.join("vision.toml"), "epoch = 3\n").unwrap();
    vision(path, ["train", "digits"])
        .ends(2)
        .says("vision.toml: there is no option \"epoch\"")
        .says("freeze-epochs");
    fs::write(path.join("other.toml"), "epochs = \"many\"\n").unwrap();
    vision(path, ["train", "digits", "--config=other.toml"])
        .ends(2)
        .says("other.toml: ")
        .says("--epochs");
}

#[test]
fn settings_are_saved_read_and_overruled() {
    let folder = workplace();
    let path = folder.path();
    let save = [
        "train",
        "digits",
        "--epochs=7",
        "--lr=auto",
        "--no-augment",
        "--save-config=vision.toml",
    ];
    vision(path, save).ends(0);
    let text = fs::read_to_string(path.join("vision.toml")).unwrap();
    for line in ["epochs = 7", "lr = \"auto\"", "augment = false"] {
        assert!(text.contains(line), "{line}: {text}");
    }
    vision(path, save).ends(1).says("--overwrite");
    // vision.toml is read without being named.
    vision(
        path,
        [
            "train",
            "--epochs=9",
            "--size=32",
            "--save-config=second.toml",
        ],
    )
    .ends(0);
    let text = fs::read_to_string(path.join("second.toml")).unwrap();
    for line in [
        "epochs = 9",
        "lr = \"auto\"",
        "augment = false",
        "size = 32",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert!(text.contains("digits"), "{text}");
}

#[test]
fn a_folder_that_exists_is_not_overwritten() {
    let folder = workplace();
    let path = folder.path();
    fs::create_dir(path.join("run")).unwrap();
    fs::write(path.join("run/thesis.txt"), "all of it").unwrap();
    let train: Vec<&str> = ["train", "digits"].into_iter().chain(SHORT).collect();
    vision(path, &train)
        .ends(1)
        .says("exists already")
        .says("vision resume");
    let again: Vec<&str> = train.iter().copied().chain(["--overwrite"]).collect();
    vision(path, &again)
        .ends(1)
        .says("is not the folder of a training");
    assert_eq!(
        fs::read_to_string(path.join("run/thesis.txt")).unwrap(),
        "all of it"
    );
    assert_eq!(fs::read_dir(path.join("run")).unwrap().count(), 1);
}
