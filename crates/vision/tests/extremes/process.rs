//! The processes: a test starts its own program once more, with limited memory, for the calls of one area.

use std::env;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use crate::table::{Table, marks};

/// Set in a child process: the number of calls that earlier processes of this area have made.
const FIRST: &str = "VISION_EXTREMES_FIRST";

/// Address space of a child, in KiB. A call may take 2 GiB; threads reserve more than they use.
const ADDRESS_SPACE: u64 = 4 << 20;

/// A call that ends later than this does not end.
const PATIENCE: Duration = Duration::from_secs(90);

/// Processes that may end before their time until the area counts as failed as a whole.
const MOST_ENDS: usize = 40;

/// Makes the calls of a table in child processes, and fails with all that went wrong.
pub(crate) fn area(name: &str, table: fn(&mut Table)) {
    if let Ok(first) = env::var(FIRST) {
        let mut calls = Table::new(first.parse().unwrap());
        table(&mut calls);
        println!("{}", marks::END);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (mut failures, mut calls) = (Vec::new(), 0);
    loop {
        let stderr = folder.path().join("stderr");
        let mut run = Run::new(child(name, calls, &folder, &stderr));
        let end = run.watch(&mut failures);
        calls += run.calls;
        let Some(end) = end else {
            break;
        };
        let said = fs::read(&stderr).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        let said: Vec<&str> = said.lines().rev().take(3).collect();
        failures.push(format!("{}: {end}: {said:?}", run.last));
        if failures.len() > MOST_ENDS || run.calls == 0 {
            break;
        }
    }
    println!("{name}: {calls} calls");
    assert!(calls > 0, "{name}: nothing was called");
    assert!(
        failures.is_empty(),
        "{name}, {} failures:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

fn child(name: &str, first: usize, folder: &tempfile::TempDir, stderr: &std::path::Path) -> Child {
    let program = env::current_exe().unwrap();
    let mut command = if cfg!(target_os = "linux") {
        let mut shell = Command::new("sh");
        let script = format!("ulimit -v {ADDRESS_SPACE}; exec \"$0\" \"$@\"");
        shell.arg("-c").arg(script).arg(program);
        shell
    } else {
        Command::new(program)
    };
    // A folder of its own: relative paths among the values lead nowhere else.
    let work = folder.path().join("work");
    fs::create_dir_all(&work).unwrap();
    command
        .args([name, "--exact", "--nocapture", "--test-threads", "1"])
        .current_dir(&work)
        .env(FIRST, first.to_string())
        // An arena per thread would reserve most of the address space.
        .env("MALLOC_ARENA_MAX", "2")
        .env("RAYON_NUM_THREADS", "2")
        .env("VISION_OFFLINE", "1")
        .env("XDG_CACHE_HOME", folder.path().join("cache"))
        .env("TMPDIR", folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(File::create(stderr).unwrap())
        .spawn()
        .unwrap()
}

/// A child process and what is known of its calls.
struct Run {
    child: Child,
    calls: usize,
    /// The call that began last.
    last: String,
}

impl Run {
    fn new(child: Child) -> Self {
        let last = "before the first call".to_owned();
        Self {
            child,
            calls: 0,
            last,
        }
    }

    /// Collects what the child reports. Returns why it ended, unless it made all calls.
    fn watch(&mut self, failures: &mut Vec<String>) -> Option<String> {
        let (sender, lines) = channel();
        let out = BufReader::new(self.child.stdout.take().unwrap());
        let reader = thread::spawn(move || {
            // Values may hold bytes that are no text.
            for line in out.split(b'\n').map_while(Result::ok) {
                let _ = sender.send(String::from_utf8_lossy(&line).into_owned());
            }
        });
        let mut ended = false;
        let why = loop {
            match lines.recv_timeout(PATIENCE) {
                Ok(line) => {
                    if let Some((_, call)) = line.split_once(marks::CALL) {
                        call.clone_into(&mut self.last);
                        self.calls += 1;
                    } else if let Some((_, failure)) = line.split_once(marks::FAILURE) {
                        failures.push(failure.to_owned());
                    }
                    ended |= line.contains(marks::END);
                }
                Err(RecvTimeoutError::Disconnected) => break None,
                Err(RecvTimeoutError::Timeout) => {
                    let _ = self.child.kill();
                    break Some("it did not end".to_owned());
                }
            }
        };
        let status = self.child.wait().unwrap();
        reader.join().unwrap();
        why.or_else(|| (!ended).then(|| describe(status)))
    }
}

fn describe(status: ExitStatus) -> String {
    format!("the process ended ({status})")
}
