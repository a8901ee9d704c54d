//! Files that belong to no module. The compiler never sees them, and tests in them never run.

use std::fs;
use std::path::Path;

use crate::Result;
use crate::layout::{entries, stem};

/// Finds the files of a package's `src` that belong to no module.
pub(super) fn in_src(package: &Path, faults: &mut Vec<String>) -> Result<()> {
    folder(&package.join("src"), faults)
}

/// Finds files of its tests, examples and benches that belong to no program. There, each file, and
/// each folder with a main.rs, is a program.
pub(super) fn in_programs(package: &Path, faults: &mut Vec<String>) -> Result<()> {
    for kind in ["tests", "examples", "benches"] {
        for program in entries(&package.join(kind))?.1 {
            if program.join("main.rs").is_file() {
                folder(&program, faults)?;
            }
        }
    }
    Ok(())
}

/// Searches the file that stands for a folder for the names of the folder's files and subfolders.
fn folder(path: &Path, faults: &mut Vec<String>) -> Result<()> {
    let (files, folders) = entries(path)?;
    let is_owner = |file: &&Path| ["lib", "main", "mod"].contains(&stem(file).as_str());
    let owner = files.iter().map(|file| file.as_path()).find(is_owner);
    let text = match owner {
        Some(owner) => fs::read_to_string(owner)?,
        None => String::new(),
    };
    let children = files.iter().filter(|file| !is_owner(&file.as_path()));
    for child in children.chain(&folders) {
        if !declares(&text, &stem(child)) {
            let owner = owner.unwrap_or(path).display();
            faults.push(format!(
                "{} is not a module of {owner}: add `mod {};`",
                child.display(),
                stem(child)
            ));
        }
    }
    for inner in &folders {
        folder(inner, faults)?;
    }
    Ok(())
}

/// Whether a file has the line `mod name;`, with any visibility.
fn declares(text: &str, name: &str) -> bool {
    let declared = format!("mod {name};");
    text.lines().any(|line| {
        let line = line.trim();
        let before = line.strip_suffix(&declared).map(str::trim);
        before.is_some_and(|v| v.is_empty() || v.starts_with("pub"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_file_that_no_main_names_is_found() {
        let package = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| {
            let path = package.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        put("src/lib.rs", "pub(crate) mod a;\n");
        put("src/a/mod.rs", "mod inner;\n");
        put("src/a/inner.rs", "");
        put("tests/alone.rs", "");
        put("tests/it/main.rs", "mod listed;\n// mod lost;\n");
        put("tests/it/listed.rs", "");
        let faults = || {
            let mut faults = Vec::new();
            in_src(package.path(), &mut faults).unwrap();
            in_programs(package.path(), &mut faults).unwrap();
            faults
        };
        assert_eq!(faults(), Vec::<String>::new());
        put("tests/it/lost.rs", "");
        put("src/a/lost/mod.rs", "");
        let faults = faults();
        assert_eq!(faults.len(), 2, "{faults:?}");
        assert!(faults[0].contains("a/lost is not a module"), "{faults:?}");
        assert!(
            faults[1].contains("it/lost.rs is not a module"),
            "{faults:?}"
        );
    }
}
