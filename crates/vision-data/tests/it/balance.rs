//! Weights of classes, and the sampler that draws them evenly.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use vision_base::OptionError;
use vision_data::{
    ClassWeights, DatasetType, Error, Image, ImageDataBunch, ImageList, Label, LabelLists,
    LabelOptions, Sampler,
};

/// An image for each label, in a folder of its own.
fn lists<L: Into<Label>>(labels: impl IntoIterator<Item = L>) -> (tempfile::TempDir, LabelLists) {
    let folder = tempfile::tempdir().unwrap();
    let labels: Vec<Label> = labels.into_iter().map(Into::into).collect();
    for item in 0..labels.len() {
        let image = Image::from_rgb8(2, 2, vec![item as u8; 12]).unwrap();
        let path = folder.path().join(format!("{item:03}.png"));
        image.into_rgb_image().save(path).unwrap();
    }
    let lists = ImageList::from_folder(folder.path())
        .unwrap()
        .split_none()
        .unwrap()
        .label_from_list(labels)
        .unwrap();
    (folder, lists)
}

fn weights<L: Into<Label>>(
    labels: impl IntoIterator<Item = L>,
    weights: ClassWeights,
) -> vision_data::Result<Option<Vec<f32>>> {
    let (_folder, lists) = lists(labels);
    let data = lists.databunch().class_weights(weights).build()?;
    Ok(data.class_weights().map(<[f32]>::to_vec))
}

/// What the epoch takes.
fn drawn(data: &ImageDataBunch, epoch: u64) -> Vec<usize> {
    let loader = data.loader(DatasetType::Train, epoch).unwrap();
    loader.flat_map(|batch| batch.unwrap().indices).collect()
}

#[test]
fn weights_are_none_unless_asked_for() {
    assert_eq!(weights(["a", "b"], ClassWeights::None).unwrap(), None);
}

#[test]
fn automatic_weights_make_each_class_count_alike() {
    // items / (classes · count): 6 / (3 · 1), 6 / (3 · 2), 6 / (3 · 3).
    let labels = ["a", "b", "b", "c", "c", "c"];
    let found = weights(labels, ClassWeights::Auto).unwrap().unwrap();
    assert_eq!(found, [2.0, 1.0, 2.0 / 3.0]);
    // Without the class / with it: a in 1 of 4, b in 2, c in 3.
    let labels = [vec!["a", "b", "c"], vec!["b", "c"], vec!["c"], vec![]];
    let found = weights(labels, ClassWeights::Auto).unwrap().unwrap();
    assert_eq!(found, [3.0, 1.0, 1.0 / 3.0]);
}

#[test]
fn a_class_that_every_item_has_is_still_learnt_with_automatic_weights() {
    // 0 of 3 without it: PyTorch's formula would give 0, and there is nothing else to learn it by.
    let labels = [vec!["a", "b"], vec!["b"], vec!["b"]];
    let found = weights(labels, ClassWeights::Auto).unwrap().unwrap();
    assert_eq!(found, [2.0, 1.0]);
}

