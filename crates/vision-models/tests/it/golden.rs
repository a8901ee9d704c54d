//! fastai v1's and torchvision's numbers for each backbone, and its cut.
//!
//! Sources: fastai 1.0.61's `model_meta` and `flatten_model`, run on torchvision's models.

use burn::tensor::Tensor;
use vision_models::layers::{AdaptiveConcatPool2d, Layer, Sequential};
use vision_models::parity::{fill, filled};
use vision_models::state::{self, values};
use vision_models::{Arch, Cut, Error, Init, WeightsPlace};

/// A row of fastai's numbers for two classes and the default head.
struct Row {
    arch: Arch,
    features: usize,
    /// Leaf modules of body and head.
    leaves: usize,
    /// Where the second and later layer groups begin among them; the last is the head.
    split: &'static [usize],
    /// Parameters of the groups before the head, which are the body.
    groups: &'static [usize],
    /// Parameters of the body.
    body: usize,
    /// Parameters of the body's batch norms.
    batch_norm: usize,
}

const fn row(
    arch: Arch,
    features: usize,
    leaves: usize,
    split: &'static [usize],
    groups: &'static [usize],
    body: usize,
    batch_norm: usize,
) -> Row {
    Row {
        arch,
        features,
        leaves,
        split,
        groups,
        body,
        batch_norm,
    }
}

// From fastai 1.0.61. The numbers that depend on the head are in
// vision-learner/tests/it/freezing.rs.
#[rustfmt::skip]
const GOLDEN: [Row; 17] = [
    row(Arch::ResNet18, 512, 60, &[26, 50], &[683_072, 10_493_440], 11_176_512, 9_600),
    row(Arch::ResNet34, 512, 100, &[41, 90], &[1_347_904, 19_936_768], 21_284_672, 17_024),
    row(Arch::ResNet50, 2_048, 134, &[57, 124], &[1_444_928, 22_063_104], 23_508_032, 53_120),
    row(Arch::ResNet101, 2_048, 253, &[57, 243], &[1_444_928, 41_055_232], 42_500_160, 105_344),
    row(Arch::ResNet152, 2_048, 372, &[85, 362], &[2_565_184, 55_578_624], 58_143_808, 151_424),
    row(Arch::SqueezeNet1_0, 512, 63, &[15, 28, 53], &[38_560, 94_784, 602_080], 735_424, 0),
    row(Arch::SqueezeNet1_1, 512, 63, &[15, 28, 53], &[25_632, 94_784, 602_080], 722_496, 0),
    row(Arch::DenseNet121, 1_024, 375, &[116, 365], &[1_297_536, 5_656_320], 6_953_856, 83_648),
    row(Arch::DenseNet169, 1_664, 519, &[116, 509], &[1_297_536, 11_186_944], 12_484_480, 158_400),
    row(Arch::DenseNet201, 1_920, 615, &[116, 605], &[1_297_536, 16_795_392], 18_092_928, 229_056),
    row(Arch::DenseNet161, 2_208, 495, &[116, 485], &[2_901_696, 23_570_304], 26_472_000, 219_936),
    row(Arch::Vgg11Bn, 512, 40, &[22, 30], &[4_504_320, 4_721_664], 9_225_984, 5_504),
    row(Arch::Vgg13Bn, 512, 46, &[22, 36], &[2_327_360, 7_083_520], 9_410_880, 5_888),
    row(Arch::Vgg16Bn, 512, 55, &[22, 45], &[1_737_792, 12_985_344], 14_723_136, 8_448),
    row(Arch::Vgg19Bn, 512, 64, &[22, 54], &[1_737_792, 18_297_600], 20_035_392, 11_008),
    row(Arch::AlexNet, 256, 24, &[6, 14], &[330_688, 2_139_008], 2_469_696, 0),
    row(Arch::MobileNetV2, 1_280, 149, &[72, 139], &[185_088, 2_038_784], 2_223_872, 34_112),
];

