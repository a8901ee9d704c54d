//! What the doctor finds, and what it leaves alone. Fixtures: `scripts/make_doctor_fixtures.py`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};

use vision_data::inspect::doctor::{Doctor, Finding, FindingKind as Kind, Report, Severity};
use vision_data::presets::random_resized_crop;
use vision_data::{
    DatasetType, Error, Image, ImageDataBunch, ImageError, Limits, ReadConfig, ResizeMethod,
    Transform, Transforms,
};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/doctor")
        .join(name)
}

/// A folder with copies of fixtures: (fixture, path in the folder).
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, path) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::copy(fixture(name), path).unwrap();
    }
    folder
}

fn examine(folder: &tempfile::TempDir) -> Report {
    Doctor::new().examine_folder(folder.path()).unwrap()
}

fn names(finding: &Finding) -> Vec<String> {
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    finding.files.iter().map(|file| name(&file.path)).collect()
}

fn kinds_of(report: &Report, name: &str) -> Vec<Kind> {
    let about = |finding: &&Finding| names(finding).iter().any(|n| n == name);
    report
        .findings
        .iter()
        .filter(about)
        .map(|f| f.kind)
        .collect()
}

#[test]
fn each_odd_file_is_found_for_what_it_is_and_a_plain_one_is_not() {
    let odd = [
        ("odd_empty.jpg", Kind::Empty),
        ("odd_truncated.jpg", Kind::Truncated),
        ("odd_damaged.png", Kind::Damaged),
        ("odd_page.jpg", Kind::NotAnImage),
        ("odd_cmyk.jpg", Kind::Cmyk),
        ("odd_gray16.png", Kind::SixteenBit),
        ("odd_animated.gif", Kind::Animated),
        ("odd_animated.png", Kind::Animated),
        ("odd_animated.webp", Kind::Animated),
        ("odd_rotated.jpg", Kind::Rotated),
        ("odd_png_inside.jpg", Kind::WrongExtension),
        ("odd_blank.png", Kind::Blank),
    ];
    let plain = [
        "photo_00.jpg",
        "plain_still.gif",
        "plain_still.png",
        "plain_still.webp",
    ];
    let names = odd.iter().map(|(name, _)| *name).chain(plain);
    let files: Vec<(&str, String)> = names.map(|name| (name, format!("a/{name}"))).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(a, b)| (*a, b.as_str())).collect();
    let folder = folder(&files);
    let doctor = Doctor::new().with_look_alikes(false);
    let report = doctor.examine_folder(folder.path()).unwrap();
    for (name, kind) in odd {
        assert_eq!(kinds_of(&report, name), [kind], "{name}");
    }
    for name in plain {
        assert_eq!(kinds_of(&report, name), [], "{name}");
    }
    let quarantine: Vec<_> = report
        .quarantine()
        .iter()
        .map(|p| p.file_name().unwrap())
        .collect();
    assert_eq!(
        quarantine,
        [
            "odd_damaged.png",
            "odd_empty.jpg",
            "odd_page.jpg",
            "odd_truncated.jpg"
        ]
    );
}

#[test]
fn limits_make_a_image_huge_or_unusable() {
    let folder = folder(&[("base.jpg", "a/base.jpg")]);
    // 160 x 120 pixels.
    let huge = Doctor::new()
        .with_huge_pixels(19_199)
        .examine_folder(folder.path())
        .unwrap();
    assert_eq!(kinds_of(&huge, "base.jpg"), [Kind::Huge]);
    let not = Doctor::new()
        .with_huge_pixels(19_200)
        .examine_folder(folder.path())
        .unwrap();
    assert_eq!(kinds_of(&not, "base.jpg"), []);
    let limits = Limits {
        max_pixels: 19_199,
        ..Limits::default()
    };
    let beyond = Doctor::new()
        .with_limits(limits)
        .examine_folder(folder.path())
        .unwrap();
    assert_eq!(kinds_of(&beyond, "base.jpg"), [Kind::TooLarge]);
}

