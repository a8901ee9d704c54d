//! The data block and the options of data.

use std::fs;
use std::hint::black_box;
use std::path::PathBuf;

use vision::data::{
    By, ClassWeights, Column, CsvOptions, Decision, Decisions, FileColumn, ImageDataBunchBuilder,
    Label, LabelOptions, MemoryImages, MultiLabels, Resizing, Result, Table as Rows, Targets,
    Transforms, random_split,
};
use vision::prelude::*;

use crate::support::{Folder, builder, data, one_batch, small_image};
use crate::table::{ANY, Table};
use crate::values::{F32, F64, U64, USIZE, readable, text_lists, texts, writable};

type Builder = ImageDataBunchBuilder;

pub(crate) fn table(t: &mut Table) {
    let folder = Folder::new();
    let path = folder.digits();
    options(t, &folder, &path);
    splits(t, &path);
    lists(t, &folder, &path);
    tables(t, &folder, &path);
    labels(t, &path);
    decisions(t, &folder, &path);
}

fn options(t: &mut Table, folder: &Folder, path: &PathBuf) {
    let with = |set: &dyn Fn(Builder) -> Builder| -> Result<()> {
        let data = set(builder(path)).build()?;
        one_batch(&data)?;
        data.to_string();
        data.one_batch(DatasetType::Valid).map(drop)
    };
    t.line(
        "ImageDataBunchBuilder::test",
        "folder|name",
        texts(),
        |text| with(&|b| b.test(text.clone())),
    );
    t.line(
        "ImageDataBunchBuilder::train",
        "folder|name|train",
        texts(),
        |text| with(&|b| b.train(text.clone())),
    );
    t.line(
        "ImageDataBunchBuilder::valid",
        "folder|name|valid",
        texts(),
        |text| with(&|b| b.valid(text.clone())),
    );
    t.line("ImageDataBunchBuilder::seed", ANY, U64, |n| {
        with(&|b| b.seed(n))
    });
    t.line("ImageDataBunchBuilder::batch_size", "batch", USIZE, |n| {
        with(&|b| b.batch_size(n))
    });
    t.line(
        "ImageDataBunchBuilder::val_batch_size",
        "batch",
        USIZE,
        |n| with(&|b| b.val_batch_size(n)),
    );
    t.line("ImageDataBunchBuilder::size", "size", USIZE, |n| {
        with(&|b| b.size(n))
    });
    t.line(
        "ImageDataBunchBuilder::size",
        "size",
        [(1, 16_384), (16_384, 1), (16_384, 16_384), (usize::MAX, 1)],
        |s| with(&|b| b.size(s)),
    );
    t.line("ImageDataBunchBuilder::size", "mult", USIZE, |n| {
        with(&|b| {
            b.resizing(Resizing {
                mult: Some(n),
                size: Some(8.into()),
                ..Resizing::default()
            })
        })
    });
    t.line(
        "ImageDataBunchBuilder::transforms",
        ANY,
        [0, 1, 3000],
        |n| {
            with(&|b| {
                b.transforms(Transforms {
                    train: vec![Transform::flip_lr(); n],
                    valid: Vec::new(),
                })
            })
        },
    );
    t.line(
        "ImageDataBunchBuilder::batch_transforms",
        ANY,
        [0, 1, 3000],
        |n| with(&|b| b.batch_transforms(vec![vision::data::BatchTransform::mixup(0.4); n])),
    );
    t.line("ImageDataBunchBuilder::normalize", "stats", F32, |x| {
        with(&|b| {
            b.normalize(Stats {
                std: [0.2, x, 0.2],
                ..Stats::IMAGENET
            })
        })
    });
    t.line("ImageDataBunchBuilder::normalize", "stats", F32, |x| {
        with(&|b| {
            b.normalize(Stats {
                mean: [0.2, x, 0.2],
                ..Stats::IMAGENET
            })
        })
    });
    t.line(
        "ImageDataBunchBuilder::num_workers",
        "num_workers",
        USIZE,
        |n| with(&|b| b.num_workers(n)),
    );
    t.line(
        "ImageDataBunchBuilder::valid_pct",
        "valid_pct|items|split",
        F64,
        |x| {
            ImageDataBunch::from_name_re(path, files(path), r"/(\d)/")
                .valid_pct(x)
                .batch_size(2)
                .build()
        },
    );
    t.line(
        "ImageDataBunchBuilder::classes",
        "class",
        text_lists(),
        |classes| {
            ImageDataBunch::from_name_re(path, files(path), r"/(\d)/")
                .classes(classes)
                .batch_size(2)
                .build()
        },
    );
    t.line(
        "ImageDataBunchBuilder::label_delim",
        "delim|class",
        texts(),
        |text| {
            ImageDataBunch::from_name_re(path, files(path), r"/(\d)/")
                .label_delim(text)
                .batch_size(2)
                .build()
        },
    );
    t.line(
        "ImageDataBunchBuilder::max_batch_bytes",
        "max_batch_bytes",
        U64,
        |n| with(&|b| b.size(8).max_batch_bytes(n)),
    );
    t.line("ClassWeights::map", "class_weights", F32, |x| {
        with(&|b| b.class_weights(ClassWeights::map([("3", x)])))
    });
    t.line("ClassWeights::map", "class_weights", texts(), |text| {
        with(&|b| b.class_weights(ClassWeights::map([(text.clone(), 1.0)])))
    });
    t.line("ImageDataBunch::loader", ANY, U64, |epoch| {
        data(path)
            .loader(DatasetType::Train, epoch)
            .map(Iterator::count)
    });
    t.line("ImageDataBunch::order", ANY, U64, |epoch| {
        data(path).order(DatasetType::Train, epoch)
    });
    t.paths("ImageDataBunch::open", readable(folder.path()), |file| {
        data(path).open(file)
    });
    t.line("ImageDataBunch::with_seed", ANY, U64, |n| {
        one_batch(&data(path).with_seed(n))
    });
    t.line("ImageDataBunch::with_size", "size", USIZE, |n| {
        one_batch(&data(path).with_size(n)?)
    });
    t.line(
        "ImageDataBunch::with_size",
        "size",
        [(16_384, 16_384)],
        |s| one_batch(&data(path).with_size(s)?),
    );
    t.paths("ImageDataBunch::save", writable(folder.path()), |file| {
        data(path).save(file)
    });
    t.paths("ImageDataBunch::load", readable(folder.path()), |file| {
        ImageDataBunch::load(path, file).and_then(ImageDataBunchBuilder::build)
    });
    let of_folder = |path: &std::path::Path| ImageDataBunch::from_folder(path).build();
    t.paths(
        "ImageDataBunch::from_folder",
        readable(folder.path()),
        of_folder,
    );
    t.line("ImageDataset::image", "index|image|item", USIZE, |n| {
        data(path).train_ds().image(n)
    });
    t.line("ImageDataset::path", "index|image|item", USIZE, |n| {
        data(path).train_ds().path(n).map(drop)
    });
    t.line("ImageDataset::label", ANY, USIZE, |n| {
        black_box(data(path).train_ds().label(n))
    });
    t.line("ImageDataset::label_text", ANY, USIZE, |n| {
        drop(data(path).train_ds().label_text(n))
    });
    t.line("Batch::image", ANY, USIZE, |n| {
        drop(data(path).one_batch(DatasetType::Train).unwrap().image(n))
    });
    t.line("HostImages::image", ANY, USIZE, |n| {
        let pipeline = vision::data::Pipeline::new(&[], Resizing::default()).unwrap();
        let images = pipeline
            .image(&small_image(), &pipeline.draw(0, 0, 0))
            .unwrap();
        drop(images.image(n));
    });
    t.line("LabelLists::transform", ANY, [0, 1, 3000], |n| {
        let lists = ImageList::from_folder(path)?
            .split_by_folder("train", "valid")?
            .label_from_folder()?;
        lists
            .transform((vec![Transform::flip_lr(); n], Vec::new()))
            .batch_size(2)
            .build()
    });
}