/// Architecture, parameters with 1000 classes, features, children of the body.
///
/// From fastai 1.0.61's `xresnet.py` and the model of `scripts/make_parity_reference.py`.
#[rustfmt::skip]
const XRESNETS: [(Arch, usize, usize, usize); 8] = [
    (Arch::XResNet18, 11_708_744, 512, 8),
    (Arch::XResNet34, 21_816_904, 512, 8),
    (Arch::XResNet50, 25_576_264, 2048, 8),
    (Arch::XResNet101, 44_568_392, 2048, 8),
    (Arch::XResNet152, 60_212_040, 2048, 8),
    (Arch::XResNet18Deep, 14_535_496, 256, 10),
    (Arch::XResNet34Deep, 24_643_656, 256, 10),
    (Arch::XResNet50Deep, 29_147_976, 1024, 10),
];

/// timm's, and torchvision's since fastai 1: architecture, parameters with 1000 classes, features, children of the body, of which activations are some here;
/// parameters of the body's two layer groups.
#[rustfmt::skip]
const TIMM: [(Arch, usize, usize, usize, [usize; 2]); 54] = [
    (Arch::ResNeXt50_32x4d, 25_028_904, 2_048, 8, [1_412_416, 21_567_488]),
    (Arch::ResNeXt101_32x8d, 88_791_336, 2_048, 8, [2_835_776, 83_906_560]),
    (Arch::ResNeXt101_64x4d, 83_455_272, 2_048, 8, [2_660_672, 78_745_600]),
    (Arch::WideResNet50_2, 68_883_240, 2_048, 8, [4_126_528, 62_707_712]),
    (Arch::EfficientNetB0, 5_288_548, 1_280, 7, [65_730, 3_941_818]),
    (Arch::EfficientNetB1, 7_794_184, 1_280, 7, [108_342, 6_404_842]),
    (Arch::EfficientNetB2, 9_109_994, 1_408, 7, [133_546, 7_567_448]),
    (Arch::EfficientNetB3, 12_233_232, 1_536, 7, [163_694, 10_532_538]),
    (Arch::EfficientNetB4, 19_341_616, 1_792, 7, [269_362, 17_279_254]),
    (Arch::EfficientNetV2S, 21_458_488, 1_280, 7, [903_896, 19_273_592]),
    (Arch::TfEfficientNetV2S, 21_458_488, 1_280, 7, [903_896, 19_273_592]),
    (Arch::MobileNetV3Large, 5_483_032, 960, 4, [61_120, 2_910_832]),
    (Arch::MobileNetV3Small, 2_542_856, 576, 4, [10_488, 916_520]),
    (Arch::MobileNetV3Large100, 5_483_032, 960, 4, [61_120, 2_910_832]),
    (Arch::MobileNetV3Small100, 2_542_856, 576, 4, [10_488, 916_520]),
    (Arch::MobileNetV4ConvSmall, 3_774_024, 960, 4, [45_408, 1_216_256]),
    (Arch::MobileNetV4ConvMedium, 9_715_512, 960, 4, [103_840, 7_099_312]),
    (Arch::RegNetY004, 4_344_144, 440, 5, [113_264, 3_789_880]),
    (Arch::RegNetY008, 6_263_168, 768, 5, [197_048, 5_297_120]),
    (Arch::RegNetY800Mf, 6_432_512, 784, 5, [233_008, 5_414_504]),
    (Arch::RegNetY016, 11_202_430, 888, 5, [404_118, 9_909_312]),
    (Arch::RegNetY032, 19_436_338, 1_512, 5, [850_716, 17_072_622]),
    (Arch::RegNetY040, 20_646_656, 1_088, 5, [1_449_432, 18_108_224]),
    (Arch::RegNetY064, 30_583_252, 1_296, 5, [3_026_304, 26_259_948]),
    (Arch::RegNetY080, 39_180_068, 2_016, 5, [3_096_364, 34_066_704]),
    (Arch::RegNetY8Gf, 39_381_472, 2_016, 5, [3_297_768, 34_066_704]),
    (Arch::ResNet18D, 11_708_744, 512, 8, [702_304, 10_493_440]),
    (Arch::ResNet34D, 21_816_904, 512, 8, [1_367_136, 19_936_768]),
    (Arch::ResNet50D, 25_576_264, 2_048, 8, [1_464_160, 22_063_104]),
    (Arch::ResNet101D, 44_568_392, 2_048, 8, [1_464_160, 41_055_232]),
    (Arch::SeResNet50, 28_088_024, 2_048, 8, [1_603_568, 24_435_456]),
    (Arch::SeResNeXt50_32x4d, 27_559_896, 2_048, 8, [1_571_056, 23_939_840]),
    (Arch::TfEfficientNetLite0, 4_652_008, 1280, 7, [55_504, 3_315_504]),
    (Arch::ConvNextAtto, 3_695_520, 320, 2, [156_920, 3_216_960]),
    (Arch::ConvNextFemto, 5_217_784, 384, 2, [222_096, 4_609_920]),
    (Arch::ConvNextPico, 9_045_672, 512, 2, [386_240, 8_145_408]),
    (Arch::ConvNextNano, 15_593_560, 640, 2, [595_440, 14_355_840]),
    (Arch::ConvNextTiny, 28_589_128, 768, 2, [1_235_040, 26_583_552]),
    (Arch::ConvNextSmall, 50_223_688, 768, 2, [1_235_040, 48_218_112]),
    (Arch::ConvNextBase, 88_591_464, 1024, 2, [2_171_008, 85_393_408]),
    (Arch::ConvNextV2Atto, 3_708_400, 320, 2, [158_600, 3_228_160]),
    (Arch::ConvNextV2Femto, 5_233_240, 384, 2, [224_112, 4_623_360]),
    (Arch::ConvNextV2Pico, 9_066_280, 512, 2, [388_928, 8_163_328]),
    (Arch::ConvNextV2Nano, 15_623_800, 640, 2, [598_800, 14_382_720]),
    (Arch::ConvNextV2Tiny, 28_635_496, 768, 2, [1_241_088, 26_623_872]),
    (Arch::ConvNextV2Small, 50_318_440, 768, 2, [1_241_088, 48_306_816]),
    (Arch::ConvNextV2Base, 88_717_800, 1024, 2, [2_179_072, 85_511_680]),
    (Arch::VitTinyPatch16_224, 5_717_416, 192, 5, [2_854_848, 2_669_568]),
    (Arch::VitSmallPatch16_224, 22_050_664, 384, 5, [11_018_112, 10_647_552]),
    (Arch::VitBasePatch16_224, 86_567_656, 768, 5, [43_269_888, 42_528_768]),
    (Arch::Deit3SmallPatch16_224, 22_059_496, 384, 5, [11_022_336, 10_652_160]),
    (Arch::Deit3BasePatch16_224, 86_585_320, 768, 5, [43_278_336, 42_537_984]),
    (Arch::VitSmallPatch14DinoV2, 22_441_192, 384, 5, [11_404_032, 10_652_160]),
    (Arch::VitBasePatch14DinoV2, 87_348_712, 768, 5, [44_041_728, 42_537_984]),
];