#[test]
fn variants_made_by_pillow_look_alike_and_other_photographs_do_not() {
    let mut files = vec![
        "base.jpg",
        "other_colors.jpg",
        "other_mirrored.jpg",
        "variant_brighter.jpg",
        "variant_encoded_again.jpg",
        "variant_larger.jpg",
        "variant_lossless.webp",
        "variant_smaller.png",
    ];
    let photos: Vec<String> = (0..24).map(|i| format!("photo_{i:02}.jpg")).collect();
    files.extend(photos.iter().map(String::as_str));
    let files: Vec<(&str, String)> = files
        .iter()
        .map(|name| (*name, format!("a/{name}")))
        .collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(a, b)| (*a, b.as_str())).collect();
    let report = examine(&folder(&files));
    let groups: Vec<_> = report.of_kind(Kind::NearDuplicate).collect();
    assert_eq!(groups.len(), 1, "{report}");
    assert_eq!(
        names(groups[0]),
        [
            "base.jpg",
            "variant_brighter.jpg",
            "variant_encoded_again.jpg",
            "variant_larger.jpg",
            "variant_lossless.webp",
            "variant_smaller.png"
        ]
    );
    assert_eq!(groups[0].severity, Severity::Note);
    // They are for a person to judge.
    assert!(report.quarantine().is_empty());
}

#[test]
fn copies_and_look_alikes_across_splits_or_under_two_labels_are_worse() {
    let folder = folder(&[
        ("photo_00.jpg", "train/a/0.jpg"),
        ("photo_00.jpg", "valid/a/0.jpg"),
        ("photo_01.jpg", "train/a/1.jpg"),
        ("photo_01.jpg", "train/b/1.jpg"),
        ("photo_02.jpg", "train/a/2.jpg"),
        ("photo_02.jpg", "train/a/2_again.jpg"),
        ("base.jpg", "train/b/3.jpg"),
        ("variant_brighter.jpg", "valid/b/3.jpg"),
        ("photo_03.jpg", "train/b/4.jpg"),
        ("photo_03.jpg", "test/whatever/4.jpg"),
    ]);
    let report = examine(&folder);
    let files = |kind| -> Vec<Vec<(String, bool)>> {
        let file = |f: &vision_data::inspect::doctor::FoundFile| {
            let inside = f.path.strip_prefix(folder.path()).unwrap();
            (inside.to_string_lossy().into_owned(), f.quarantine)
        };
        let groups = report.of_kind(kind);
        groups.map(|g| g.files.iter().map(file).collect()).collect()
    };
    let named = |name: &str, out: bool| (name.to_owned(), out);
    // The copy that is held out stays, so that results can be compared with earlier ones.
    assert_eq!(
        files(Kind::DuplicateAcrossSplits),
        [
            [
                named("test/whatever/4.jpg", false),
                named("train/b/4.jpg", true)
            ],
            [named("train/a/0.jpg", true), named("valid/a/0.jpg", false)],
        ]
    );
    // Nobody knows which label is right.
    assert_eq!(
        files(Kind::DuplicateUnderTwoLabels),
        [[named("train/a/1.jpg", true), named("train/b/1.jpg", true)]]
    );
    assert_eq!(
        files(Kind::Duplicate),
        [[
            named("train/a/2.jpg", false),
            named("train/a/2_again.jpg", true)
        ]]
    );
    assert_eq!(
        files(Kind::NearDuplicateAcrossSplits),
        [[named("train/b/3.jpg", false), named("valid/b/3.jpg", false)]]
    );
    let order: Vec<Kind> = report.findings.iter().map(|f| f.kind).collect();
    let mut sorted = order.clone();
    sorted.sort_by_key(|kind| (kind.severity(), *kind));
    assert_eq!(order, sorted, "the worst come first");
}

