//! Every backbone computes what torchvision (or fastai) computes, from weights that need no file.
//!
//! The fixture was computed with PyTorch by `scripts/make_parity_reference.py`.

use vision_models::parity::{self, Deviation, Reference};
use vision_models::{Arch, Error};

const FIXTURE: &str = include_str!("../fixtures/parity.json");

fn reference() -> Reference {
    serde_json::from_str(FIXTURE).unwrap()
}

fn deviations(arch: Arch, reference: &Reference) -> Vec<Deviation> {
    let device = vision_models::test_device();
    parity::compare(arch, &reference.archs[arch.name()], 0, &device).unwrap()
}

fn is_at_parity(arch: Arch) {
    all_within_tolerance(arch, deviations(arch, &reference()));
}

#[test]
fn vit_tiny_equals_timms_in_eval_and_train_mode_at_the_size_of_its_positions() {
    let arch = Arch::VitTinyPatch16_224;
    let reference = &reference().archs[&format!("{arch}@224")];
    assert_eq!(reference.input, [2, 3, 224, 224]);
    let device = vision_models::test_device();
    let deviations = parity::compare(arch, reference, 0, &device).unwrap();
    all_within_tolerance(arch, deviations);
}

fn all_within_tolerance(arch: Arch, deviations: Vec<Deviation>) {
    let found: Vec<_> = deviations.iter().map(|d| d.quantity).collect();
    assert_eq!(found, ["logits", "body", "loss", "gradients", "buffers"]);
    for deviation in &deviations {
        println!("{arch} {deviation}");
    }
    for deviation in deviations {
        assert!(deviation.is_within_tolerance(), "{arch} {deviation}");
    }
}

/// One test each, so that a failure names the architecture and they run side by side.
macro_rules! at_parity {
    ($($test:ident: $arch:ident,)+) => {
        $(#[test]
        fn $test() {
            is_at_parity(Arch::$arch);
        })+
    };
}