fn files(path: &PathBuf) -> Vec<PathBuf> {
    vision::data::files::image_files(path).unwrap()
}

fn splits(t: &mut Table, path: &PathBuf) {
    let list = || ImageList::from_folder(path);
    let part = "valid_pct|train|valid|share";
    t.line("ImageList::split_by_rand_pct", "valid_pct", F64, |x| {
        list()?.split_by_rand_pct(x, 1)
    });
    t.line("ImageList::split_by_rand_pct", ANY, U64, |n| {
        list()?.split_by_rand_pct(0.2, n)
    });
    t.line(
        "ImageList::split_by_folder",
        "folder|train",
        texts(),
        |text| list()?.split_by_folder(&text, "valid"),
    );
    t.line(
        "ImageList::split_by_folder",
        "folder|valid",
        texts(),
        |text| list()?.split_by_folder("train", &text),
    );
    t.line(
        "ImageList::split_from_df",
        "column|table",
        texts(),
        |text| list()?.split_from_df(text),
    );
    t.line("random_split", "valid_pct", F64, |x| random_split(10, x, 1));
    // The positions of all items are returned: more than memory holds cannot be.
    t.line("random_split", "items|valid_pct", USIZE, |n| {
        random_split(n, 0.2, 1)
    });
    t.line("random_split", ANY, U64, |n| random_split(10, 0.2, n));
    let by = || By::Folder;
    for folds in USIZE {
        let seed = 1;
        let splits = move |fold: usize| {
            [
                Split::Fold { fold, folds, seed },
                Split::StratifiedFold {
                    fold,
                    folds,
                    seed,
                    by: by(),
                },
                Split::GroupedFold {
                    fold,
                    folds,
                    seed,
                    by: by(),
                },
            ]
        };
        t.line("ImageList::split_by_rand_pct", "fold", USIZE, |fold| {
            splits(fold)
                .into_iter()
                .try_for_each(|split| list()?.split(split).map(drop))
        });
    }
    t.line("ImageList::split_by_rand_pct", part, F64, |x| {
        let seed = 1;
        for split in [
            Split::Numpy {
                valid_pct: x,
                seed: u32::MAX,
            },
            Split::Subsets {
                train: x,
                valid: 0.1,
                seed,
            },
            Split::Subsets {
                train: 0.1,
                valid: x,
                seed,
            },
            Split::Stratified {
                valid_pct: x,
                seed,
                by: By::Folder,
            },
            Split::Grouped {
                valid_pct: x,
                seed,
                by: By::Folder,
            },
        ] {
            list()?.split(split)?;
        }
        Ok::<_, vision::data::Error>(())
    });
    t.line(
        "ImageList::split_by_rand_pct",
        "index|indices|position|item",
        USIZE,
        |n| {
            list()?.split(Split::ValidIndices(vec![n]))?;
            list()?.split(Split::ValidIndices(vec![1, n, n]))?;
            list()?.split(Split::Indices {
                train: vec![n],
                valid: vec![0],
            })
        },
    );
    t.line(
        "ImageList::split_by_rand_pct",
        "file|name",
        text_lists(),
        |names| list()?.split(Split::Files(names)),
    );
    t.paths("ImageList::split_by_rand_pct", readable(path), |file| {
        list()?.split(Split::FilesIn(file.to_owned()))
    });
    t.line(
        "ImageList::split_by_rand_pct",
        "pattern|column|table|By",
        texts(),
        |text| {
            let seed = 1;
            list()?.split(Split::Stratified {
                valid_pct: 0.2,
                seed,
                by: By::Pattern(text.clone()),
            })?;
            list()?.split(Split::Grouped {
                valid_pct: 0.2,
                seed,
                by: By::Column(Column::Name(text)),
            })
        },
    );
}

