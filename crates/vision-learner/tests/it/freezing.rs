//! Layer groups, freezing and parameter counts are fastai's.

use vision_base::OptionError;
use vision_learner::{Error, Learner};

use crate::prelude::*;
use crate::support;

fn counts(learner: &Learner) -> Vec<usize> {
    let groups = learner.layer_groups();
    groups
        .iter()
        .map(|g| g.iter().map(|e| e.len()).sum())
        .collect()
}

fn trainable(learner: &Learner) -> Vec<bool> {
    let groups = learner.layer_groups();
    let all = |group: &Vec<vision_models::state::Entry>| {
        group
            .iter()
            .filter(|e| !e.is_batch_norm())
            .all(|e| e.trainable)
    };
    groups.iter().map(all).collect()
}

// Parameters of the layer groups, and trainable ones when frozen, with 2 classes: from fastai 1.0.61 on torchvision's models.
#[test]
fn every_architecture_has_fastais_layer_groups_and_parameter_counts() {
    let digits = support::digits(2, 2);
    #[rustfmt::skip]
    let golden: [(Arch, &[usize], usize); 56] = [
        (Arch::ResNet18, &[683_072, 10_493_440, 528_898], 538_498),
        (Arch::ResNet34, &[1_347_904, 19_936_768, 528_898], 545_922),
        (Arch::ResNet50, &[1_444_928, 22_063_104, 2_107_906], 2_161_026),
        (Arch::ResNet101, &[1_444_928, 41_055_232, 2_107_906], 2_213_250),
        (Arch::ResNet152, &[2_565_184, 55_578_624, 2_107_906], 2_259_330),
        (Arch::SqueezeNet1_0, &[38_560, 94_784, 602_080, 528_898], 528_898),
        (Arch::SqueezeNet1_1, &[25_632, 94_784, 602_080, 528_898], 528_898),
        (Arch::DenseNet121, &[1_297_536, 5_656_320, 1_055_234], 1_138_882),
        (Arch::DenseNet169, &[1_297_536, 11_186_944, 1_713_154], 1_871_554),
        (Arch::DenseNet201, &[1_297_536, 16_795_392, 1_976_322], 2_205_378),
        (Arch::DenseNet161, &[2_901_696, 23_570_304, 2_272_386], 2_492_322),
        (Arch::Vgg11Bn, &[4_504_320, 4_721_664, 528_898], 534_402),
        (Arch::Vgg13Bn, &[2_327_360, 7_083_520, 528_898], 534_786),
        (Arch::Vgg16Bn, &[1_737_792, 12_985_344, 528_898], 537_346),
        (Arch::Vgg19Bn, &[1_737_792, 18_297_600, 528_898], 539_906),
        (Arch::AlexNet, &[330_688, 2_139_008, 265_730], 265_730),
        (Arch::MobileNetV2, &[185_088, 2_038_784, 1_318_402], 1_352_514),
        // Parameters of timm's and torchvision's modules.
        (Arch::ResNeXt50_32x4d, &[1_412_416, 21_567_488, 2_107_906], 2_176_130),
        (Arch::ResNeXt101_32x8d, &[2_835_776, 83_906_560, 2_107_906], 2_310_786),
        (Arch::ResNeXt101_64x4d, &[2_660_672, 78_745_600, 2_107_906], 2_310_786),
        (Arch::WideResNet50_2, &[4_126_528, 62_707_712, 2_107_906], 2_176_130),
        (Arch::EfficientNetB0, &[65_730, 3_941_818, 1_318_402], 1_360_418),
        (Arch::EfficientNetB1, &[108_342, 6_404_842, 1_318_402], 1_380_450),
        (Arch::EfficientNetB2, &[133_546, 7_567_448, 1_449_986], 1_517_554),
        (Arch::EfficientNetB3, &[163_694, 10_532_538, 1_581_570], 1_668_866),
        (Arch::EfficientNetB4, &[269_362, 17_279_254, 1_844_738], 1_969_938),
        (Arch::EfficientNetV2S, &[903_896, 19_273_592, 1_318_402], 1_472_274),
        (Arch::TfEfficientNetV2S, &[903_896, 19_273_592, 1_318_402], 1_472_274),
        (Arch::MobileNetV3Large, &[61_120, 2_910_832, 989_442], 1_013_842),
        (Arch::MobileNetV3Small, &[10_488, 916_520, 594_690], 606_802),
        (Arch::MobileNetV3Large100, &[61_120, 2_910_832, 989_442], 1_013_842),
        (Arch::MobileNetV3Small100, &[10_488, 916_520, 594_690], 606_802),
        (Arch::MobileNetV4ConvSmall, &[45_408, 1_216_256, 989_442], 1_011_970),
        (Arch::MobileNetV4ConvMedium, &[103_840, 7_099_312, 989_442], 1_054_786),
        (Arch::RegNetY004, &[113_264, 3_789_880, 454_882], 482_034),
        (Arch::RegNetY008, &[197_048, 5_297_120, 792_066], 821_954),
        (Arch::RegNetY800Mf, &[233_008, 5_414_504, 808_514], 838_946),
        (Arch::RegNetY016, &[404_118, 9_909_312, 915_426], 968_098),
        (Arch::RegNetY032, &[850_716, 17_072_622, 1_556_898], 1_623_058),
        (Arch::RegNetY040, &[1_449_432, 18_108_224, 1_121_026], 1_183_298),
        (Arch::RegNetY064, &[3_026_304, 26_259_948, 1_334_850], 1_417_282),
        (Arch::RegNetY080, &[3_096_364, 34_066_704, 2_075_010], 2_160_754),
        (Arch::RegNetY8Gf, &[3_297_768, 34_066_704, 2_075_010], 2_161_538),
        (Arch::ResNet18D, &[702_304, 10_493_440, 528_898], 538_626),
        (Arch::ResNet34D, &[1_367_136, 19_936_768, 528_898], 546_050),
        (Arch::ResNet50D, &[1_464_160, 22_063_104, 2_107_906], 2_161_154),
        (Arch::ResNet101D, &[1_464_160, 41_055_232, 2_107_906], 2_213_378),
        (Arch::SeResNet50, &[1_603_568, 24_435_456, 2_107_906], 2_161_026),
        (Arch::SeResNeXt50_32x4d, &[1_571_056, 23_939_840, 2_107_906], 2_176_130),
        (Arch::TfEfficientNetLite0, &[55_504, 3_315_504, 1_318_402], 1_360_418),
        // As fastai v1, which freezes layer norms.
        (Arch::ConvNextAtto, &[156_920, 3_216_960, 331_522], 331_522),
        (Arch::ConvNextTiny, &[1_235_040, 26_583_552, 792_066], 792_066),
        (Arch::ConvNextV2Pico, &[388_928, 8_163_328, 528_898], 528_898),
        // Heads without a pool.
        (Arch::VitTinyPatch16_224, &[2_854_848, 2_669_568, 101_250], 101_250),
        (Arch::Deit3SmallPatch16_224, &[11_022_336, 10_652_160, 199_938], 199_938),
        (Arch::VitSmallPatch14DinoV2, &[11_404_032, 10_652_160, 199_938], 199_938),
    ];
    for (arch, groups, frozen) in golden {
        let data = support::data(&digits.path, 4);
        let mut learner = create_cnn(data, arch)
            .pretrained(false)
            .silent(true)
            .build()
            .unwrap();
        assert_eq!(counts(&learner), groups, "{arch}");
        let total = groups.iter().sum::<usize>();
        assert_eq!(
            learner.num_params(),
            (total, total),
            "{arch}: random weights freeze nothing"
        );
        learner.freeze().unwrap();
        assert_eq!(learner.num_params(), (frozen, total), "{arch}");
    }
}