at_parity! {
    resnet18_equals_torchvisions_in_eval_and_train_mode: ResNet18,
    resnet34_equals_torchvisions_in_eval_and_train_mode: ResNet34,
    resnet50_equals_torchvisions_in_eval_and_train_mode: ResNet50,
    resnet101_equals_torchvisions_in_eval_and_train_mode: ResNet101,
    resnet152_equals_torchvisions_in_eval_and_train_mode: ResNet152,
    squeezenet1_0_equals_torchvisions_in_eval_and_train_mode: SqueezeNet1_0,
    squeezenet1_1_equals_torchvisions_in_eval_and_train_mode: SqueezeNet1_1,
    densenet121_equals_torchvisions_in_eval_and_train_mode: DenseNet121,
    densenet169_equals_torchvisions_in_eval_and_train_mode: DenseNet169,
    densenet201_equals_torchvisions_in_eval_and_train_mode: DenseNet201,
    densenet161_equals_torchvisions_in_eval_and_train_mode: DenseNet161,
    vgg11_bn_equals_torchvisions_in_eval_and_train_mode: Vgg11Bn,
    vgg13_bn_equals_torchvisions_in_eval_and_train_mode: Vgg13Bn,
    vgg16_bn_equals_torchvisions_in_eval_and_train_mode: Vgg16Bn,
    vgg19_bn_equals_torchvisions_in_eval_and_train_mode: Vgg19Bn,
    alexnet_equals_torchvisions_in_eval_and_train_mode: AlexNet,
    mobilenet_v2_equals_torchvisions_in_eval_and_train_mode: MobileNetV2,
    resnext50_32x4d_equals_torchvisions_in_eval_and_train_mode: ResNeXt50_32x4d,
    resnext101_32x8d_equals_torchvisions_in_eval_and_train_mode: ResNeXt101_32x8d,
    resnext101_64x4d_equals_torchvisions_in_eval_and_train_mode: ResNeXt101_64x4d,
    wide_resnet50_2_equals_torchvisions_in_eval_and_train_mode: WideResNet50_2,
    efficientnet_b0_equals_timms_in_eval_and_train_mode: EfficientNetB0,
    efficientnet_b1_equals_timms_in_eval_and_train_mode: EfficientNetB1,
    efficientnet_b2_equals_timms_in_eval_and_train_mode: EfficientNetB2,
    efficientnet_b3_equals_timms_in_eval_and_train_mode: EfficientNetB3,
    efficientnet_b4_equals_timms_in_eval_and_train_mode: EfficientNetB4,
    efficientnet_v2_s_equals_timms_in_eval_and_train_mode: EfficientNetV2S,
    tf_efficientnetv2_s_equals_timms_in_eval_and_train_mode: TfEfficientNetV2S,
    mobilenet_v3_large_equals_timms_in_eval_and_train_mode: MobileNetV3Large,
    mobilenet_v3_small_equals_timms_in_eval_and_train_mode: MobileNetV3Small,
    mobilenetv3_large_100_equals_timms_in_eval_and_train_mode: MobileNetV3Large100,
    mobilenetv3_small_100_equals_timms_in_eval_and_train_mode: MobileNetV3Small100,
    mobilenetv4_conv_small_equals_timms_in_eval_and_train_mode: MobileNetV4ConvSmall,
    mobilenetv4_conv_medium_equals_timms_in_eval_and_train_mode: MobileNetV4ConvMedium,
    regnety_004_equals_timms_in_eval_and_train_mode: RegNetY004,
    regnety_008_equals_timms_in_eval_and_train_mode: RegNetY008,
    regnet_y_800mf_equals_timms_in_eval_and_train_mode: RegNetY800Mf,
    regnety_016_equals_timms_in_eval_and_train_mode: RegNetY016,
    regnety_032_equals_timms_in_eval_and_train_mode: RegNetY032,
    regnety_040_equals_timms_in_eval_and_train_mode: RegNetY040,
    regnety_064_equals_timms_in_eval_and_train_mode: RegNetY064,
    regnety_080_equals_timms_in_eval_and_train_mode: RegNetY080,
    regnet_y_8gf_equals_timms_in_eval_and_train_mode: RegNetY8Gf,
    resnet18d_equals_timms_in_eval_and_train_mode: ResNet18D,
    resnet34d_equals_timms_in_eval_and_train_mode: ResNet34D,
    resnet50d_equals_timms_in_eval_and_train_mode: ResNet50D,
    resnet101d_equals_timms_in_eval_and_train_mode: ResNet101D,
    seresnet50_equals_timms_in_eval_and_train_mode: SeResNet50,
    seresnext50_32x4d_equals_timms_in_eval_and_train_mode: SeResNeXt50_32x4d,
    tf_efficientnet_lite0_equals_timms_in_eval_and_train_mode: TfEfficientNetLite0,
    xresnet18_equals_fastais_in_eval_and_train_mode: XResNet18,
    xresnet34_equals_fastais_in_eval_and_train_mode: XResNet34,
    xresnet50_equals_fastais_in_eval_and_train_mode: XResNet50,
    xresnet101_equals_fastais_in_eval_and_train_mode: XResNet101,
    xresnet152_equals_fastais_in_eval_and_train_mode: XResNet152,
    xresnet18_deep_equals_fastais_in_eval_and_train_mode: XResNet18Deep,
    xresnet34_deep_equals_fastais_in_eval_and_train_mode: XResNet34Deep,
    xresnet50_deep_equals_fastais_in_eval_and_train_mode: XResNet50Deep,
    convnext_atto_equals_timms_in_eval_and_train_mode: ConvNextAtto,
    convnext_femto_equals_timms_in_eval_and_train_mode: ConvNextFemto,
    convnext_pico_equals_timms_in_eval_and_train_mode: ConvNextPico,
    convnext_nano_equals_timms_in_eval_and_train_mode: ConvNextNano,
    convnext_tiny_equals_timms_in_eval_and_train_mode: ConvNextTiny,
    convnext_small_equals_timms_in_eval_and_train_mode: ConvNextSmall,
    convnext_base_equals_timms_in_eval_and_train_mode: ConvNextBase,
    convnextv2_atto_equals_timms_in_eval_and_train_mode: ConvNextV2Atto,
    convnextv2_femto_equals_timms_in_eval_and_train_mode: ConvNextV2Femto,
    convnextv2_pico_equals_timms_in_eval_and_train_mode: ConvNextV2Pico,
    convnextv2_nano_equals_timms_in_eval_and_train_mode: ConvNextV2Nano,
    convnextv2_tiny_equals_timms_in_eval_and_train_mode: ConvNextV2Tiny,
    convnextv2_small_equals_timms_in_eval_and_train_mode: ConvNextV2Small,
    convnextv2_base_equals_timms_in_eval_and_train_mode: ConvNextV2Base,
    vit_tiny_equals_timms_in_eval_and_train_mode_at_another_size: VitTinyPatch16_224,
    vit_small_equals_timms_in_eval_and_train_mode_at_another_size: VitSmallPatch16_224,
    vit_base_equals_timms_in_eval_and_train_mode_at_another_size: VitBasePatch16_224,
    deit3_small_equals_timms_in_eval_and_train_mode_at_another_size: Deit3SmallPatch16_224,
    deit3_base_equals_timms_in_eval_and_train_mode_at_another_size: Deit3BasePatch16_224,
    dinov2_small_equals_timms_in_eval_and_train_mode_at_another_size: VitSmallPatch14DinoV2,
    dinov2_base_equals_timms_in_eval_and_train_mode_at_another_size: VitBasePatch14DinoV2,
}