fn lists(t: &mut Table, folder: &Folder, path: &PathBuf) {
    let readable = || readable(folder.path());
    t.paths("ImageList::from_folder", readable(), |path| {
        ImageList::from_folder(path)
    });
    t.paths("ImageList::from_folder_with", readable(), |path| {
        ImageList::from_folder_with(path, &vision::data::files::IndexConfig::new())
    });
    t.paths("ImageList::from_files", readable(), |file| {
        ImageList::from_files(path, [file])
    });
    t.line("ImageList::from_files", "file", text_lists(), |names| {
        ImageList::from_files(path, names)
    });
    t.line(
        "ImageList::from_files_unchecked",
        "file|name|images|valid_pct",
        text_lists(),
        |names| {
            ImageList::from_files_unchecked(path, names)?
                .split_by_rand_pct(0.5, 1)?
                .label_from_folder()
        },
    );
    t.line(
        "ImageList::from_source",
        "name|image",
        text_lists(),
        |names| {
            let images = MemoryImages::new(names.into_iter().map(|name| (name, small_image())));
            ImageList::from_source(path, images)?
                .split_by_rand_pct(0.5, 1)?
                .label_from_folder()
        },
    );
    t.line("MemoryImages::new", "name|image|class", texts(), |name| {
        let images =
            MemoryImages::new([(name, Vec::new()), ("a/b".to_owned(), b"no image".to_vec())]);
        let list = ImageList::from_source(path, images)?
            .split_none()?
            .label_from_func(|path| path.as_os_str().len().to_string())?;
        one_batch(&list.databunch().batch_size(1).build()?)
    });
    t.line("ImageList::filter_by_folder", ANY, texts(), |text| {
        let list = ImageList::from_folder(path)?;
        list.filter_by_folder(&[&text], &[&text]).len();
        ImageList::from_folder(path).map(|list| list.filter_by_folder(&[], &[&text]).len())
    });
    t.line("ImageList::filter_by_rand", "probability", F64, |x| {
        ImageList::from_folder(path)?.filter_by_rand(x, 1)
    });
    t.line("ImageList::filter_by_rand", ANY, U64, |n| {
        ImageList::from_folder(path)?.filter_by_rand(0.5, n)
    });
    t.line(
        "ImageDataBunch::from_lists",
        "label|file|class",
        text_lists(),
        |labels| {
            ImageDataBunch::from_lists(path, files(path), labels)
                .batch_size(2)
                .build()
        },
    );
    t.line(
        "ImageDataBunch::from_lists",
        "file",
        text_lists(),
        |names| {
            let labels: Vec<&str> = names.iter().map(|_| "a").collect();
            ImageDataBunch::from_lists(path, names.clone(), labels)
                .batch_size(2)
                .build()
        },
    );
    t.line(
        "ImageDataBunch::from_name_func",
        "label|class",
        texts(),
        |text| {
            ImageDataBunch::from_name_func(path, files(path), move |_| text.clone())
                .batch_size(2)
                .build()
        },
    );
    t.line(
        "ImageDataBunch::from_name_re",
        "pattern|class",
        texts(),
        |text| {
            ImageDataBunch::from_name_re(path, files(path), text)
                .batch_size(2)
                .build()
        },
    );
    t.line(
        "ImageDataBunch::from_name_re",
        "pattern|label",
        ["(a{1000}){1000}", "(((((.*)*)*)*)*)$", "(?R)", "("],
        |text| {
            ImageDataBunch::from_name_re(path, files(path), text)
                .batch_size(2)
                .build()
        },
    );
    t.line(
        "ImageDataBunch::single_from_classes",
        "class",
        text_lists(),
        |classes| {
            ImageDataBunch::single_from_classes(path, classes)
                .size(8)
                .build()
        },
    );
    let labeled = || {
        ImageList::from_folder(path)?
            .split_by_folder("train", "valid")?
            .label_from_folder()
    };
    t.line(
        "LabelLists::add_test_folder",
        "folder|name|test image",
        texts(),
        |text| labeled()?.add_test_folder(&text),
    );
    t.line(
        "LabelLists::add_test_folder_with",
        "folder|name|test image",
        texts(),
        |text| labeled()?.add_test_folder_with(&text, &vision::data::files::IndexConfig::new()),
    );
    t.line(
        "LabelLists::add_labeled_test",
        "label",
        text_lists(),
        |labels| labeled()?.add_labeled_test(ImageList::from_folder(path)?, labels),
    );
}