#[test]
fn every_xresnet_has_two_layer_groups_and_says_that_it_has_no_pretrained_weights() {
    let digits = support::digits(2, 2);
    for arch in Arch::ALL
        .iter()
        .copied()
        .filter(|a| a.name().starts_with('x'))
    {
        let build = |pretrained: bool| {
            let builder = create_cnn(support::data(&digits.path, 4), arch).silent(true);
            builder.pretrained(pretrained).build()
        };
        let mut learner = build(false).unwrap();
        assert_eq!(learner.layer_groups().len(), 2, "{arch}");
        learner.freeze().unwrap();
        assert_eq!(trainable(&learner), [false, true], "{arch}");
        assert_matches!(
            build(true).unwrap_err(),
            Error::NotHosted { arch: named, .. } if *named == arch.name()
        );
    }
}

// fastai's split of SqueezeNet 1.1 is at a pool.
#[test]
fn a_layer_group_can_begin_at_a_module_without_parameters() {
    let digits = support::digits(2, 2);
    let with = |split: &'static str| {
        let data = support::data(&digits.path, 4);
        let builder = create_cnn(data, Arch::ResNet18).pretrained(false);
        builder.split_on([split, "1"]).silent(true).build().unwrap()
    };
    assert_eq!(counts(&with("0.3")), counts(&with("0.4")));
    assert_eq!(counts(&with("0.3"))[0], 64 * 3 * 7 * 7 + 2 * 64);
}

