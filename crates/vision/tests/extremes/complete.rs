//! No public function is forgotten: each one with numbers, texts, paths or lists among its arguments is in a table, or
//! exempt for a reason.
//!
//! The lint `unreachable_pub` makes sure that what is `pub` can be reached from outside.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// Functions, types (`Type::*`) or files (`vision-models/src/layers/*`) that no table calls, and why.
const EXEMPT: [(&str, &str); 28] = [
    (
        "Learner::data_parallel",
        "takes connected processes, whose making is in a table",
    ),
    (
        "vision-models/src/parity/*",
        "hidden from the documentation: for our own tests",
    ),
    (
        "vision-models/src/layers/*",
        "layers of a network are code: sizes that no memory holds panic, as documented",
    ),
    (
        "vision-kernels/src/ops/*",
        "operations on tensors panic on shapes that do not fit, as those of Burn do",
    ),
    (
        "Init::*",
        "as the layers: draws tensors of a shape that code states",
    ),
    (
        "Arch::build",
        "as the layers; Learner's options reach it with the number of classes of the data",
    ),
    (
        "BodyBuilder::*",
        "called by the code of a backbone; their errors are those of WeightsFile and Cut::apply",
    ),
    (
        "Options::with_certificates",
        "read when a server is asked, which the tables forbid: tests/it/tls.rs of vision-fetch has bad files",
    ),
    ("values", "reads a tensor of any shape"),
    ("restore_buffers", "takes what `buffers` returned"),
    ("Context::map_gradients", "takes a function"),
    ("put_flat", "takes what `flat` returned"),
    (
        "Context::set_tensors",
        "takes tensors, and checks their lengths",
    ),
    ("Context::with_tensors", "takes tensors, as set_tensors"),
    ("GroupedOptimizer::new", "takes the groups of a model"),
    ("io_error", "makes an error"),
    ("IoError::with_hint", "makes an error"),
    ("OptionError::new", "makes an error"),
    (
        "Progress::bar",
        "prints its title through `console`, which makes texts safe",
    ),
    ("Tracker::add", "counts up to the number of items of a loop"),
    (
        "fold",
        "calls a function for each item: as many as the caller says",
    ),
    (
        "map",
        "calls a function for each item: as many as the caller says",
    ),
    ("PathFn::new", "takes a function"),
    ("ImageList::filter_by_func", "takes a function"),
    ("ImageList::split_by_valid_func", "takes a function"),
    (
        "BurnImages::new",
        "behind a feature that the tests do not switch on; as ImageList::from_source",
    ),
    (
        "Mpi::with_limit",
        "behind a feature that the tests do not switch on; as Sockets::with_limit",
    ),
    ("Buffer::from_vec", "keeps a vector"),
];

/// Types whose values a user writes down.
const WRITTEN: [&str; 23] = [
    "usize",
    "u8",
    "u16",
    "u32",
    "u64",
    "u128",
    "isize",
    "i8",
    "i16",
    "i32",
    "i64",
    "f32",
    "f64",
    "str",
    "String",
    "Path",
    "PathBuf",
    "Vec",
    "Duration",
    "Into",
    "AsRef",
    "IntoIterator",
    "OsStr",
];