fn tables(t: &mut Table, folder: &Folder, path: &PathBuf) {
    let rows = |columns: [&str; 2]| {
        let rows: Vec<[String; 2]> = files(path)
            .iter()
            .enumerate()
            .map(|(i, file)| [file.to_str().unwrap().to_owned(), (i % 2).to_string()])
            .collect();
        Rows::from_rows(columns, rows).unwrap()
    };
    let from_df = || ImageDataBunch::from_df(path, rows(["name", "label"])).batch_size(2);
    t.line(
        "ImageDataBunch::from_df",
        "column|table|file|class",
        texts(),
        |text| {
            let table = Rows::from_rows(
                [text.clone(), "b".to_owned()],
                [[text.clone(), text.clone()]],
            )?;
            ImageDataBunch::from_df(path, table).batch_size(2).build()
        },
    );
    t.line("ImageDataBunchBuilder::fn_col", "column", texts(), |text| {
        from_df().fn_col(text).build()
    });
    t.line("ImageDataBunchBuilder::fn_col", "column|file", USIZE, |n| {
        from_df().fn_col(n).build()
    });
    t.line(
        "ImageDataBunchBuilder::label_col",
        "column",
        texts(),
        |text| from_df().label_col(text).build(),
    );
    t.line(
        "ImageDataBunchBuilder::label_col",
        "column|class|label",
        USIZE,
        |n| from_df().label_col(n).build(),
    );
    t.line(
        "ImageDataBunchBuilder::label_cols",
        "column",
        text_lists(),
        |texts| from_df().label_cols(texts).build(),
    );
    t.line(
        "ImageDataBunchBuilder::label_cols",
        "column|class",
        [vec![1; 3], vec![usize::MAX]],
        |list| from_df().label_cols(list).build(),
    );
    t.line("ImageDataBunchBuilder::folder", "file", texts(), |text| {
        from_df().folder(text).build()
    });
    t.line("ImageDataBunchBuilder::suffix", "file", texts(), |text| {
        from_df().suffix(text).build()
    });
    t.paths(
        "ImageDataBunchBuilder::csv_labels",
        readable(folder.path()),
        |file| {
            ImageDataBunch::from_csv(path)
                .csv_labels(file)
                .batch_size(2)
                .build()
        },
    );
    t.paths(
        "ImageDataBunch::from_csv",
        readable(folder.path()),
        |path| ImageDataBunch::from_csv(path).build(),
    );
    t.paths("ImageList::from_csv", readable(folder.path()), |file| {
        ImageList::from_csv(path, file, &CsvOptions::new(), &FileColumn::new(0))
    });
    let from_df = |files: FileColumn| ImageList::from_df(path, rows(["name", "label"]), &files);
    t.line("ImageList::from_df", "column", texts(), |text| {
        from_df(FileColumn::new(text))
    });
    t.line("FileColumn::new", "column|file", USIZE, |n| {
        from_df(FileColumn::new(n))
    });
    t.line("FileColumn::in_folder", "file", texts(), |text| {
        from_df(FileColumn::new(0).in_folder(text))
    });
    t.line("FileColumn::with_suffix", "file", texts(), |text| {
        from_df(FileColumn::new(0).with_suffix(text))
    });
    let csv = folder.path().join("labels.csv");
    fs::write(&csv, "name,label\na.jpg,x\nb.jpg,y\n").unwrap();
    t.paths("Table::read_csv", readable(folder.path()), |file| {
        Rows::read_csv(file, &CsvOptions::new())
    });
    t.line(
        "CsvOptions::with_delimiter",
        "delimiter",
        0..=u8::MAX,
        |byte| Rows::read_csv(&csv, &CsvOptions::new().with_delimiter(byte)),
    );
    t.line("CsvOptions::with_missing", ANY, text_lists(), |texts| {
        Rows::read_csv(&csv, &CsvOptions::new().with_missing(texts))
    });
    t.line("Table::from_rows", "row|column", text_lists(), |list| {
        Rows::from_rows(list.clone(), [list.clone()])?;
        Rows::from_rows(["a"], [list])
    });
    t.line("Table::cell", "column|row", USIZE, |n| {
        let table = rows(["a", "b"]);
        table.cell(0, &Column::Position(n))?;
        table.cell(n, &Column::Position(0)).map(drop)
    });
    t.line("Table::cell", "column", texts(), |text| {
        rows(["a", "b"]).cell(0, &Column::Name(text)).map(drop)
    });
}