#[test]
fn what_is_beyond_the_limits_of_the_data_is_beyond_those_of_describe_and_the_doctor() {
    let folder = folder(&[
        // 160 x 120 pixels, and fewer.
        ("base.jpg", "train/a/large.jpg"),
        ("plain_still.png", "train/b/small.png"),
        ("plain_still.gif", "valid/a/small.gif"),
    ]);
    let limits = Limits {
        max_pixels: 19_199,
        ..Limits::default()
    };
    let data = ImageDataBunch::from_folder(folder.path())
        .reading(ReadConfig::new().with_limits(limits))
        .build()
        .unwrap();
    assert_eq!(data.train_ds().reading().limits(), &limits);
    assert!(data.train_ds().image(0).is_err() && data.train_ds().image(1).is_ok());
    let described = data.describe();
    assert_eq!(described.parts[0].unreadable, 1);
    let large = &described.parts[0].unreadable_files[0];
    assert!(large.path.ends_with("large.jpg") && large.reason.contains("19199"));
    for report in [
        data.doctor(),
        Doctor::new().with_folds(2).examine(&data).unwrap(),
    ] {
        assert_eq!(kinds_of(&report, "large.jpg"), [Kind::TooLarge]);
    }
    // Unless other limits are asked for.
    let wide = Doctor::new().with_limits(Limits::default());
    let report = wide.examine(&data).unwrap();
    assert_eq!(report.of_kind(Kind::TooLarge).count(), 0);
}

#[test]
fn a_data_bunch_is_examined_with_its_own_labels_and_parts() {
    let folder = folder(&[
        ("photo_00.jpg", "x/a/0.jpg"),
        ("photo_01.jpg", "x/a/1.jpg"),
        ("photo_02.jpg", "x/b/2.jpg"),
        ("odd_empty.jpg", "x/b/3.jpg"),
        ("photo_00.jpg", "y/b/4.jpg"),
        ("photo_05.jpg", "y/a/5.jpg"),
    ]);
    let data = ImageDataBunch::from_folder(folder.path())
        .train("x")
        .valid("y")
        .build()
        .unwrap();
    let report = data.doctor();
    assert_eq!(report.files, 6);
    let counts: Vec<_> = report
        .classes
        .iter()
        .map(|c| (c.name.as_str(), c.train, c.valid))
        .collect();
    assert_eq!(counts, [("a", 2, 1), ("b", 2, 1)]);
    let copies: Vec<_> = report.of_kind(Kind::DuplicateAcrossSplits).collect();
    assert_eq!(copies.len(), 1);
    assert_eq!(report.of_kind(Kind::DuplicateUnderTwoLabels).count(), 1);
    assert!(
        copies[0].message.contains("a and b"),
        "{}",
        copies[0].message
    );
    assert_eq!(report.of_kind(Kind::Empty).count(), 1);
    // Four usable items would be needed for each of five folds.
    let few: Vec<&str> = report
        .of_kind(Kind::FewItems)
        .map(|f| f.message.as_str())
        .collect();
    assert_eq!(
        few,
        [
            "a has 3 item(s), fewer than 5 folds",
            "b has 3 item(s), fewer than 5 folds"
        ]
    );
}

#[test]
fn classes_of_very_different_sizes_and_missing_ones_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let put = |class: &str, items: usize| {
        fs::create_dir_all(folder.path().join(class)).unwrap();
        for item in 0..items {
            fs::copy(
                fixture("photo_00.jpg"),
                folder.path().join(class).join(format!("{item}.jpg")),
            )
            .unwrap();
        }
    };
    put("train/many", 20);
    put("train/few", 2);
    put("valid/many", 3);
    let with = |factor| {
        let doctor = Doctor::new().with_imbalance(factor).with_look_alikes(false);
        doctor.examine_folder(folder.path()).unwrap()
    };
    let report = with(10.0);
    let imbalance: Vec<_> = report
        .of_kind(Kind::Imbalance)
        .map(|f| f.message.clone())
        .collect();
    assert_eq!(
        imbalance,
        ["many has 20 training items, few has 2: 10.0 times as many"]
    );
    let missing: Vec<_> = report
        .of_kind(Kind::MissingInSplit)
        .map(|f| f.message.clone())
        .collect();
    assert_eq!(missing, ["few has no validation item"]);
    assert_eq!(with(10.1).of_kind(Kind::Imbalance).count(), 0);
    for factor in [1.0, 0.0, f64::NAN] {
        let error = Doctor::new()
            .with_imbalance(factor)
            .examine_folder(folder.path());
        assert!(error.unwrap_err().to_string().contains("imbalance"));
    }
}

