//! Files are complete or absent, and errors name them.

use std::fs;
use std::path::Path;

use vision_base::IoError;
use vision_figure::Error;
use vision_interp::{ConfusionMatrix, ConfusionPlotConfig, Figure};

fn figure() -> Figure {
    ConfusionMatrix::new(["3", "7"])
        .plot(&ConfusionPlotConfig::new())
        .unwrap()
}

fn files(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn the_extension_says_the_format() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name| folder.path().join(name);
    for name in ["a.png", "b.PNG", "c.svg", "d.Svg"] {
        figure().save(file(name)).unwrap();
    }
    assert_eq!(fs::read(file("a.png")).unwrap(), figure().to_png().unwrap());
    assert_eq!(
        fs::read(file("a.png")).unwrap(),
        fs::read(file("b.PNG")).unwrap()
    );
    assert_eq!(
        fs::read_to_string(file("c.svg")).unwrap(),
        figure().to_svg()
    );
    // No other files are left.
    assert_eq!(files(folder.path()), ["a.png", "b.PNG", "c.svg", "d.Svg"]);
}

#[test]
fn another_extension_is_an_error_that_names_the_file_and_what_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["plot.jpg", "plot", ".png", "plot.png.bak"] {
        let path = folder.path().join(name);
        let error = figure().save(&path).unwrap_err();
        assert!(matches!(error, Error::Extension { .. }), "{error}");
        let text = error.to_string();
        assert!(
            text.contains(path.to_str().unwrap()) && text.contains(".png or .svg"),
            "{text}"
        );
    }
    assert!(files(folder.path()).is_empty());
}

#[test]
fn a_file_that_was_there_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plot.svg");
    fs::write(&path, "old").unwrap();
    figure().save(&path).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), figure().to_svg());
    assert_eq!(files(folder.path()), ["plot.svg"]);
}

#[test]
fn a_folder_that_cannot_take_a_file_is_an_error_that_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    for path in [
        folder.path().join("missing/plot.png"),
        file.join("plot.png"),
    ] {
        let error = figure().save(&path).unwrap_err();
        assert!(
            matches!(&error, Error::Io(IoError { path: named, .. }) if *named == path),
            "{error}"
        );
        assert!(
            error.to_string().contains(path.to_str().unwrap()),
            "{error}"
        );
    }
    // A folder with the name of the file: nothing is replaced, nothing is left.
    let taken = folder.path().join("taken.png");
    fs::create_dir(&taken).unwrap();
    assert!(matches!(
        figure().save(&taken),
        Err(Error::Io(IoError { .. }))
    ));
    assert_eq!(files(folder.path()), ["file", "taken.png"]);
}

#[test]
#[cfg(unix)]
fn a_read_only_folder_is_an_error_and_the_old_file_stays() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plot.png");
    fs::write(&path, "old").unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o555)).unwrap();
    if fs::write(folder.path().join("probe"), "").is_ok() {
        println!("skipped: this user (root?) may write to read-only folders");
        return;
    }
    let error = figure().save(&path).unwrap_err();
    assert!(
        matches!(&error, Error::Io(IoError { path: named, .. }) if *named == path),
        "{error}"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
#[cfg(unix)]
fn a_figure_has_the_rights_that_any_new_file_gets() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let mode = |name: &str| {
        fs::metadata(folder.path().join(name))
            .unwrap()
            .permissions()
            .mode()
    };
    fs::write(folder.path().join("other"), "").unwrap();
    figure().save(folder.path().join("plot.png")).unwrap();
    assert_eq!(mode("plot.png"), mode("other"));
}