fn decisions(t: &mut Table, folder: &Folder, path: &PathBuf) {
    let set = |name: &str, decision: Decision| {
        let mut decisions = Decisions::new();
        decisions.set(name, decision)?;
        Result::Ok(decisions)
    };
    let build = |decisions: Decisions| builder(path).decisions(decisions).build();
    for function in [
        "Decisions::set",
        "ImageDataBunchBuilder::decisions",
        "ImageList::with_decisions",
    ] {
        t.line(function, "decision", texts(), |text| {
            let decisions = set(&text, Decision::Exclude)?;
            black_box(decisions.to_csv());
            ImageList::from_folder(path)?.with_decisions(decisions.clone())?;
            build(decisions)
        });
        t.line(function, "decision", texts(), |text| {
            build(set("train/3/00000.png", Decision::Relabel(text))?)
        });
    }
    t.line(
        "Decisions::with_new_classes",
        "class",
        text_lists(),
        |classes| {
            let label = classes.first().cloned().unwrap_or_default();
            let decisions = set("train/3/00000.png", Decision::Relabel(label))?;
            build(decisions.with_new_classes(classes))
        },
    );
    t.line("Decisions::get", ANY, texts(), |text| {
        let decisions = set("a", Decision::Keep).unwrap();
        black_box(decisions.get(&text).is_some());
    });
    t.paths("Decisions::read", readable(folder.path()), |file| {
        Decisions::read(file)
    });
    t.paths("Decisions::save", writable(folder.path()), |file| {
        set("a", Decision::Keep)?.save(file)
    });
}