#[test]
fn nothing_is_deleted_moved_or_changed() {
    let folder = folder(&[
        ("odd_empty.jpg", "a/0.jpg"),
        ("odd_truncated.jpg", "a/1.jpg"),
        ("photo_00.jpg", "a/2.jpg"),
        ("photo_00.jpg", "b/2.jpg"),
    ]);
    let state = || {
        let mut files = vision_data::files::image_files(folder.path()).unwrap();
        files.sort();
        let look = |path: PathBuf| {
            let modified = fs::metadata(&path).unwrap().modified().unwrap();
            (fs::read(&path).unwrap(), modified, path)
        };
        files.into_iter().map(look).collect::<Vec<_>>()
    };
    let before = state();
    let report = examine(&folder);
    let out = tempfile::tempdir().unwrap();
    report.save_html(out.path().join("r.html")).unwrap();
    report.save_json(out.path().join("r.json")).unwrap();
    report.save_quarantine(out.path().join("q.txt")).unwrap();
    assert_eq!(report.quarantine().len(), 4);
    assert_eq!(state(), before);
}

#[test]
fn the_page_loads_nothing_and_runs_nothing_whatever_files_are_called() {
    let folder = folder(&[
        (
            "photo_00.jpg",
            "<img src=x onerror=alert(1)>/\"'&<script>alert(2)<.jpg",
        ),
        ("photo_00.jpg", "b/http:..evil\u{202e}.jpg"),
        ("odd_empty.jpg", "b/line\nbreak.jpg"),
    ]);
    let report = examine(&folder);
    let html = report.to_html();
    assert!(
        !html.contains("<script") && !html.contains("<img src=x"),
        "{html}"
    );
    assert!(html.contains("&lt;script&gt;alert(2)&lt;.jpg"));
    assert!(!html.contains('\u{202e}'));
    // Everything that is shown is in the page: three files, of which two are images.
    assert_eq!(html.matches("src=\"data:image/jpeg;base64,").count(), 2);
    assert_eq!(
        html.matches("src=").count() - html.matches("src=x").count(),
        3 - 1
    );
    assert!(!html.contains("href=") && !html.contains("url("));
    assert!(html.contains("default-src 'none'"));
    // One line of the table for each kind of finding.
    assert!(report.to_string().lines().all(|line| line != "break.jpg"));
}

#[test]
fn json_has_every_finding_and_what_to_do() {
    let report = examine(&folder(&[
        ("odd_empty.jpg", "a/0.jpg"),
        ("photo_00.jpg", "a/1.jpg"),
        ("photo_00.jpg", "b/1.jpg"),
    ]));
    let json: serde_json::Value = serde_json::from_str(&report.to_json()).unwrap();
    assert_eq!(json["files"], 3);
    assert_eq!(json["classes"][1]["unsplit"], 1);
    let findings = json["findings"].as_array().unwrap();
    assert_eq!(findings[0]["kind"], "empty");
    assert_eq!(findings[0]["severity"], "error");
    assert_eq!(findings[1]["kind"], "duplicate_under_two_labels");
    assert_eq!(findings[1]["files"][1]["label"], "b");
    assert!(
        findings
            .iter()
            .all(|f| !f["advice"].as_str().unwrap().is_empty())
    );
}

