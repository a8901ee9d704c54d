//! The words.

/// Options of the library that have another name here.
pub(super) const ALIASES: [(&str, &str); 9] = [
    ("alpha", "mixup"),
    ("csv_labels", "csv"),
    ("fn_col", "file-column"),
    ("label_col", "label-column"),
    ("n", "intervals"),
    ("num_it", "batches"),
    ("path", "out"),
    ("patience", "early-stop"),
    ("sha256_digits", "sha256"),
];

/// Advice that no option follows, in other words.
pub(super) const TEXTS: [(&str, &str); 38] = [
    (
        "expected a `Urls` constant, a URL, a .tgz archive or a folder",
        "expected a folder, a CSV file, a .tgz archive, or the URL of one",
    ),
    (
        ", or let Backbone::min_size return the smallest side; or mend the model's forward",
        "",
    ),
    (
        "If you trust it, raise the limit (archive::Limits)",
        "If you trust it, unpack it yourself, and give the folder",
    ),
    (
        " (with_max_size)",
        ": get it by other means, and give the file",
    ),
    ("name the classes to use with `.classes`, or ", ""),
    ("name the classes with `.classes`, or ", "or "),
    (
        "If they are numbers to predict, not classes, use `.label_with` and LabelOptions::with_kind(TargetKind::Float). ",
        "",
    ),
    (
        "use LabelOptions::with_kind(TargetKind::Category)",
        "write them in words",
    ),
    (
        "if the file has no header, use `CsvOptions::new().with_header(false)`",
        "if the file has no header, add one",
    ),
    (
        "if it is a name, change what counts as missing: `CsvOptions::new().with_missing([\"\"])`",
        "if it is a name, choose another one",
    ),
    (
        ", or allow such names (Decisions::with_missing_ignored)",
        "",
    ),
    (
        "Set the color behind it: .reading(ReadConfig::new().with_background([255; 3])) for white.",
        "Save it with a background, such as white.",
    ),
    (
        "choose another one with .path(..), or another name for the run",
        "choose another one with --out",
    ),
    (
        "choose another one with .path(..) or .model_dir(..)",
        "choose another one with --out",
    ),
    (
        "such as `.size(224)`, and a resize method other than `No`",
        "such as --size 224",
    ),
    ("give the data a .size(..)", "choose a --size"),
    ("give the data a larger .size(..)", "choose a larger --size"),
    ("data with a .size(..)", "data with a --size"),
    (
        "call `register_transform::<T>()` with its type before the data is loaded, or give other `.transforms(..)`",
        "use the model in the program that has the transform",
    ),
    (
        "load it into a learner (Learner::load), and export that (Learner::export)",
        "load it in the program that wrote it, and export a model there",
    ),
    (
        "export a learner with Learner::export",
        "give the model.safetensors of a training",
    ),
    (
        "a deployed model of Learner::export",
        "a model for prediction",
    ),
    (
        "a checkpoint of Learner::save",
        "a checkpoint for further training",
    ),
    (
        "export the model again with Learner::export",
        "export the model again with the program that wrote it",
    ),
    (
        "open a file that Learner::export wrote",
        "give the model.safetensors of a training",
    ),
    (
        "give the loss that it was trained with: Predictor::open_with(path, OpenConfig::new().with_loss(..))",
        "use the model in the program that has its loss",
    ),
    (
        "build the model with the code that it was trained with, and give it: Predictor::open_with(path, model)",
        "use the model in the program that has its code",
    ),
    (
        "save the data again (`ImageDataBunch::save`)",
        "save the data again",
    ),
    (
        "call `ClassificationInterpretation::from_learner`",
        "`vision evaluate` scores them",
    ),
    (
        "call `MultiLabelInterpretation::from_learner`",
        "`vision evaluate` scores them",
    ),
    (
        "call `Learner::get_preds` for each item's prediction and loss, and `Learner::validate` for the metrics",
        "`vision evaluate` scores them",
    ),
    (
        "interpret another part, or call `get_preds` for this one",
        "`vision predict` predicts them",
    ),
    (
        "export the network alone (export_onnx), and let the program that runs it do the preprocessing that the metadata \
         describe",
        "export the weights alone with --safetensors",
    ),
    (
        "reduced JPEGs (ReadConfig::with_reduced_jpegs), which are",
        "reduced JPEGs, which are",
    ),
    (
        "no larger size than before, since `with_reduced_jpegs` reads JPEGs for that one; build the data with the largest size first",
        "no larger size than that of the data file, which reads JPEGs for that one",
    ),
    (
        "or replace or keep it (`with_force`, `with_resume`)",
        "or move it away",
    ),
    (
        "JSON as `ImageDataBunch::save` writes it",
        "JSON as the library saves data",
    ),
    (
        "or use Split::None for no validation",
        "or use --valid-pct 0 for no validation",
    ),
];
