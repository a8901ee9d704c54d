//! Who knows fastai finds its names in the documentation: as items of the same name, or as aliases of others.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The texts that the first group that matched of the pattern captures.
fn captures<'a>(pattern: &str, text: &'a str) -> impl Iterator<Item = &'a str> {
    let found: Vec<_> = Regex::new(pattern).unwrap().captures_iter(text).collect();
    found
        .into_iter()
        .filter_map(|c| c.iter().skip(1).flatten().next().map(|m| m.as_str()))
}

fn sources(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

/// Names of public items, of variants, and the parts of their aliases; all in small letters, since the search of the
/// documentation takes capitals for the same.
fn documented() -> BTreeSet<String> {
    let mut text = String::new();
    for entry in fs::read_dir(root().join("crates")).unwrap() {
        sources(&entry.unwrap().path().join("src"), &mut text);
    }
    let items = r"pub (?:const )?(?:fn|struct|enum|trait|const|type) (\w+)|^ {4,8}(?:pub )?([A-Z]\w+)(?:[,({ ]| =)";
    let mut names: BTreeSet<String> = captures(&format!("(?m){items}"), &text)
        .map(str::to_lowercase)
        .collect();
    for attribute in captures(r"#\[doc\(alias([^\]]*)\)\]", &text) {
        let aliases = captures(r#""([^"]+)""#, attribute);
        names.extend(aliases.flat_map(|alias| alias.split('.').map(str::to_lowercase)));
    }
    names
}

/// Calls, methods, types and keywords of a line of Python: `a(`, `.b`, `C.`, `d=`.
fn python_names(code: &str) -> impl Iterator<Item = &str> {
    captures(
        r"\b([A-Za-z_]\w*)\s*[(=]|\.([A-Za-z_]\w*)|\b([A-Z]\w+)\.",
        code,
    )
}

#[test]
fn every_name_of_fastai_in_the_readme_is_found_in_the_documentation() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let (_, table) = readme.split_once("| fastai v1 | vision |").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    let documented = documented();
    let mut looked_at = 0;
    let mut missing = BTreeSet::new();
    let text = Regex::new("'[^']*'").unwrap();
    for row in table.lines().skip(2) {
        let python = row.split('|').nth(1).unwrap();
        let python = text.replace_all(python, "''");
        for name in captures("`([^`]+)`", &python).flat_map(python_names) {
            looked_at += 1;
            if !documented.contains(&name.to_lowercase()) {
                missing.insert(name.to_owned());
            }
        }
    }
    assert!(looked_at > 60, "{looked_at}");
    assert!(
        missing.is_empty(),
        "no item and no #[doc(alias)]: {missing:?}"
    );
}

#[test]
fn the_usual_words_of_fastai_are_found_in_the_documentation() {
    let documented = documented();
    let usual = "untar_data URLs ImageDataBunch DataBunch from_folder from_csv from_df from_lists from_name_func \
        from_name_re single_from_classes ds_tfms bs val_bs valid_pct num_workers imagenet_stats normalize \
        get_transforms open_image get_image_files show_batch one_batch ImageList ImageItemList split_by_rand_pct \
        random_split_by_pct split_none label_from_folder label_from_re label_from_df label_delim label_cls databunch \
        load_data DatasetType create_cnn cnn_learner create_body create_head models ps lin_ftrs cut custom_head \
        split_on bn_final concat_pool pretrained metrics accuracy error_rate fbeta wd moms div_factor pct_start \
        callbacks callback_fns loss_func opt_func train_bn true_wd bn_wd model_dir freeze unfreeze freeze_to fit \
        fit_one_cycle max_lr slice lr_find recorder plot validate get_preds predict save load load_learner strict \
        ClassificationInterpretation top_losses plot_top_losses confusion_matrix plot_confusion_matrix most_confused \
        plot_multi_top_losses classification_report multilabel_confusion_matrix";
    let missing: Vec<&str> = usual
        .split_whitespace()
        .filter(|name| !documented.contains(&name.to_lowercase()))
        .collect();
    assert!(
        missing.is_empty(),
        "no item and no #[doc(alias)]: {missing:?}"
    );
    assert!(
        !documented.contains("no_such_word"),
        "or else the test would be empty"
    );
}

#[test]
fn the_crate_documentation_lists_the_prelude() {
    let read =
        |path: &str| fs::read_to_string(root().join("crates/vision/src").join(path)).unwrap();
    let lib = read("lib.rs");
    let (_, prelude) = lib.split_once("pub mod prelude {").unwrap();
    let (prelude, _) = prelude.split_once("\n}\n").unwrap();
    // Paths of modules end in `::`; what is left are the names.
    let names: BTreeSet<&str> = captures(r"(\w+)\s*[,}]", prelude)
        .chain(captures(r"::(\w+);", prelude))
        .collect();
    let docs = read("docs.md");
    let listed: BTreeSet<&str> = captures(r"\(prelude::(\w+)\)", &docs).collect();
    assert_eq!(names, listed);
    assert!((15..=25).contains(&names.len()), "{}", names.len());
}