#[test]
fn the_fixture_covers_every_architecture_of_the_registry() {
    let reference = reference();
    for arch in Arch::ALL {
        assert!(reference.archs.contains_key(arch.name()), "{arch}");
    }
}

#[test]
fn a_wrong_number_anywhere_in_the_reference_is_noticed() {
    type Change = fn(&mut parity::ArchReference);
    let changes: [(&str, Change); 8] = [
        ("logits", |r| r.logits[3][999] += 0.1),
        ("body", |r| r.body.first[1] += 0.1),
        ("body", |r| r.body.sum *= 1.001),
        ("loss", |r| r.train.loss *= 1.001),
        ("gradients", |r| {
            *r.train.grad_l2.get_mut("fc.bias").unwrap() *= 1.01
        }),
        ("gradients", |r| {
            r.train.grad_l2.remove("layer3.0.downsample.1.bias");
        }),
        ("buffers", |r| {
            r.train.buffers.get_mut("bn1.running_var").unwrap()[1] *= 1.001
        }),
        ("buffers", |r| {
            r.train.buffers.insert("bn9.running_var".into(), [1.0, 1.0]);
        }),
    ];
    let arch = Arch::ResNet18;
    for (quantity, change) in changes {
        let mut reference = reference();
        change(reference.archs.get_mut(arch.name()).unwrap());
        for deviation in deviations(arch, &reference) {
            let right = deviation.is_within_tolerance();
            assert_eq!(
                right,
                deviation.quantity != quantity,
                "{quantity}: {deviation}"
            );
        }
    }
}

#[test]
fn another_seed_gives_other_weights() {
    let device = vision_models::test_device();
    let arch = Arch::ResNet18;
    let reference = reference();
    let deviations = parity::compare(arch, &reference.archs[arch.name()], 1, &device).unwrap();
    assert!(
        deviations.iter().all(|d| !d.is_within_tolerance()),
        "{deviations:?}"
    );
}

#[test]
fn a_reference_that_contradicts_itself_is_an_error_that_names_the_field() {
    type Change = fn(&mut parity::ArchReference);
    let changes: [(&str, Change); 5] = [
        ("input", |r| r.input[1] = 4),
        ("input", |r| r.input[2] = 0),
        ("logits", |r| r.logits[2].truncate(10)),
        ("train.targets", |r| r.train.targets[0] = 1000),
        ("train.targets", |r| r.train.targets.truncate(3)),
    ];
    let device = vision_models::test_device();
    for (name, change) in changes {
        let mut reference = reference().archs.remove("resnet18").unwrap();
        change(&mut reference);
        match parity::compare(Arch::ResNet18, &reference, 0, &device) {
            Err(Error::Reference { field, .. }) => assert_eq!(field, name),
            other => panic!("{name}: {other:?}"),
        }
    }
}