#[test]
fn weights_that_leave_nothing_to_learn_from_are_refused() {
    let zeros = |names: &[&'static str]| ClassWeights::map(names.iter().map(|&name| (name, 0.0)));
    let several = [vec!["a"], vec!["b"]];
    for error in [
        weights(["a", "b"], zeros(&["a", "b"])).unwrap_err(),
        weights(several, zeros(&["a", "b"])).unwrap_err(),
    ] {
        let message = error.to_string();
        assert!(
            message.contains("class_weights") && message.contains("above 0"),
            "{message}"
        );
    }
    // The third class weighs 1, but no item has it.
    let lists = ImageList::from_files_unchecked(".", ["1", "2"])
        .and_then(ImageList::split_none)
        .unwrap()
        .label_with(LabelOptions::new().with_classes(["a", "b", "c"]))
        .label_from_list(["a", "b"])
        .unwrap();
    let error = lists.databunch().class_weights(zeros(&["a", "b"])).build();
    assert!(matches!(error, Err(Error::Option(OptionError { .. }))));
    let found = weights(["a", "b"], zeros(&["a"])).unwrap().unwrap();
    assert_eq!(found, [0.0, 1.0]);
}

#[test]
fn weights_by_name_leave_the_others_at_one() {
    let found = weights(["a", "b", "c"], ClassWeights::map([("b", 2.5)])).unwrap();
    assert_eq!(found.unwrap(), [1.0, 2.5, 1.0]);
    let error = weights(["a", "b"], ClassWeights::map([("z", 1.0)])).unwrap_err();
    assert!(error.to_string().contains("\"z\""), "{error}");
    for weight in [-1.0, f32::NAN, f32::INFINITY] {
        let error = weights(["a", "b"], ClassWeights::map([("a", weight)])).unwrap_err();
        assert!(
            matches!(
                error,
                Error::Option(OptionError {
                    option: "class_weights",
                    ..
                })
            ),
            "{error}"
        );
    }
    let error = weights([0.5_f32, 1.0], ClassWeights::Auto).unwrap_err();
    assert!(
        matches!(error, Error::Option(OptionError { .. })),
        "{error}"
    );
}

#[test]
fn a_balanced_epoch_takes_each_class_about_as_often() {
    let labels = (0..200).map(|i| if i < 10 { "rare" } else { "common" });
    let (_folder, lists) = lists(labels);
    let data = lists
        .databunch()
        .batch_size(10)
        .sampler(Sampler::Balanced)
        .build()
        .unwrap();
    let epochs: Vec<Vec<usize>> = (0..10).map(|epoch| drawn(&data, epoch)).collect();
    assert!(epochs.iter().all(|epoch| epoch.len() == 200));
    let rare = epochs.iter().flatten().filter(|&&item| item < 10).count();
    // 2,000 draws with probability 1/2: the deviation is 22.
    assert!((900..=1100).contains(&rare), "{rare}");
    assert_eq!(drawn(&data, 3), epochs[3]);
    assert_ne!(epochs[3], epochs[4]);
    assert_ne!(drawn(&data.clone().with_seed(1), 3), epochs[3]);
}

#[test]
fn the_rarest_class_of_an_item_decides_how_often_it_is_drawn() {
    let labels = (0..100).map(|i| match i {
        0..4 => vec!["common", "rare"],
        4..90 => vec!["common"],
        _ => vec![],
    });
    let (_folder, lists) = lists(labels);
    let data = lists
        .databunch()
        .batch_size(10)
        .sampler(Sampler::Balanced)
        .build()
        .unwrap();
    let all: Vec<usize> = (0..20).flat_map(|epoch| drawn(&data, epoch)).collect();
    let share = |range: std::ops::Range<usize>| {
        all.iter().filter(|item| range.contains(item)).count() as f64 / all.len() as f64
    };
    // 4 · 1/4, 86 · 1/90 and 10 · 1/10 of their sum.
    let sum = 1.0 + 86.0 / 90.0 + 1.0;
    for (range, expected) in [
        (0..4, 1.0 / sum),
        (4..90, 86.0 / 90.0 / sum),
        (90..100, 1.0 / sum),
    ] {
        assert!(
            (share(range.clone()) - expected).abs() < 0.05,
            "{range:?}: {}",
            share(range.clone())
        );
    }
}

#[test]
fn a_sampler_by_class_needs_classes() {
    let (_folder, lists) = lists([0.5_f32, 1.5]);
    let error = lists
        .databunch()
        .sampler(Sampler::Balanced)
        .build()
        .unwrap_err();
    assert!(
        matches!(
            error,
            Error::Option(OptionError {
                option: "sampler",
                ..
            })
        ),
        "{error}"
    );
}

#[test]
fn data_without_items_have_no_classes_to_count() {
    let empty = || ImageDataBunch::single_from_classes("models", ["a", "b"]);
    let weighted = empty().class_weights(ClassWeights::Auto).build();
    let sampled = empty().sampler(Sampler::Balanced).build();
    for (built, option) in [(weighted, "class_weights"), (sampled, "sampler")] {
        let error = built.unwrap_err().to_string();
        assert!(
            error.contains(option) && error.contains("found no items"),
            "{error}"
        );
        assert!(error.contains("single_from_classes"), "{error}");
    }
}

#[test]
fn an_item_drawn_again_is_transformed_in_another_way() {
    let labels = (0..40).map(|i| if i == 39 { "rare" } else { "common" });
    let (_folder, lists) = lists(labels);
    let data = lists
        .transform(vision_data::get_transforms())
        .batch_size(40)
        .sampler(Sampler::Balanced)
        .build()
        .unwrap();
    let epoch = || {
        data.loader(DatasetType::Train, 0)
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
    };
    let batch = epoch();
    let pictures: std::collections::BTreeSet<Vec<u8>> = (0..40)
        .filter(|&position| batch.indices[position] == 39)
        .map(|position| batch.image(position).unwrap().into_raw())
        .collect();
    let times = batch.indices.iter().filter(|&&item| item == 39).count();
    assert!(
        times > 10 && pictures.len() > 5,
        "{} of {times}",
        pictures.len()
    );
    assert_eq!(epoch(), batch);
}