fn labels(t: &mut Table, path: &PathBuf) {
    let split = || ImageList::from_folder(path)?.split_by_folder("train", "valid");
    t.line(
        "SplitList::label_from_func",
        "label|class",
        texts(),
        |text| split()?.label_from_func(|_| text.clone()),
    );
    t.line("SplitList::label_from_func", "label|number", F64, |x| {
        split()?.label_from_func(|_| Label::from(x))
    });
    t.line(
        "SplitList::label_from_re",
        "pattern|class",
        texts(),
        |text| split()?.label_from_re(&text),
    );
    t.line(
        "SplitList::label_from_list",
        "label",
        text_lists(),
        |list| split()?.label_from_list(list),
    );
    t.line(
        "SplitList::label_from_df",
        "column|table",
        text_lists(),
        |list| split()?.label_from_df(list),
    );
    let with = |options: LabelOptions| split()?.label_with(options).label_from_folder();
    t.line(
        "LabelOptions::with_classes",
        "class",
        text_lists(),
        |list| with(LabelOptions::new().with_classes(list)),
    );
    t.line("LabelOptions::with_delimiter", "delim", texts(), |text| {
        with(LabelOptions::new().with_delimiter(text))
    });
    t.line("MultiLabels::new", "class", USIZE, |n| {
        MultiLabels::new(n).push([0])
    });
    t.line("MultiLabels::push", "class", USIZE, |n| {
        MultiLabels::new(3).push([n, 1, 1])
    });
    t.line("MultiLabels::push", ANY, [0, 1, 1_000_000], |n| {
        MultiLabels::new(3).push(vec![2; n])
    });
    let labels = || {
        let mut labels = MultiLabels::new(3);
        labels.push([1]).unwrap();
        labels
    };
    t.line("MultiLabels::get", ANY, USIZE, |n| {
        drop(labels().get(n).map(<[u32]>::to_vec))
    });
    let all = || {
        [
            Targets::Empty(usize::MAX),
            Targets::Category(vec![u32::MAX]),
            Targets::MultiCategory(labels()),
            Targets::Float {
                columns: usize::MAX,
                values: vec![1.0],
            },
            Targets::Float {
                columns: 0,
                values: vec![1.0],
            },
        ]
    };
    t.line("Targets::get", ANY, USIZE, |n| {
        all().into_iter().for_each(|targets| drop(targets.get(n)))
    });
    t.line("Targets::select", ANY, USIZE, |n| {
        for targets in all() {
            let selected = targets.select(&[n, n, 0]);
            black_box((selected.len(), selected.rows()));
        }
    });
    t.line("Targets::select", "items|kind", USIZE, |n| {
        let mut targets = Targets::Empty(n);
        targets.extend(&Targets::Empty(n)).map(|()| targets.len())
    });
}