#[test]
fn a_frozen_learner_without_train_bn_trains_the_head_alone() {
    let digits = support::digits(2, 2);
    let data = support::data(&digits.path, 4);
    let builder = create_cnn(data, Arch::ResNet18)
        .pretrained(false)
        .train_bn(false);
    let mut learner = builder.silent(true).build().unwrap();
    learner.freeze().unwrap();
    assert_eq!(learner.num_params().0, 528_898);
    let names: Vec<_> = learner.layer_groups()[2]
        .iter()
        .map(|e| e.name.clone())
        .collect();
    let head = [
        "1.2.weight",
        "1.2.bias",
        "1.4.weight",
        "1.4.bias",
        "1.6.weight",
        "1.6.bias",
        "1.8.weight",
        "1.8.bias",
    ];
    assert_eq!(names, head);
}

#[test]
fn freeze_to_freezes_the_groups_before_it_and_unfreeze_frees_all() {
    let digits = support::digits(2, 2);
    let mut learner = support::learner(support::data(&digits.path, 4));
    learner.freeze_to(1).unwrap();
    assert_eq!(trainable(&learner), [false, true, true]);
    learner.freeze_to(-2).unwrap();
    assert_eq!(trainable(&learner), [false, true, true]);
    learner.freeze().unwrap();
    assert_eq!(trainable(&learner), [false, false, true]);
    learner.unfreeze();
    assert_eq!(trainable(&learner), [true, true, true]);
    assert!(matches!(
        learner.freeze_to(3),
        Err(Error::FreezeTo { n: 3, groups: 3 })
    ));
    assert!(matches!(learner.freeze_to(-4), Err(Error::FreezeTo { .. })));
}

#[test]
fn split_on_sets_the_groups_and_one_group_cannot_be_frozen() {
    let digits = support::digits(2, 2);
    let with = |modules: Vec<&'static str>| {
        let data = support::data(&digits.path, 4);
        create_cnn(data, Arch::ResNet18)
            .pretrained(false)
            .split_on(modules)
            .silent(true)
            .build()
    };
    assert_eq!(counts(&with(vec!["1"]).unwrap()), [11_176_512, 528_898]);
    assert_eq!(
        with(vec!["0.4", "0.5", "0.6", "0.7", "1"])
            .unwrap()
            .layer_groups()
            .len(),
        6
    );
    let mut one = with(vec![]).unwrap();
    assert!(matches!(
        one.freeze(),
        Err(Error::FreezeTo { groups: 1, .. })
    ));
    assert_matches!(
        with(vec!["0.9"]).unwrap_err(),
        Error::Split { module, known } if module == "0.9" && known.contains(&"0.7".to_owned())
    );
    assert!(
        with(vec!["1", "0.6"]).is_err(),
        "groups must begin in order"
    );
}

