//! The warning about a library compiled without optimization.

use std::io::{self, Write};
use std::sync::Once;

/// The fix, as in the README and in the documentation of the crate `vision`.
const LINES: [&str; 2] = ["[profile.dev]", "opt-level = 3"];

/// Warns once per process on standard error if the library is not optimized.
pub(crate) fn notice() {
    static SAID: Once = Once::new();
    if !vision_kernels::optimized() {
        SAID.call_once(|| write(&mut io::stderr()));
    }
}

/// Ignores write errors: a closed standard error must not stop training.
fn write(to: &mut impl Write) {
    let [table, setting] = LINES;
    let _ = writeln!(
        to,
        "note: vision was compiled without optimization, which makes training at least a hundred times slower; add \
         the lines `{table}` and `{setting}` to Cargo.toml, or run with --release"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_notice_is_one_line_and_names_the_lines_that_help() {
        let mut out = Vec::new();
        write(&mut out);
        let out = String::from_utf8(out).unwrap();
        assert_eq!(out.lines().count(), 1);
        assert!(LINES.iter().all(|line| out.contains(line)), "{out}");
    }

    #[test]
    fn a_closed_standard_error_is_survived() {
        write(&mut [].as_mut_slice());
    }

    #[test]
    fn readme_and_crate_documentation_have_the_same_lines() {
        let lines = LINES.join("\n");
        assert!(include_str!("../../../README.md").contains(&lines));
        assert!(include_str!("../../vision/src/docs.md").contains(&lines));
    }
}
