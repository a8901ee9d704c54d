//! Tables: lines of an option and its extreme values.

use std::fmt::{Debug, Display};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use vision::base::message::{panic_message, shown};

/// How the lines that a child prints begin.
pub(crate) mod marks {
    pub(crate) const CALL: &str = "call: ";
    pub(crate) const FAILURE: &str = "failure: ";
    pub(crate) const END: &str = "end of the table";
}

/// Largest peak of memory of a call, in KiB.
const MOST_MEMORY: u64 = 2 << 20;

/// Longest time of the process's processors for a call, in hundredths of a second.
const MOST_TIME: u64 = 1000;

/// Longest message of an error, in characters. A message shows paths of up to 1000 characters.
const LONGEST: usize = 5000;

/// An option that every error names, whatever it says: for functions that check nothing themselves.
pub(crate) const ANY: &str = "";

/// What messages say of a path without a name, such as "".
const NAMELESS: [&str; 6] = [
    "name",
    "expected a file",
    "expected a regular file",
    "not exist",
    "is not at",
    "not been downloaded",
];

/// What a call returns.
pub(crate) trait Outcome {
    /// The message, if it is an error.
    fn message(self) -> Option<String>;
}

impl Outcome for () {
    fn message(self) -> Option<String> {
        None
    }
}

impl Outcome for bool {
    fn message(self) -> Option<String> {
        None
    }
}

impl<T> Outcome for Option<T> {
    fn message(self) -> Option<String> {
        None
    }
}

impl<T, E: Display> Outcome for Result<T, E> {
    fn message(self) -> Option<String> {
        self.err().map(|error| error.to_string())
    }
}

/// The calls of an area.
pub(crate) struct Table {
    /// Calls that earlier processes have made.
    skip: usize,
    seen: usize,
}

impl Table {
    pub(crate) fn new(skip: usize) -> Self {
        Self { skip, seen: 0 }
    }

    /// A line: calls `call`, which uses the public function `function`, with each of the values. An error contains one
    /// of the words of `option`, which are separated by `|`.
    pub(crate) fn line<V: Debug, R: Outcome>(
        &mut self,
        function: &str,
        option: &str,
        values: impl IntoIterator<Item = V>,
        call: impl Fn(V) -> R,
    ) {
        let names_it = |message: &str| option.split('|').any(|word| message.contains(word));
        for value in values {
            let shown = format!("{value:?}");
            self.call(function, &shown, || call(value), names_it);
        }
    }

    /// A line for paths. An error contains the path, or its last part, as messages show it.
    pub(crate) fn paths<R: Outcome>(
        &mut self,
        function: &str,
        paths: impl IntoIterator<Item = PathBuf>,
        call: impl Fn(&Path) -> R,
    ) {
        for path in paths {
            // Messages show a long path cut off; one below a file is named by that file.
            let whole: String = shown(&path).chars().take(900).collect();
            let folder = path.parent().filter(|folder| folder.file_name().is_some());
            let names = [path.file_name(), folder.and_then(Path::file_name)];
            let names = names.into_iter().flatten().map(shown);
            let names: Vec<String> = names.filter(|name| name.len() < 900).collect();
            let has_none = path.file_name().is_none();
            let names_it = |message: &str| {
                message.contains(&whole)
                    || names.iter().any(|name| message.contains(name))
                    || has_none && NAMELESS.iter().any(|words| message.contains(words))
            };
            self.call(function, &format!("{path:?}"), || call(&path), names_it);
        }
    }

    fn call<R: Outcome>(
        &mut self,
        function: &str,
        value: &str,
        call: impl FnOnce() -> R,
        names_it: impl Fn(&str) -> bool,
    ) {
        self.seen += 1;
        if self.seen <= self.skip {
            return;
        }
        let short: String = value
            .chars()
            .take(100)
            .flat_map(char::escape_default)
            .collect();
        let text = format!("{function}({short})");
        println!("{}{text}", marks::CALL);
        // Writing 5 sets the peak back to what is in use.
        let _ = fs::write("/proc/self/clear_refs", "5");
        let before = processor_time();
        let result = catch_unwind(AssertUnwindSafe(|| call().message()));
        let fail = |what: String| {
            let what: String = what
                .chars()
                .take(600)
                .flat_map(char::escape_debug)
                .collect();
            println!("{}{text}: {what}", marks::FAILURE);
        };
        if processor_time() - before > MOST_TIME {
            fail(format!("took {} s", (processor_time() - before) / 100));
        }
        if peak_memory() > MOST_MEMORY {
            fail(format!("took {} MiB", peak_memory() >> 10));
        }
        match result {
            Err(panic) => fail(format!("panicked: {}", panic_message(&*panic))),
            Ok(None) => {}
            Ok(Some(message)) if message.chars().any(|c| c.is_control() && c != '\n') => {
                fail(format!("control characters in {message:?}"));
            }
            Ok(Some(message)) if message.chars().count() > LONGEST => {
                fail(format!("{} characters: {message}", message.chars().count()));
            }
            Ok(Some(message)) if !names_it(&message) => {
                fail(format!("does not name it: {message}"))
            }
            Ok(Some(_)) => {}
        }
    }
}

/// Time that the processors have spent on this process, in hundredths of a second; 0 where the system does not tell.
fn processor_time() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name of the program, in brackets, may hold blanks.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|ticks| ticks.parse::<u64>().ok())
        .sum()
}

/// Peak of resident memory in KiB; 0 where the system does not tell.
fn peak_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}
