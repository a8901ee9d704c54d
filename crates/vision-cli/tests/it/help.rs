//! Help, completions and man pages.

use std::fs;

use crate::support::vision;

const COMMANDS: [&str; 16] = [
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