#[test]
fn freezing_drops_the_optimizers_state_and_a_second_fit_keeps_it() {
    let digits = support::digits(20, 4);
    let mut learner = support::learner(support::data(&digits.path, 8));
    assert!(learner.optimizer().is_none());
    learner.fit(1, 1e-4).unwrap();
    learner.fit_one_cycle(1, 1e-4).unwrap();
    // fastai's known trait: the momentum that a schedule left behind stays until the optimizer goes.
    let left = learner.optimizer().unwrap().mom();
    assert!((left - 0.95).abs() < 1e-12, "{left}");
    learner.freeze().unwrap();
    assert!(learner.optimizer().is_none());
    let record = learner.fit(1, 1e-4).unwrap();
    assert!(record.moms.iter().all(|mom| *mom == 0.9));
}

#[test]
fn a_frozen_body_keeps_its_convolutions_and_moves_its_batch_norms_and_statistics() {
    let digits = support::digits(8, 4);
    let mut learner = support::learner(support::data(&digits.path, 8));
    learner.freeze().unwrap();
    let before = learner.weights();
    learner.fit(1, 1e-2).unwrap();
    for (old, new) in before.iter().zip(learner.weights()) {
        let conv = old.shape.len() == 4;
        assert_eq!(old.values == new.values, conv, "{}", old.name);
    }
}

#[test]
fn a_learning_rate_list_of_the_wrong_length_is_an_error_before_anything_trains() {
    let digits = support::digits(8, 4);
    let mut learner = support::learner(support::data(&digits.path, 8));
    let before = learner.weights();
    let error = learner.fit_one_cycle(1, [1e-4, 1e-3]).unwrap_err();
    assert!(
        matches!(error, Error::Option(OptionError { .. })),
        "{error}"
    );
    let config = FitConfig::one_cycle(1).with_wd([0.1, 0.1]);
    assert!(matches!(
        learner.fit_with(config),
        Err(Error::Option(OptionError { .. }))
    ));
    assert_eq!(learner.weights(), before);
}

#[test]
fn a_head_with_the_wrong_number_of_dropouts_is_an_error() {
    let digits = support::digits(2, 2);
    let build = |ps: Vec<f64>, widths: Vec<usize>| {
        let data = support::data(&digits.path, 4);
        create_cnn(data, Arch::ResNet18)
            .pretrained(false)
            .ps(ps)
            .lin_ftrs(widths)
            .silent(true)
            .build()
    };
    let error = build(vec![0.1, 0.2], vec![512, 256]).unwrap_err();
    assert!(
        matches!(error, Error::Option(OptionError { .. })),
        "{error}"
    );
    assert!(build(vec![1.5], vec![512]).is_err());
    assert!(build(vec![0.1, 0.2], vec![512]).is_ok());
}

#[test]
fn with_bn_freeze_nothing_of_a_frozen_body_moves_and_unfreezing_moves_all_again() {
    let digits = support::digits(8, 4);
    let data = support::data(&digits.path, 8);
    let builder = create_cnn(data, Arch::ResNet18).pretrained(false);
    let mut learner = builder.bn_freeze(true).silent(true).build().unwrap();
    let moved = |learner: &mut Learner| {
        let before = learner.weights();
        learner.fit(1, 1e-2).unwrap();
        let pairs = before.into_iter().zip(learner.weights());
        let moved = pairs.filter(|(old, new)| old.values != new.values);
        moved.map(|(old, _)| old.name).collect::<Vec<_>>()
    };
    let all = learner.weights().len();
    learner.freeze().unwrap();
    assert_eq!(learner.num_params().0, 528_898);
    let names = moved(&mut learner);
    assert!(names.iter().all(|name| name.starts_with("1.")), "{names:?}");
    // Two batch norms of four, and two linear layers of two.
    assert_eq!(names.len(), 12);

    learner.freeze_to(1).unwrap();
    let names = moved(&mut learner);
    let first = |name: &String| {
        ["0.0.", "0.1.", "0.4.", "0.5."]
            .iter()
            .any(|p| name.starts_with(p))
    };
    assert!(!names.iter().any(first), "{names:?}");
    assert!(
        names
            .iter()
            .any(|name| name.ends_with("running_var") && name.starts_with("0.7."))
    );

    learner.unfreeze();
    assert_eq!(moved(&mut learner).len(), all);
}