/// Leaf modules of fastai's default head: two pools, flatten, and twice batch norm, dropout, linear with
/// one ReLU between.
const HEAD_LEAVES: usize = 10;

fn whole(arch: Arch) -> Sequential {
    arch.build(1000, &mut Init::zeroed(&vision_models::test_device()))
}

fn body(arch: Arch) -> Sequential {
    Cut::Default.apply(whole(arch), arch.info().cut).unwrap()
}

fn image(side: usize) -> Tensor<4> {
    let shape = [4, 3, side, side];
    let data = burn::tensor::TensorData::new(fill("input", &shape, 0), shape);
    Tensor::from_data(data, &vision_models::test_device())
}

/// Whether the parameter or leaf module is the named module or inside it.
fn inside(name: &str, module: &str) -> bool {
    let rest = name.strip_prefix(module);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[test]
fn the_tables_have_every_architecture() {
    let torchvision = GOLDEN.iter().map(|row| row.arch);
    let fastai = XRESNETS.iter().map(|row| row.0);
    let timm = TIMM.iter().map(|row| row.0);
    let rows: Vec<_> = torchvision.chain(timm).chain(fastai).collect();
    assert_eq!(rows.len(), Arch::ALL.len());
    for arch in Arch::ALL {
        assert!(rows.contains(arch), "{arch}");
    }
}

#[test]
fn features_and_leaf_modules_are_fastais() {
    for row in GOLDEN {
        let (arch, body) = (row.arch, body(row.arch));
        assert_eq!(arch.info().features, row.features, "{arch}");
        assert_eq!(body.out_channels(), Some(row.features), "{arch}");
        assert_eq!(body.leaves().len() + HEAD_LEAVES, row.leaves, "{arch}");
    }
}

#[test]
fn layer_groups_begin_at_fastais_leaves() {
    for row in GOLDEN {
        let (arch, leaves) = (row.arch, body(row.arch).leaves());
        let starts = arch.info().split.iter().map(|module| {
            // The head comes right after the body.
            let Some(child) = module.strip_prefix("0.") else {
                return Some(leaves.len());
            };
            leaves.iter().position(|leaf| inside(leaf, child))
        });
        let starts: Option<Vec<_>> = starts.collect();
        assert_eq!(starts.as_deref(), Some(row.split), "{arch}");
        assert_eq!(arch.info().split.last(), Some(&"1"), "{arch}");
    }
}

#[test]
fn parameters_of_the_body_are_fastais() {
    for row in GOLDEN {
        let (arch, body) = (row.arch, body(row.arch));
        let entries = state::entries(&body);
        let starts = state::starts(&body);
        let first_entry = |child: &str| starts.iter().find(|s| s.name == child).unwrap().entry;
        let children = arch
            .info()
            .split
            .iter()
            .filter_map(|m| m.strip_prefix("0."));
        let mut cuts = vec![0];
        cuts.extend(children.map(first_entry));
        cuts.push(entries.len());
        let sum = |entries: &[state::Entry], filter: fn(&state::Entry) -> bool| {
            let kept = entries.iter().filter(|e| !e.buffer && filter(e));
            kept.map(state::Entry::len).sum::<usize>()
        };
        let groups = cuts
            .windows(2)
            .map(|cut| sum(&entries[cut[0]..cut[1]], |_| true));
        assert!(groups.eq(row.groups.iter().copied()), "{arch}");
        assert_eq!(sum(&entries, |_| true), row.body, "{arch}");
        let batch_norm = sum(&entries, state::Entry::is_batch_norm);
        assert_eq!(batch_norm, row.batch_norm, "{arch}");
    }
}

#[test]
fn xresnets_have_fastais_sizes_and_its_rule_for_the_cut() {
    for (arch, parameters, features, children) in XRESNETS {
        let whole = whole(arch);
        let entries = state::entries(&whole).into_iter();
        let found: usize = entries.filter(|e| !e.buffer).map(|e| e.len()).sum();
        assert_eq!(found, parameters, "{arch}");
        assert_eq!(arch.info().features, features, "{arch}");
        assert_eq!(arch.info().split, ["1"], "{arch}");
        for cut in [Cut::Default, Cut::Auto] {
            let body = cut.apply(whole.clone(), arch.info().cut).unwrap();
            assert_eq!(body.len(), children, "{arch} {cut:?}");
            assert_eq!(body.out_channels(), Some(features), "{arch} {cut:?}");
        }
    }
}

#[test]
fn networks_of_timm_have_its_sizes_and_end_before_its_pool() {
    for (arch, parameters, features, children, groups) in TIMM {
        let whole = whole(arch);
        let count = |net: &Sequential, of: &dyn Fn(&str) -> bool| -> usize {
            let entries = state::entries(net).into_iter();
            let counted = entries.filter(|e| !e.buffer && of(&e.name));
            counted.map(|e| e.len()).sum()
        };
        assert_eq!(count(&whole, &|_| true), parameters, "{arch}");
        let body = body(arch);
        assert_eq!(body.len(), children, "{arch}");
        assert_eq!(body.out_channels(), Some(features), "{arch}");
        assert_eq!(arch.info().features, features, "{arch}");
        let [second, "1"] = arch.info().split else {
            panic!("{arch}: two groups in the body");
        };
        let second = second.strip_prefix("0.").unwrap();
        let names: Vec<_> = state::entries(&body).into_iter().map(|e| e.name).collect();
        let start = names.iter().position(|name| inside(name, second)).unwrap();
        let first = count(&body, &|name| names[..start].iter().any(|n| n == name));
        assert_eq!([first, count(&body, &|_| true) - first], groups, "{arch}");
    }
}

#[test]
fn a_densenet_body_ends_in_a_batch_norm_and_a_vgg_body_in_its_pool() {
    let leaves = |arch| body(arch).leaves();
    assert_eq!(leaves(Arch::DenseNet121).last().unwrap(), "0.norm5");
    assert_eq!(leaves(Arch::Vgg16Bn).last().unwrap(), "1");
    assert_eq!(
        body(Arch::Vgg16Bn).forward(image(32)).dims(),
        [4, 512, 7, 7]
    );
    assert_eq!(
        body(Arch::AlexNet).forward(image(64)).dims(),
        [4, 256, 6, 6]
    );
    let dense = filled(body(Arch::DenseNet121), 0).forward(image(32));
    assert!(values(dense).iter().any(|&v| v < 0.0));
}

#[test]
fn concat_pooling_counts_as_two_leaf_modules() {
    let head = Sequential::numbered([
        Layer::AdaptiveConcatPool2d(AdaptiveConcatPool2d),
        Layer::Flatten,
    ]);
    assert_eq!(head.leaves(), ["0.ap", "0.mp", "1"]);
}

#[test]
fn a_resnet_body_shrinks_an_image_by_thirty_two_and_has_its_features() {
    for row in &GOLDEN[..5] {
        let found = body(row.arch).forward(image(64)).dims();
        assert_eq!(found, [4, row.features, 2, 2], "{}", row.arch);
    }
}

#[test]
fn a_body_cut_at_minus_two_gives_the_activations_of_the_first_eight_children() {
    let whole = filled(whole(Arch::ResNet18), 0);
    let body = Cut::At(-2).apply(whole.clone(), -1).unwrap();
    assert_eq!(
        body.names().collect::<Vec<_>>(),
        ["0", "1", "2", "3", "4", "5", "6", "7"]
    );
    let (mut x, mut y) = (image(32), image(32));
    for (a, b) in whole.layers().zip(body.layers()) {
        (x, y) = (a.forward(x), b.forward(y));
        assert_eq!(x.dims(), y.dims());
        assert_eq!(values(x.clone()), values(y.clone()));
    }
    assert_eq!(values(y), values(body.forward(image(32))));
}

#[test]
fn a_cut_by_the_identity_gives_the_whole_model_unchanged() {
    let whole = filled(whole(Arch::ResNet18), 0);
    let same = Cut::with(|model| model).apply(whole.clone(), -2).unwrap();
    assert!(same.names().eq(whole.names()));
    assert_eq!(state::entries(&same), state::entries(&whole));
    assert_eq!(state::tensors(&same), state::tensors(&whole));
}

#[test]
fn a_cut_keeps_weights_and_renames_children_to_their_positions() {
    let whole = filled(whole(Arch::ResNet18), 0);
    let before = state::tensors(&whole);
    let body = Cut::Default.apply(whole, -2).unwrap();
    let after = state::tensors(&body);
    assert_eq!(after[0].name, "0.weight");
    assert_eq!(after[5].name, "4.0.conv1.weight");
    assert!(before.iter().zip(&after).all(|(a, b)| a.values == b.values));
}

#[test]
fn an_automatic_cut_is_before_the_last_child_with_a_pool() {
    // fastai's rule finds avgpool, so it agrees with the registry's -2.
    let body = Cut::Auto.apply(whole(Arch::ResNet18), -1).unwrap();
    assert_eq!(body.len(), 8);
    let no_pool = Sequential::numbered([Layer::Relu, Layer::Flatten]);
    assert!(matches!(
        Cut::Auto.apply(no_pool, -1),
        Err(Error::Cut { children: 2, .. })
    ));
}

#[test]
fn a_cut_that_leaves_nothing_or_more_than_there_is_is_an_error_that_says_so() {
    for index in [0, -10, -11, 11, isize::MIN, isize::MAX] {
        match Cut::At(index).apply(whole(Arch::ResNet18), -2) {
            Err(Error::Cut {
                index: found,
                children,
            }) => assert_eq!((found, children), (index, 10)),
            other => panic!("{index}: {:?}", other.map(|body| body.len())),
        }
    }
    for (index, left) in [(1, 1), (10, 10), (-1, 9), (-9, 1)] {
        assert_eq!(
            Cut::At(index)
                .apply(whole(Arch::ResNet18), -2)
                .unwrap()
                .len(),
            left
        );
    }
}

#[test]
fn every_name_parses_to_its_architecture_and_pads_when_printed() {
    for &arch in Arch::ALL {
        assert_eq!(arch.to_string().parse::<Arch>().unwrap(), arch);
    }
    assert_eq!(format!("{:<9}|", Arch::AlexNet), "alexnet  |");
    // Names of the same network in the other program.
    for (name, arch) in [
        ("mobilenetv2_100", Arch::MobileNetV2),
        ("regnet_y_400mf", Arch::RegNetY004),
        ("regnet_y_1_6gf", Arch::RegNetY016),
        ("regnet_y_3_2gf", Arch::RegNetY032),
        ("regnety_008_tv", Arch::RegNetY800Mf),
        ("regnety_080_tv", Arch::RegNetY8Gf),
    ] {
        assert_eq!(name.parse::<Arch>().unwrap(), arch);
    }
}

#[test]
fn an_unknown_architecture_is_an_error_that_lists_the_known_ones() {
    let error = "resnet19".parse::<Arch>().unwrap_err();
    let names: Vec<_> = Arch::ALL.iter().map(|arch| arch.name()).collect();
    assert_matches!(
        error,
        Error::UnknownArch { name, known, .. } if name == "resnet19" && *known == names
    );
    let message = error.to_string();
    for name in names {
        assert!(message.contains(name), "{message}");
    }
}

#[test]
fn an_unknown_architecture_is_an_error_that_asks_for_the_near_ones_first() {
    let near = |name: &str| match name.parse::<Arch>() {
        Err(Error::UnknownArch { near, .. }) => near,
        other => panic!("{name}: {other:?}"),
    };
    // Another spelling is the architecture itself.
    assert_eq!(near("ResNet-50")[0], "resnet50");
    assert_eq!(near("VGG16-BN")[0], "vgg16_bn");
    assert_eq!(near("mobilenetv2")[0], "mobilenet_v2");
    assert_eq!(near("xresnet-50-deep")[0], "xresnet50_deep");
    // A typo.
    assert_eq!(near("alexnte"), ["alexnet"]);
    assert_eq!(near("densnet121")[0], "densenet121");
    assert!(near("resnet19").contains(&"resnet18"));
    // Nothing near.
    assert!(near("").is_empty() && near("vision_transformer").is_empty());
}

#[test]
fn every_weights_file_carries_the_beginning_of_its_hash_in_its_name() {
    for arch in Arch::ALL {
        let Some(weights) = &arch.info().weights else {
            let none = XRESNETS.iter().map(|row| row.0);
            assert!(
                none.chain([Arch::ConvNextV2Small])
                    .any(|known| known == *arch),
                "{arch}"
            );
            continue;
        };
        let WeightsPlace::Url { url, mib: stated } = weights.place else {
            continue;
        };
        let name = url.rsplit('/').next().unwrap();
        assert_eq!(weights.name(), name);
        let digits = name.trim_end_matches(".pth").rsplit('-').next().unwrap();
        assert!(
            digits.len() == 8 && digits.chars().all(|c| c.is_ascii_hexdigit()),
            "{name}"
        );
        assert!(
            name.starts_with(arch.name()) && name.ends_with(".pth"),
            "{name}"
        );
        // Four bytes a parameter, and a header: a size of another file would be far off.
        let parameters: usize = {
            let device = vision_models::test_device();
            let model = arch.build(weights.classes, &mut Init::zeroed(&device));
            state::entries(&model).iter().map(|e| e.len()).sum()
        };
        let mib = parameters as f64 * 4.0 / f64::from(1 << 20);
        assert!(
            (mib..1.02 * mib + 0.2).contains(&stated),
            "{arch}: {mib} MiB of parameters, {stated} stated"
        );
    }
}
