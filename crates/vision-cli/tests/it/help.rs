//! Help, completions and man pages.

use std::fs;

use regex::Regex;

use crate::support::vision;

const COMMANDS: [&str; 17] = [
    "doctor",
    "show",
    "lr-find",
    "train",
    "resume",
    "predict",
    "serve",
    "evaluate",
    "compare",
    "report",
    "export",
    "self-test",
    "weights",
    "devices",
    "bench",
    "completions",
    "man",
];

#[test]
fn the_help_of_every_command_has_an_example() {
    let folder = tempfile::tempdir().unwrap();
    let all = vision(folder.path(), ["--help"]).ends(0).out;
    for command in COMMANDS {
        assert!(all.contains(&format!("\n  {command}")), "{command}: {all}");
        let help = vision(folder.path(), [command, "--help"]).ends(0).out;
        assert!(
            help.contains(&format!("  vision {command}")),
            "{command}: {help}"
        );
        assert!(help.contains("Example"), "{command}: {help}");
    }
    // The table of the documentation has each of them, and the list above is complete.
    let page = include_str!("../../../../docs/command-line.md");
    let listed = all
        .split("Commands:\n")
        .nth(1)
        .unwrap()
        .split("\n\n")
        .next()
        .unwrap();
    for line in listed.lines() {
        let command = line.split_whitespace().next().unwrap();
        assert!(
            command == "help" || COMMANDS.contains(&command),
            "{command}"
        );
        assert!(
            page.contains(&format!("`vision {command}")) || command == "help",
            "{command}"
        );
    }
}

#[test]
fn completions_and_man_pages_name_the_commands() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = vision(folder.path(), ["completions", shell]).ends(0).out;
        assert!(
            script.contains("self-test") && script.contains("freeze-epochs"),
            "{shell}"
        );
    }
    vision(folder.path(), ["man", "pages"]).ends(0);
    for command in COMMANDS {
        let page = folder.path().join(format!("pages/vision-{command}.1"));
        let page = fs::read_to_string(page).unwrap();
        assert!(page.starts_with(".ie") || page.contains(".TH"), "{page}");
    }
    assert!(folder.path().join("pages/vision-weights-show.1").is_file());
    vision(folder.path(), ["man", "pages"])
        .ends(1)
        .says("--overwrite");
    vision(folder.path(), ["man", "pages", "--overwrite"]).ends(0);
}

/// Each command with the help that it prints, and those below it.
fn helps() -> Vec<(String, String)> {
    let folder = tempfile::tempdir().unwrap();
    let below = ["list", "fetch", "show"].map(|inner| vec!["weights", inner]);
    let commands = COMMANDS
        .map(|command| vec![command])
        .into_iter()
        .chain(below);
    commands
        .map(|command| {
            let arguments = command.iter().copied().chain(["--help"]);
            let help = vision(folder.path(), arguments).ends(0).out;
            (command.join(" "), help)
        })
        .collect()
}

#[test]
fn every_option_and_argument_has_a_text_and_no_help_speaks_of_rust() {
    let rust = Regex::new(r"::|Option<|PathBuf|String\b|\busize\b|\bf(?:32|64)\b|\bu(?:16|32|64)\b|[a-z]_[a-z]+\(|\bwith_").unwrap();
    let entry = Regex::new(r"^ {2,6}(-[A-Za-z-].*|[<\[].*)$").unwrap();
    for (command, help) in helps() {
        assert!(!rust.is_match(&help), "{command}: {help}");
        assert!(
            help.contains("\nUsage: vision ") && help.contains("Example"),
            "{command}: {help}"
        );
        assert!(
            help.contains(&format!("  vision {command}")),
            "{command}: {help}"
        );
        let lines: Vec<&str> = help.lines().collect();
        let mut options = 0;
        let end = lines
            .iter()
            .position(|line| line.starts_with("Example"))
            .unwrap();
        for (at, line) in lines[..end]
            .iter()
            .enumerate()
            .filter(|(_, line)| entry.is_match(line))
        {
            options += 1;
            // The text is behind the name, or in the next line.
            let behind = line
                .trim()
                .split("  ")
                .filter(|part| !part.is_empty())
                .count()
                > 1;
            let below = lines
                .get(at + 1)
                .is_some_and(|next| next.trim().len() > 3 && !entry.is_match(next));
            assert!(behind || below, "{command}: {line:?} has no text");
        }
        assert!(options >= 2, "{command}: {help}");
    }
}

#[test]
fn the_documentation_has_every_option() {
    let pages = [
        include_str!("../../../../docs/command-line.md"),
        include_str!("../../../../docs/serving.md"),
    ];
    let name = Regex::new(r"--[a-z][a-z-]+").unwrap();
    for (command, help) in helps() {
        for option in name.find_iter(&help).map(|found| found.as_str()) {
            let is_there = pages.iter().any(|page| page.contains(option));
            assert!(is_there, "{command} {option}");
        }
    }
}
