//! What the library says of its methods, in options of the program.
//!
//! The library advises a programmer: `.size(..)`, `LabelOptions::with_unknown`. Here an option of that name stands in its
//! place; advice that no option follows is said in other words, or left out. A test reads the messages in the sources.

mod texts;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use clap::CommandFactory;
use regex::{Captures, Regex};
use vision::base::OptionError;

use crate::Program;
use crate::wording::texts::{ALIASES, TEXTS};

/// A call of a method, with what it is called on.
static CALL: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r#"`?(?:[A-Z]\w*(?:::new\([^()]*\))?)?\.(?:with_)?([a-z_0-9]+)\(((?:[^()]|\([^()]*\))*)\)`?"#,
    )
    .ok()
});
/// A path to a method that sets an option.
static PATH: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"`?[A-Z]\w*::with_([a-z_0-9]+)(?:\([^()]*\))?`?").ok());
/// The name of an option of the library.
static NAME: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"`?\b([a-z]+(?:_[a-z0-9]+)+)\b`?").ok());
/// A hint for programmers alone, in parentheses or after a colon.
static HINT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r" \((?:or )?`?(?:[A-Z]\w*::)+\w+(?:\([^()]*\))?`?\)|: (?:[A-Z]\w*::)+with_\w+\([^()]*\)|: `[A-Z]\w*::new\(\)\.\w+\([^()]*\)`",
    )
    .ok()
});

/// The long names of all options of the program, and whether they take a value.
static FLAGS: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    fn collect(command: &clap::Command, flags: &mut BTreeSet<String>) {
        let long = command.get_arguments().filter_map(clap::Arg::get_long);
        flags.extend(long.map(str::to_owned));
        for inner in command.get_subcommands() {
            collect(inner, flags);
        }
    }
    let mut flags = BTreeSet::new();
    collect(&Program::command(), &mut flags);
    flags
});

/// The option of the program for one of the library: `valid_pct` is `--valid-pct`.
fn flag_of(option: &str) -> Option<String> {
    let alias = ALIASES.iter().find(|(name, _)| *name == option);
    let name = alias.map_or_else(|| option.replace('_', "-"), |(_, flag)| (*flag).to_owned());
    FLAGS.contains(&name).then(|| format!("--{name}"))
}

/// The message of an option that is out of range.
pub(crate) fn of_option(error: &OptionError) -> String {
    let flag = match error.option {
        // What is computed at a time.
        "images" if error.expected.ends_with("at a time") => Some("--batch-size".to_owned()),
        option => flag_of(option),
    };
    let text = error.to_string();
    match flag {
        Some(flag) => {
            let named = format!("bad {}", error.option);
            in_options(&text.replacen(&named, &format!("bad {flag}"), 1))
        }
        None => in_options(&text),
    }
}

/// A message of the library, in options of the program.
pub(crate) fn in_options(text: &str) -> String {
    let mut text = text.to_owned();
    for (library, program) in TEXTS {
        if text.contains(library) {
            text = text.replace(library, program);
        }
    }
    let replace =
        |text: String, regex: &Option<Regex>, by: &dyn Fn(&Captures<'_>) -> String| match regex {
            Some(regex) => regex.replace_all(&text, by).into_owned(),
            None => text,
        };
    let whole = |found: &Captures<'_>| found.get(0).map_or("", |whole| whole.as_str()).to_owned();
    let part = |found: &Captures<'_>, at| found.get(at).map_or("", |part| part.as_str()).to_owned();
    text = replace(text, &CALL, &|found| match flag_of(&part(found, 1)) {
        Some(flag) => flag + &value(&part(found, 2)),
        None => whole(found),
    });
    text = replace(text, &PATH, &|found| {
        flag_of(&part(found, 1)).unwrap_or_else(|| whole(found))
    });
    text = replace(text, &NAME, &|found| {
        flag_of(&part(found, 1)).unwrap_or_else(|| whole(found))
    });
    replace(text, &HINT, &|_| String::new())
}