#[cfg(target_os = "linux")]
#[test]
fn names_of_any_bytes_can_be_had_back_from_the_quarantine_list_and_from_the_json() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    let folder = folder(&[("photo_00.jpg", "a/0.jpg")]);
    let names: [&[u8]; 4] = [
        b" .jpg",
        b"caf\xc3\xa9.jpg",
        b"caf\xe9'\\x41\".jpg",
        b"tab\t \x1b.jpg",
    ];
    let odd = names.map(|name| folder.path().join("a").join(OsStr::from_bytes(name)));
    for path in &odd {
        fs::write(path, "").unwrap();
    }
    let report = examine(&folder);
    assert_eq!(report.quarantine(), odd.each_ref().map(PathBuf::as_path));
    assert!(report.to_html().contains("caf\u{fffd}&"));
    let list = folder.path().join("quarantine.txt");
    report.save_quarantine(&list).unwrap();
    let list = fs::read(list).unwrap();
    let lines: Vec<&[u8]> = list
        .strip_suffix(b"\n")
        .unwrap()
        .split(|byte| *byte == b'\n')
        .collect();
    assert_eq!(
        lines,
        odd.each_ref().map(|path| path.as_os_str().as_bytes())
    );

    let json: serde_json::Value = serde_json::from_str(&report.to_json()).unwrap();
    let files = json["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| &f["files"][0]);
    let empty: Vec<Vec<u8>> = files
        .filter(|file| file["quarantine"] == true)
        .map(|file| match file["path_bytes"].as_str() {
            Some(bytes) => unescaped(bytes),
            None => file["path"].as_str().unwrap().as_bytes().to_vec(),
        })
        .collect();
    assert_eq!(
        empty,
        odd.each_ref().map(|path| path.as_os_str().as_bytes())
    );
    assert_eq!(report.to_json().matches("path_bytes").count(), 1);
}

/// The bytes between the quotes of a literal of bytes, as Python reads it.
fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'\\' => match rest.next().unwrap() {
                b'x' => {
                    let digits = [rest.next().unwrap(), rest.next().unwrap()];
                    u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
                }
                b't' => b'\t',
                b'n' => b'\n',
                b'r' => b'\r',
                quote_or_backslash => quote_or_backslash,
            },
            byte => byte,
        });
    }
    bytes
}

#[cfg(unix)]
#[test]
fn a_link_to_nowhere_is_told_apart_from_a_file_that_cannot_be_read() {
    use std::os::unix::fs::symlink;

    let folder = folder(&[("photo_00.jpg", "a/0.jpg")]);
    let link = folder.path().join("a/link.jpg");
    symlink("../gone/1.jpg", &link).unwrap();
    symlink("loop.jpg", folder.path().join("a/loop.jpg")).unwrap();
    let report = examine(&folder);
    let found: Vec<_> = report.of_kind(Kind::DanglingLink).collect();
    assert_eq!(found.len(), 2, "{report}");
    assert_eq!(found[0].files[0].path, link);
    assert!(
        found[0].message.contains("../gone/1.jpg"),
        "{}",
        found[0].message
    );
    assert_eq!(found[0].severity, Severity::Error);
    assert!(
        report
            .to_string()
            .contains("Restore the file it points to, or remove the link.")
    );
    assert_eq!(report.of_kind(Kind::Unreadable).count(), 0);
    assert!(report.quarantine().contains(&link.as_path()));
}

#[test]
fn validation_images_may_be_in_val_or_validation() {
    for name in ["valid", "val", "validation"] {
        let folder = folder(&[
            ("photo_00.jpg", "train/a/0.jpg"),
            ("photo_00.jpg", &format!("{name}/a/0.jpg")),
        ]);
        let report = examine(&folder);
        assert_eq!(
            (report.classes[0].train, report.classes[0].valid),
            (1, 1),
            "{name}"
        );
        assert_eq!(
            report.of_kind(Kind::DuplicateAcrossSplits).count(),
            1,
            "{name}"
        );
    }
}

