//! Rules for the layout of files that the compiler does not check.

mod circles;
mod declared;

use std::fs;
use std::path::{Path, PathBuf};

use crate::Result;

/// Crates whose `src` does not keep to the rules yet.
const LATER: &[&str] = &[];

/// The root folder of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Checks every crate of the workspace.
pub(crate) fn check() -> Result<()> {
    let mut faults = Vec::new();
    for package in packages()? {
        let mut of_src = circles::faults(&package)?;
        declared::in_src(&package, &mut of_src)?;
        match (LATER.contains(&stem(&package).as_str()), of_src.is_empty()) {
            (false, _) => faults.append(&mut of_src),
            (true, false) => {}
            (true, true) => faults.push(format!(
                "{} keeps the rules now: remove it from LATER in {}",
                stem(&package),
                file!()
            )),
        }
        declared::in_programs(&package, &mut faults)?;
    }
    if faults.is_empty() {
        return Ok(());
    }
    Err(faults.join("\n").into())
}

/// The folders of all packages.
fn packages() -> Result<Vec<PathBuf>> {
    let (_, mut packages) = entries(&root().join("crates"))?;
    packages.push(root().join("xtask"));
    Ok(packages)
}

/// The Rust files and the subfolders of a folder, both sorted. Empty if the folder does not exist.
fn entries(folder: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    let (mut files, mut folders) = (Vec::new(), Vec::new());
    if folder.is_dir() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    folders.sort();
    Ok((files, folders))
}

/// The name of a file without its extension, or of a folder.
fn stem(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default();
    stem.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_files_of_the_workspace_lie_as_they_should() {
        super::check().unwrap();
    }
}