/// An argument of a method as the value of an option.
fn value(argument: &str) -> String {
    match argument {
        "" | ".." => String::new(),
        "true" => " yes".to_owned(),
        "false" => " no".to_owned(),
        text => {
            let bare = text.trim_matches(['"', '\\']);
            let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
            match !bare.is_empty() && bare.chars().all(is_plain) {
                true => format!(" {bare}"),
                false => format!(" \"{bare}\""),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs;
    use std::path::{Path, PathBuf};

    use proc_macro2::{TokenStream, TokenTree};

    use super::*;

    #[test]
    fn methods_become_options() {
        for (library, program) in [
            (
                "or pass `.valid_pct(0.2)` to split",
                "or pass --valid-pct 0.2 to split",
            ),
            ("use `.label_delim(\";\")`.", "use --label-delim \";\"."),
            (
                "WeightsSource::new(path).averaged() takes it",
                "--averaged takes it",
            ),
            (
                "choose one of them: WeightsSource::new(path).prefix(\"model.\")",
                "choose one of them: --prefix model.",
            ),
            (
                "raise valid_pct, use more images",
                "raise --valid-pct, use more images",
            ),
            (
                "leave such items out (LabelOptions::with_unknown)",
                "leave such items out",
            ),
            (
                "random weights (.pretrained(false))",
                "random weights (--pretrained no)",
            ),
            (
                "cannot read photos/valid (2).jpg: gone",
                "cannot read photos/valid (2).jpg: gone",
            ),
            ("allow it: Decisions::with_new_classes([\"a\"])", "allow it"),
        ] {
            assert_eq!(in_options(library), program);
        }
        let error = OptionError::new("batch_size", "at least 1", 0);
        assert_eq!(
            of_option(&error),
            "bad --batch-size: expected at least 1, found 0"
        );
    }

    /// Files with messages that the program never shows, and how many they have: about code of the user's own, options that
    /// only a program sets, and (in `choice.rs`) a text that is put together later.
    const NOT_REACHED: [(&str, usize); 14] = [
        ("vision-data/src/databunch/mod.rs", 1),
        ("vision-data/src/datasets/download_images.rs", 1),
        ("vision-data/src/inspect/verify.rs", 2),
        ("vision-data/src/pipeline/mod.rs", 1),
        ("vision-data/src/table/error.rs", 1),
        ("vision-data/src/transforms/custom.rs", 1),
        ("vision-interp/src/plot/confusion.rs", 1),
        ("vision-learner/src/builder.rs", 1),
        ("vision-learner/src/bundle/write.rs", 2),
        ("vision-learner/src/callbacks/reduce_lr_on_plateau.rs", 1),
        ("vision-learner/src/checkpoint/compare.rs", 2),
        ("vision-learner/src/error.rs", 3),
        ("vision-learner/src/features/refusal.rs", 6),
        ("vision-models/src/weights/choice.rs", 1),
    ];

    #[test]
    fn no_message_of_the_library_names_a_method_that_the_program_does_not_have() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut files = Vec::new();
        for name in ["data", "fetch", "figure", "interp", "learner", "models"] {
            sources(&root.join(format!("vision-{name}/src")), &mut files);
        }
        assert!(files.len() > 200, "{}", files.len());
        let code =
            Regex::new(r"[A-Z]\w+::[a-z_]\w+|\.[a-z_]+\((?:\.\.|[\w.\x22\\]*)\)|\bwith_[a-z_]+")
                .unwrap();
        // Python's own, and what a message says of a file's name.
        let python =
            Regex::new(r"torch\.|state_dict|load_learner|\.(?:pth|pt|json|csv|jpg)\b").unwrap();
        let mut left = Vec::new();
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            let code_alone = text.split("#[cfg(test)]").next().unwrap();
            let mut messages = Vec::new();
            // Where a single item is for tests, the part before it is no whole source.
            let tokens = code_alone.parse().or_else(|_| text.parse());
            literals(tokens.unwrap(), &mut messages);
            let name = file
                .strip_prefix(&root)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            for message in messages.iter().filter(|message| message.contains(' ')) {
                let said = in_options(message);
                if code.is_match(&said) && !python.is_match(&said) {
                    left.push((name.clone(), said));
                }
            }
        }
        for (file, expected) in NOT_REACHED {
            let found = left.iter().filter(|(found, _)| found == file).count();
            assert_eq!(found, expected, "{file}: {left:#?}");
        }
        left.retain(|(file, _)| NOT_REACHED.iter().all(|(known, _)| known != file));
        assert!(left.is_empty(), "{left:#?}");
    }

    fn sources(folder: &Path, files: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => sources(&path, files),
                false => files.push(path),
            }
        }
    }

    /// The texts of a source, without those of documentation.
    fn literals(tokens: TokenStream, found: &mut Vec<String>) {
        for token in tokens {
            match token {
                TokenTree::Group(group) => {
                    let first = group
                        .stream()
                        .into_iter()
                        .next()
                        .map(|token| token.to_string());
                    if !matches!(first.as_deref(), Some("doc" | "expect" | "must_use")) {
                        literals(group.stream(), found);
                    }
                }
                TokenTree::Literal(literal) => {
                    let text = literal.to_string();
                    if let Some(text) = text
                        .strip_prefix('"')
                        .and_then(|text| text.strip_suffix('"'))
                    {
                        let lines: Vec<&str> = text.split("\\\n").collect();
                        let joined: Vec<&str> = lines
                            .iter()
                            .enumerate()
                            .map(|(i, line)| match i {
                                0 => *line,
                                _ => line.trim_start(),
                            })
                            .collect();
                        found.push(joined.concat().replace("\\\"", "\""));
                    }
                }
                TokenTree::Ident(_) | TokenTree::Punct(_) => {}
            }
        }
    }
}