#[test]
fn copies_on_both_sides_under_two_labels_are_found_for_both() {
    let folder = folder(&[
        ("photo_00.jpg", "train/a/0.jpg"),
        ("photo_00.jpg", "valid/b/0.jpg"),
        ("base.jpg", "train/a/1.jpg"),
        ("variant_brighter.jpg", "valid/b/1.jpg"),
    ]);
    let report = examine(&folder);
    for kind in [
        Kind::DuplicateAcrossSplits,
        Kind::DuplicateUnderTwoLabels,
        Kind::NearDuplicateAcrossSplits,
        Kind::NearDuplicateUnderTwoLabels,
    ] {
        assert_eq!(report.of_kind(kind).count(), 1, "{kind:?}");
        assert!(report.to_string().contains(kind.advice()), "{kind:?}");
        assert!(report.to_html().contains(kind.advice()), "{kind:?}");
    }
    assert_eq!(report.quarantine().len(), 2);
}

#[test]
fn data_without_images_has_no_finding() {
    let data = ImageDataBunch::single_from_classes("anywhere", ["3", "7"]);
    let report = data.build().unwrap().doctor();
    assert!(report.findings.is_empty(), "{report}");
    assert!(report.to_string().contains("0 files"));
}

#[cfg(unix)]
#[test]
fn no_name_can_write_to_the_terminal_or_change_the_page() {
    let odd = "x\u{1b}[2J\u{202e}\u{9b}";
    let folder = folder(&[
        ("photo_00.jpg", &format!("train/{odd}/0.jpg")),
        ("photo_00.jpg", &format!("valid/b{odd}/{odd}.jpg")),
        ("odd_empty.jpg", &format!("train/{odd}/{odd}.jpg")),
    ]);
    std::os::unix::fs::symlink(format!("gone{odd}"), folder.path().join("train/link.jpg")).unwrap();
    let report = examine(&folder);
    assert_eq!(report.of_kind(Kind::DanglingLink).count(), 1);
    for text in [report.to_string(), report.to_html()] {
        let odd = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
        assert!(!text.contains(odd), "{text:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_name_with_a_line_break_is_not_in_the_quarantine_list_but_given_back() {
    let folder = folder(&[("plain_still.png", "a/1.png")]);
    let odd = folder.path().join("a\n/etc");
    fs::create_dir_all(&odd).unwrap();
    fs::write(odd.join("2.png"), "").unwrap();
    fs::write(folder.path().join("a/3.png"), "").unwrap();
    let report = examine(&folder);
    assert_eq!(report.quarantine().len(), 2);
    let list = folder.path().join("quarantine.txt");
    assert_eq!(report.save_quarantine(&list).unwrap(), [odd.join("2.png")]);
    let expected = format!("{}\n", folder.path().join("a/3.png").display());
    assert_eq!(fs::read_to_string(list).unwrap(), expected);
}

#[test]
fn a_file_that_is_listed_twice_is_no_copy_of_itself() {
    let folder = folder(&[("base.jpg", "1.jpg"), ("plain_still.png", "2.png")]);
    let files = ["1.jpg", "2.png", "1.jpg", "2.png"];
    let data = ImageDataBunch::from_lists(folder.path(), files, ["a", "b", "a", "b"]);
    let data = data.valid_pct(0.0).build().unwrap();
    assert!(data.doctor().quarantine().is_empty());
}

#[test]
fn a_healthy_set_has_no_finding() {
    let files: Vec<String> = (0..24)
        .map(|i| {
            format!(
                "{}/{}/{i}.jpg",
                ["train", "valid"][i / 12],
                ["a", "b"][i % 2]
            )
        })
        .collect();
    let names: Vec<String> = (0..24).map(|i| format!("photo_{i:02}.jpg")).collect();
    let files: Vec<(&str, &str)> = names
        .iter()
        .zip(&files)
        .map(|(name, path)| (name.as_str(), path.as_str()))
        .collect();
    let folder = folder(&files);
    let report = examine(&folder);
    assert!(
        report.is_healthy() && report.findings.is_empty(),
        "{report}"
    );
    assert!(
        report
            .to_string()
            .contains("24 files, 0 errors, 0 warnings, 0 notes")
    );
    assert!(
        Doctor::new()
            .examine_folder(folder.path().join("nowhere"))
            .is_err()
    );
}

#[test]
fn images_of_different_sizes_are_a_finding_where_nothing_brings_them_to_one() {
    let folder = tempfile::tempdir().unwrap();
    for (part, sides) in [("train", [8, 8, 9, 7]), ("valid", [6, 6, 6, 6])] {
        for (i, side) in sides.into_iter().enumerate() {
            let path = folder
                .path()
                .join(part)
                .join(["a", "b"][i % 2])
                .join(format!("{i}.png"));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let pixels = (0..side * 8 * 3)
                .map(|p| (p * 31 + i as u32 * 57) as u8)
                .collect();
            let image = Image::from_rgb8(side, 8, pixels).unwrap().into_rgb_image();
            image.save(path).unwrap();
        }
    }
    let builder = || ImageDataBunch::from_folder(folder.path()).batch_size(2);
    let findings = |data: Result<ImageDataBunch, Error>| -> Vec<String> {
        let report = data.unwrap().doctor();
        let of_kind = |f: &Finding| f.kind == Kind::SizesDiffer;
        let findings = report.findings.into_iter().filter(of_kind);
        findings.map(|finding| finding.message).collect()
    };
    // In the order of the paths: 0 and 2 in a, 1 and 3 in b.
    assert_eq!(
        findings(builder().build()),
        ["8x8 and 9x8; 2 differ from the first"]
    );
    assert!(findings(builder().size(8).build()).is_empty());
    // A size alone does not help: batches fail, and the doctor says so.
    let left = || builder().size(8).resize_method(ResizeMethod::No);
    let batch = left().build().unwrap().one_batch(DatasetType::Fix);
    assert!(matches!(
        batch,
        Err(Error::Image(ImageError::SizesDiffer { .. }))
    ));
    assert_eq!(
        findings(left().build()),
        ["8x8 and 9x8; 2 differ from the first"]
    );
    assert!(findings(left().transforms(random_resized_crop()).build()).is_empty());
    let crops = Transforms {
        train: vec![Transform::crop(6)],
        valid: Vec::new(),
    };
    assert!(findings(builder().transforms(crops).build()).is_empty());
}

/// One photo in a folder for each of these names.
fn classes(names: &[&str]) -> tempfile::TempDir {
    let files: Vec<(String, String)> = names
        .iter()
        .enumerate()
        .map(|(i, name)| (format!("photo_0{i}.jpg"), format!("{name}/{i}.jpg")))
        .collect();
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(fixture, path)| (fixture.as_str(), path.as_str()))
        .collect();
    folder(&files)
}

fn messages(report: &Report, kind: Kind) -> Vec<String> {
    report.of_kind(kind).map(|f| f.message.clone()).collect()
}

/// Folders whose names differ by normal form are two only where the file system keeps them apart.
#[cfg(target_os = "linux")]
#[test]
fn classes_that_print_alike_are_found_and_spelled_so_that_they_differ() {
    // As Linux and macOS write it; with a Cyrillic letter; with an invisible character.
    for (a, b, spelled) in [
        (
            "café",
            "cafe\u{301}",
            ["\"caf\\u{e9}\"", "\"cafe\\u{301}\""],
        ),
        ("cat", "с\u{430}t", ["\"cat\"", "\"\\u{441}\\u{430}t\""]),
        ("cat", "cat\u{200b}", ["\"cat\"", "\"cat\\u{200b}\""]),
    ] {
        let folder = classes(&[a, b, "dog"]);
        let report = examine(&folder);
        let found = messages(&report, Kind::NamesPrintAlike);
        assert_eq!(found.len(), 1, "{a} {b}: {report}");
        assert!(
            spelled.iter().all(|name| found[0].contains(name)),
            "{found:?}"
        );
        assert_eq!(messages(&report, Kind::NamesDifferByBlanks), [""; 0]);
        let finding = report.of_kind(Kind::NamesPrintAlike).next().unwrap();
        assert_eq!(finding.severity, Severity::Warning);
        assert!(!report.is_healthy());
        // In each form of the report, with the advice. JSON escapes the backslash and quotes, HTML quotes.
        let end = spelled[1].trim_matches('"');
        let (text, html, json) = (report.to_string(), report.to_html(), report.to_json());
        assert!(
            text.contains(end) && text.contains(finding.advice),
            "{text}"
        );
        assert!(
            html.contains(end) && html.contains("classes print alike"),
            "{html}"
        );
        assert!(json.contains("names_print_alike"), "{json}");
        assert!(json.contains(&end.replace('\\', "\\\\")), "{json}");
        // Every message that names such a class spells it.
        for message in messages(&report, Kind::FewItems) {
            let named = spelled.iter().any(|name| message.starts_with(name));
            assert!(named || message.starts_with("dog"), "{message}");
        }
    }
}

#[cfg(unix)]
#[test]
fn classes_that_differ_by_blanks_or_case_are_found() {
    for (a, b) in [
        ("cat", "cat "),
        ("cat", " cat"),
        ("red cat", "red  cat"),
        ("cat", "Cat"),
    ] {
        let folder = classes(&[a, b, "dog"]);
        let report = examine(&folder);
        let found = messages(&report, Kind::NamesDifferByBlanks);
        assert_eq!(found.len(), 1, "{a:?} {b:?}: {report}");
        assert!(
            [a, b]
                .iter()
                .all(|name| found[0].contains(&format!("{name:?} (1 items)"))),
            "{found:?}"
        );
        assert_eq!(messages(&report, Kind::NamesPrintAlike), [""; 0]);
    }
    let folder = classes(&["0", "O", "o1", "ol", "dog"]);
    let report = examine(&folder);
    assert_eq!(
        messages(&report, Kind::NamesDifferByBlanks),
        [""; 0],
        "{report}"
    );
    assert_eq!(
        messages(&report, Kind::NamesPrintAlike),
        [""; 0],
        "{report}"
    );
}

#[test]
fn class_folders_without_images_are_found_and_other_folders_are_not() {
    let folder = folder(&[
        ("photo_00.jpg", "train/cat/0.jpg"),
        ("photo_01.jpg", "train/dog/1.jpg"),
        ("photo_02.jpg", "valid/cat/2.jpg"),
    ]);
    let root = folder.path();
    let make = |path: &str, file: Option<&str>| {
        fs::create_dir_all(root.join(path)).unwrap();
        if let Some(file) = file {
            fs::write(root.join(path).join(file), "").unwrap();
        }
    };
    let empty = ["train/bird", "train/fish", "train/mouse", "valid/dog"];
    make("train/bird", None);
    make("train/fish", Some("Thumbs.db"));
    make("train/mouse", Some(".DS_Store"));
    // A class, as training shows, whose images are missing here.
    make("valid/dog", Some("notes.txt"));
    // No classes: files of another kind beside classes, and folders that are beside no class.
    make("train/models", Some("best.safetensors"));
    make("models", None);
    make(".cache", None);
    let report = examine(&folder);
    let found: Vec<PathBuf> = report
        .of_kind(Kind::EmptyClassFolder)
        .map(|finding| finding.files[0].path.strip_prefix(root).unwrap().to_owned())
        .collect();
    assert_eq!(found, empty.map(PathBuf::from));
    let (text, html, json) = (report.to_string(), report.to_html(), report.to_json());
    let advice = report
        .of_kind(Kind::EmptyClassFolder)
        .next()
        .unwrap()
        .advice;
    assert!(
        text.contains("train/bird: it has no image") && text.contains(advice),
        "{text}"
    );
    assert!(
        html.contains("empty class folder") && html.contains("train/fish"),
        "{html}"
    );
    assert!(json.contains("empty_class_folder"), "{json}");
    assert!(report.quarantine().is_empty());
    // The same of a data bunch.
    let data = ImageDataBunch::from_folder(root)
        .classes(["cat", "dog"])
        .size(32)
        .build();
    let found = data.unwrap().doctor();
    assert_eq!(found.of_kind(Kind::EmptyClassFolder).count(), 4, "{found}");
}
