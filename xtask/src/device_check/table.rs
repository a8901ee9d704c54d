//! The results of a check, line by line.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use serde_json::json;

use super::difference::Difference;
use crate::Result;

/// Prints each result as soon as it is there, and counts those that failed.
pub(super) struct Table {
    json: bool,
    /// Only checks whose name has this are done.
    only: String,
    begin: Instant,
    checks: usize,
    failed: Vec<String>,
}

impl Table {
    pub(super) fn new(device: &str, json: bool, only: &str) -> Self {
        if json {
            println!("{}", json!({ "device": device }));
        } else {
            println!("{device}");
            println!(
                "{:<11} {:<62} {:>9} {:>9} {:>7}",
                "part", "check", "error", "allowed", "seconds"
            );
        }
        Self {
            json,
            only: only.to_owned(),
            begin: Instant::now(),
            checks: 0,
            failed: Vec::new(),
        }
    }

    /// Whether a check of this name is to be done.
    pub(super) fn wants(&self, name: &str) -> bool {
        name.contains(&self.only)
    }

    /// One check. A panic, which is how Burn and drivers report what they cannot do, is a failure like others.
    pub(super) fn check(&mut self, part: &str, name: &str, check: impl FnOnce() -> Difference) {
        if !self.wants(name) {
            return;
        }
        let begin = Instant::now();
        let found = catch_unwind(AssertUnwindSafe(check));
        let seconds = begin.elapsed().as_secs_f64();
        let found = found.unwrap_or_else(|panic| Difference {
            error: f64::INFINITY,
            tolerance: 0.0,
            note: format!("panicked: {}", words(panic.as_ref())),
        });
        self.checks += 1;
        let passed = found.is_within_tolerance();
        if !passed {
            self.failed.push(format!("{part}: {name}"));
        }
        if self.json {
            let error = found.error.is_finite().then_some(found.error);
            println!(
                "{}",
                json!({
                    "part": part, "check": name, "passed": passed, "error": error, "allowed": found.tolerance,
                    "note": found.note, "seconds": seconds,
                })
            );
        } else {
            let mark = if passed { "" } else { "  FAILED" };
            println!(
                "{part:<11} {name:<62} {:>9.1e} {:>9.0e} {seconds:>7.2}{mark}  {}",
                found.error, found.tolerance, found.note
            );
        }
    }

    /// The last line. An error if a check failed.
    pub(super) fn finish(self) -> Result<()> {
        let (checks, failed) = (self.checks, self.failed.len());
        let seconds = self.begin.elapsed().as_secs_f64();
        if self.json {
            println!(
                "{}",
                json!({ "checks": checks, "failed": self.failed, "seconds": seconds })
            );
        } else {
            println!(
                "{} of {checks} checks passed in {seconds:.0} s",
                checks - failed
            );
        }
        match failed {
            0 if checks == 0 => Err(format!("no check has {:?} in its name", self.only).into()),
            0 => Ok(()),
            _ => Err(format!(
                "{failed} of {checks} checks failed: {}",
                self.failed.join(", ")
            )
            .into()),
        }
    }
}

/// What a panic said.
fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "without a message".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::panic, reason = "that is what is caught")]
    fn a_difference_beyond_the_tolerance_and_a_panic_fail() {
        let with = |error: f64| Difference {
            error,
            tolerance: 1e-3,
            note: String::new(),
        };
        let mut table = Table::new("a device", true, "");
        table.check("part", "good", || with(1e-4));
        assert!(table.finish().is_ok());

        let mut table = Table::new("a device", false, "");
        table.check("part", "good", || with(1e-4));
        table.check("part", "bad", || with(f64::INFINITY));
        table.check("part", "worse", || panic!("no such kernel"));
        let error = table.finish().unwrap_err().to_string();
        assert_eq!(error, "2 of 3 checks failed: part: bad, part: worse");
    }
}