#[test]
fn every_public_function_is_in_a_table_or_exempt() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut functions = BTreeMap::new();
    for package in sorted(&root.join("..")) {
        for file in files(&package.join("src")) {
            let name = file
                .strip_prefix(root.join(".."))
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            let tokens: TokenStream = fs::read_to_string(&file).unwrap().parse().unwrap();
            for function in public(tokens, None) {
                functions.entry(function).or_insert_with(|| name.clone());
            }
        }
    }
    assert!(
        functions.len() > 300,
        "only {} functions were found",
        functions.len()
    );

    let mut called = BTreeSet::new();
    for file in files(&root.join("tests/extremes")) {
        let tokens: TokenStream = fs::read_to_string(&file).unwrap().parse().unwrap();
        lines(tokens, &mut called);
    }
    let exempts = |pattern: &str, function: &str, file: &str| match pattern.strip_suffix('*') {
        Some(start) => function.starts_with(start) || file.starts_with(start),
        None => function == pattern,
    };
    let mut faults = Vec::new();
    for (function, file) in &functions {
        let exempt = EXEMPT
            .iter()
            .any(|(pattern, _)| exempts(pattern, function, file));
        match (called.contains(function), exempt) {
            (false, false) => faults.push(format!(
                "{function} of {file} is in no table of tests/extremes"
            )),
            (true, true) => faults.push(format!("{function} is in a table, and exempt")),
            _ => {}
        }
    }
    for name in called.iter().filter(|name| !functions.contains_key(*name)) {
        faults.push(format!(
            "a table names {name}, which is no public function with such arguments"
        ));
    }
    for (pattern, _) in EXEMPT {
        if !functions
            .iter()
            .any(|(function, file)| exempts(pattern, function, file))
        {
            faults.push(format!("{pattern} is exempt, and no function is called so"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths
}

/// The source files in a folder, at any depth.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    if folder.is_dir() {
        for path in sorted(folder) {
            if path.is_dir() {
                found.extend(files(&path));
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found
}

/// Public functions with arguments of the written types, as `function` or `Type::function`.
fn public(tokens: TokenStream, owner: Option<&str>) -> Vec<String> {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut found = Vec::new();
    let mut i = 0;
    while i < tokens.len() {
        match word(tokens.get(i)).as_deref() {
            // `pub(crate)` is followed by a group.
            Some("pub") if !matches!(tokens.get(i + 1), Some(TokenTree::Group(_))) => {
                let at = i + 1 + usize::from(word(tokens.get(i + 1)).as_deref() == Some("const"));
                if let (Some("fn"), Some(name)) =
                    (word(tokens.get(at)).as_deref(), word(tokens.get(at + 1)))
                {
                    let arguments = tokens[at..].iter().position(|token| {
                        matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis)
                    });
                    // Before the arguments there may be generics: `<C: Into<Column>>`.
                    let is_written = |end: usize| tokens[at + 2..=at + end].iter().any(is_written);
                    if arguments.is_some_and(is_written) {
                        found.push(
                            owner.map_or_else(|| name.clone(), |owner| format!("{owner}::{name}")),
                        );
                    }
                }
            }
            Some("impl") if owner.is_none() => {
                if let Some(body) = body(&tokens[i..]) {
                    let head = &tokens[i + 1..i + body];
                    let is_trait = head
                        .iter()
                        .any(|token| word(Some(token)).as_deref() == Some("for"));
                    if let (false, Some(name), TokenTree::Group(group)) =
                        (is_trait, type_of(head), &tokens[i + body])
                    {
                        found.extend(public(group.stream(), Some(&name)));
                    }
                    i += body;
                }
            }
            Some("mod") => {
                let is_test = tokens[..i]
                    .iter()
                    .rev()
                    .take(2)
                    .any(|token| token.to_string().contains("test"));
                if let (false, Some(TokenTree::Group(group))) = (is_test, tokens.get(i + 2)) {
                    found.extend(public(group.stream(), None));
                }
                i += 2;
            }
            // What a macro defines has other names.
            Some("macro_rules") => i += 3,
            _ => {}
        }
        i += 1;
    }
    found
}

fn word(token: Option<&TokenTree>) -> Option<String> {
    match token {
        Some(TokenTree::Ident(ident)) => Some(ident.to_string()),
        _ => None,
    }
}

/// The number of tokens before the braces.
fn body(tokens: &[TokenTree]) -> Option<usize> {
    let is_body = |token: &TokenTree| matches!(token, TokenTree::Group(g) if g.delimiter() == Delimiter::Brace);
    tokens.iter().position(is_body)
}

/// The name of the type of an `impl`, whose head may begin with generics.
fn type_of(head: &[TokenTree]) -> Option<String> {
    let mut depth = 0;
    for token in head {
        match token {
            TokenTree::Punct(p) if p.as_char() == '<' => depth += 1,
            TokenTree::Punct(p) if p.as_char() == '>' => depth -= 1,
            TokenTree::Ident(ident) if depth == 0 => return Some(ident.to_string()),
            _ => {}
        }
    }
    None
}

fn is_written(token: &TokenTree) -> bool {
    match token {
        TokenTree::Ident(ident) => WRITTEN.contains(&ident.to_string().as_str()),
        // A list or an array, a tuple, or all arguments.
        TokenTree::Group(group) => {
            group.delimiter() == Delimiter::Bracket
                || group.stream().into_iter().any(|token| is_written(&token))
        }
        _ => false,
    }
}

/// The functions that lines of a table name.
fn lines(tokens: TokenStream, found: &mut BTreeSet<String>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (i, token) in tokens.iter().enumerate() {
        let TokenTree::Group(group) = token else {
            continue;
        };
        let before = i.checked_sub(1).and_then(|i| word(tokens.get(i)));
        if before
            .as_deref()
            .is_some_and(|name| name == "line" || name == "paths")
            && let Some(TokenTree::Literal(name)) = group.stream().into_iter().next()
        {
            found.insert(name.to_string().trim_matches('"').to_owned());
        }
        // `for function in ["a", "b"]` around lines of several functions.
        let two = i.checked_sub(2).and_then(|i| word(tokens.get(i)));
        if (two.as_deref(), before.as_deref()) == (Some("function"), Some("in")) {
            let names = group.stream().into_iter().filter_map(|token| match token {
                TokenTree::Literal(name) => Some(name.to_string().trim_matches('"').to_owned()),
                _ => None,
            });
            found.extend(names);
        }
        lines(group.stream(), found);
    }
}
