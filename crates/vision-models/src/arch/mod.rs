//! Architectures: one file per family, and one entry per architecture in the table below.
//!
//! `docs/adding-an-architecture.md` in the repository shows how to add one.

mod alexnet;
pub(crate) mod convnext;
pub(crate) mod densenet;
mod efficientnet;
mod info;
mod mbconv;
pub(crate) mod mobilenet;
mod mobilenet_v3;
mod mobilenet_v4;
mod name;
mod regnet;
pub(crate) mod resnet;
mod resnet_timm;
pub(crate) mod squeezenet;
pub(crate) mod timm;
mod vgg;
pub(crate) mod vit;
pub(crate) mod xresnet;

pub use info::{ArchInfo, WeightsInfo, WeightsPlace};

/// Generates the enum, its list and the access to the entries from one line per architecture.
macro_rules! registry {
    ($(#[$about:meta])* pub enum Arch { $($(#[$doc:meta])* $arch:ident => $entry:path,)+ }) => {
        $(#[$about])*
        #[doc(alias = "models")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Arch {
            $($(#[$doc])* $arch,)+
        }

        impl Arch {
            /// Every architecture, in the order of the registry.
            pub const ALL: &[Self] = &[$(Self::$arch,)+];

            /// The registry entry.
            pub fn info(self) -> &'static ArchInfo {
                match self {
                    $(Self::$arch => &$entry,)+
                }
            }
        }
    };
}

registry! {
    /// A backbone architecture.
    ///
    /// It parses from and prints as the name in torchvision or timm (in fastai for the xresnets). Where both have a name, it
    /// parses from either:
    ///
    /// ```
    /// use vision_models::Arch;
    /// let arch: Arch = "resnet50".parse()?;
    /// assert_eq!((arch, arch.to_string().as_str()), (Arch::ResNet50, "resnet50"));
    /// assert_eq!(arch.info().features, 2048);
    /// assert_eq!("mobilenetv2_100".parse::<Arch>()?, Arch::MobileNetV2);
    /// assert_eq!("regnet_y_400mf".parse::<Arch>()?, Arch::RegNetY004);
    /// # Ok::<(), vision_models::Error>(())
    /// ```
    ///
    /// The sizes below include a classifier of ImageNet's 1000 classes, which transfer learning
    /// drops.
    pub enum Arch {
        /// ResNet-18: 11.7 million parameters.
        ResNet18 => resnet::RESNET18,
        /// ResNet-34: 21.8 million.
        ResNet34 => resnet::RESNET34,
        /// ResNet-50: 25.6 million.
        ResNet50 => resnet::RESNET50,
        /// ResNet-101: 44.5 million.
        ResNet101 => resnet::RESNET101,
        /// ResNet-152: 60.2 million.
        ResNet152 => resnet::RESNET152,
        /// SqueezeNet 1.0: 1.2 million.
        SqueezeNet1_0 => squeezenet::SQUEEZENET1_0,
        /// SqueezeNet 1.1: 1.2 million, at less than half of 1.0's time.
        SqueezeNet1_1 => squeezenet::SQUEEZENET1_1,
        /// DenseNet-121: 8.0 million.
        DenseNet121 => densenet::DENSENET121,
        /// DenseNet-169: 14.1 million.
        DenseNet169 => densenet::DENSENET169,
        /// DenseNet-201: 20.0 million.
        DenseNet201 => densenet::DENSENET201,
        /// DenseNet-161: 28.7 million; wider than the others.
        DenseNet161 => densenet::DENSENET161,
        /// VGG-11 with batch norm: 132.9 million, 9.2 in the body.
        Vgg11Bn => vgg::VGG11_BN,
        /// VGG-13 with batch norm: 133.1 million, 9.4 in the body.
        Vgg13Bn => vgg::VGG13_BN,
        /// VGG-16 with batch norm: 138.4 million, 14.7 in the body.
        Vgg16Bn => vgg::VGG16_BN,
        /// VGG-19 with batch norm: 143.7 million, 20.0 in the body.
        Vgg19Bn => vgg::VGG19_BN,
        /// AlexNet: 61.1 million, 2.5 in the body.
        AlexNet => alexnet::ALEXNET,
        /// MobileNet V2: 3.5 million.
        MobileNetV2 => mobilenet::MOBILENET_V2,
        /// ResNeXt-50 of 32 groups: 25.0 million.
        ResNeXt50_32x4d => resnet::RESNEXT50_32X4D,
        /// ResNeXt-101 of 32 wide groups: 88.8 million.
        ResNeXt101_32x8d => resnet::RESNEXT101_32X8D,
        /// ResNeXt-101 of 64 groups: 83.5 million.
        ResNeXt101_64x4d => resnet::RESNEXT101_64X4D,
        /// Wide ResNet-50, with twice the channels inside of its blocks: 68.9 million.
        WideResNet50_2 => resnet::WIDE_RESNET50_2,
        /// EfficientNet-B0: 5.3 million.
        EfficientNetB0 => efficientnet::EFFICIENTNET_B0,
        /// EfficientNet-B1: 7.8 million.
        EfficientNetB1 => efficientnet::EFFICIENTNET_B1,
        /// EfficientNet-B2: 9.1 million.
        EfficientNetB2 => efficientnet::EFFICIENTNET_B2,
        /// EfficientNet-B3: 12.2 million.
        EfficientNetB3 => efficientnet::EFFICIENTNET_B3,
        /// EfficientNet-B4: 19.3 million.
        EfficientNetB4 => efficientnet::EFFICIENTNET_B4,
        /// torchvision's EfficientNetV2-S: 21.5 million.
        EfficientNetV2S => efficientnet::EFFICIENTNET_V2_S,
        /// timm's EfficientNetV2-S, with TensorFlow's padding: 21.5 million.
        TfEfficientNetV2S => efficientnet::TF_EFFICIENTNETV2_S,
        /// torchvision's MobileNetV3-Large, whose batch norms have other numbers than timm's: 5.5 million.
        MobileNetV3Large => mobilenet_v3::MOBILENET_V3_LARGE,
        /// torchvision's MobileNetV3-Small: 2.5 million.
        MobileNetV3Small => mobilenet_v3::MOBILENET_V3_SMALL,
        /// timm's MobileNetV3-Large: 5.5 million.
        MobileNetV3Large100 => mobilenet_v3::MOBILENETV3_LARGE_100,
        /// timm's MobileNetV3-Small: 2.5 million.
        MobileNetV3Small100 => mobilenet_v3::MOBILENETV3_SMALL_100,
        /// MobileNetV4-Conv-Small: 3.8 million.
        MobileNetV4ConvSmall => mobilenet_v4::MOBILENETV4_CONV_SMALL,
        /// MobileNetV4-Conv-Medium: 9.7 million.
        MobileNetV4ConvMedium => mobilenet_v4::MOBILENETV4_CONV_MEDIUM,
        /// RegNetY of 400 million multiply-adds: 4.3 million parameters.
        RegNetY004 => regnet::REGNETY_004,
        /// timm's RegNetY of 800 million multiply-adds: 6.3 million.
        RegNetY008 => regnet::REGNETY_008,
        /// torchvision's RegNetY of 800 million multiply-adds: 6.4 million.
        RegNetY800Mf => regnet::REGNET_Y_800MF,
        /// RegNetY of 1.6 billion multiply-adds: 11.2 million.
        RegNetY016 => regnet::REGNETY_016,
        /// RegNetY of 3.2 billion multiply-adds: 19.4 million.
        RegNetY032 => regnet::REGNETY_032,
        /// RegNetY of 4 billion multiply-adds: 20.6 million.
        RegNetY040 => regnet::REGNETY_040,
        /// RegNetY of 6.4 billion multiply-adds: 30.6 million.
        RegNetY064 => regnet::REGNETY_064,
        /// timm's RegNetY of 8 billion multiply-adds: 39.2 million.
        RegNetY080 => regnet::REGNETY_080,
        /// torchvision's RegNetY of 8 billion multiply-adds: 39.4 million.
        RegNetY8Gf => regnet::REGNET_Y_8GF,
        /// timm's ResNet-18-D: 11.7 million.
        ResNet18D => resnet_timm::RESNET18D,
        /// timm's ResNet-34-D: 21.8 million.
        ResNet34D => resnet_timm::RESNET34D,
        /// timm's ResNet-50-D: 25.6 million.
        ResNet50D => resnet_timm::RESNET50D,
        /// timm's ResNet-101-D: 44.6 million.
        ResNet101D => resnet_timm::RESNET101D,
        /// timm's ResNet-50 with squeeze and excitation: 28.1 million.
        SeResNet50 => resnet_timm::SERESNET50,
        /// timm's ResNeXt-50 with squeeze and excitation: 27.6 million.
        SeResNeXt50_32x4d => resnet_timm::SERESNEXT50_32X4D,
        /// timm's EfficientNet-Lite0, with TensorFlow's padding: 4.7 million.
        TfEfficientNetLite0 => efficientnet::TF_EFFICIENTNET_LITE0,
        /// fastai's xresnet18: 11.7 million. There are no published weights of the xresnets.
        XResNet18 => xresnet::XRESNET18,
        /// fastai's xresnet34: 21.8 million.
        XResNet34 => xresnet::XRESNET34,
        /// fastai's xresnet50: 25.6 million.
        XResNet50 => xresnet::XRESNET50,
        /// fastai's xresnet101: 44.6 million.
        XResNet101 => xresnet::XRESNET101,
        /// fastai's xresnet152: 60.2 million.
        XResNet152 => xresnet::XRESNET152,
        /// fastai's xresnet18 with two more stages: 14.5 million.
        XResNet18Deep => xresnet::XRESNET18_DEEP,
        /// fastai's xresnet34 with two more stages: 24.6 million.
        XResNet34Deep => xresnet::XRESNET34_DEEP,
        /// fastai's xresnet50 with two more stages: 29.1 million.
        XResNet50Deep => xresnet::XRESNET50_DEEP,
        /// timm's ConvNeXt-Atto: 3.7 million.
        ConvNextAtto => convnext::CONVNEXT_ATTO,
        /// timm's ConvNeXt-Femto: 5.2 million.
        ConvNextFemto => convnext::CONVNEXT_FEMTO,
        /// timm's ConvNeXt-Pico: 9.0 million.
        ConvNextPico => convnext::CONVNEXT_PICO,
        /// timm's ConvNeXt-Nano: 15.6 million.
        ConvNextNano => convnext::CONVNEXT_NANO,
        /// timm's ConvNeXt-Tiny: 28.6 million.
        ConvNextTiny => convnext::CONVNEXT_TINY,
        /// timm's ConvNeXt-Small: 50.2 million.
        ConvNextSmall => convnext::CONVNEXT_SMALL,
        /// timm's ConvNeXt-Base: 88.6 million.
        ConvNextBase => convnext::CONVNEXT_BASE,
        /// timm's ConvNeXt V2-Atto: 3.7 million.
        ConvNextV2Atto => convnext::CONVNEXTV2_ATTO,
        /// timm's ConvNeXt V2-Femto: 5.2 million.
        ConvNextV2Femto => convnext::CONVNEXTV2_FEMTO,
        /// timm's ConvNeXt V2-Pico: 9.1 million.
        ConvNextV2Pico => convnext::CONVNEXTV2_PICO,
        /// timm's ConvNeXt V2-Nano: 15.6 million.
        ConvNextV2Nano => convnext::CONVNEXTV2_NANO,
        /// timm's ConvNeXt V2-Tiny: 28.6 million.
        ConvNextV2Tiny => convnext::CONVNEXTV2_TINY,
        /// timm's ConvNeXt V2-Small: 50.3 million.
        ConvNextV2Small => convnext::CONVNEXTV2_SMALL,
        /// timm's ConvNeXt V2-Base: 88.7 million.
        ConvNextV2Base => convnext::CONVNEXTV2_BASE,
        /// timm's ViT-Ti/16: 5.7 million. Sides of images are multiples of 16 pixels.
        VitTinyPatch16_224 => vit::VIT_TINY,
        /// timm's ViT-S/16: 22.1 million.
        VitSmallPatch16_224 => vit::VIT_SMALL,
        /// timm's ViT-B/16: 86.6 million.
        VitBasePatch16_224 => vit::VIT_BASE,
        /// timm's DeiT III-S/16: 22.1 million.
        Deit3SmallPatch16_224 => vit::DEIT3_SMALL,
        /// timm's DeiT III-B/16: 86.6 million.
        Deit3BasePatch16_224 => vit::DEIT3_BASE,
        /// timm's DINOv2 ViT-S/14: 22.1 million without a classifier. Sides of images are multiples of 14 pixels.
        VitSmallPatch14DinoV2 => vit::DINOV2_SMALL,
        /// timm's DINOv2 ViT-B/14: 86.6 million without a classifier.
        VitBasePatch14DinoV2 => vit::DINOV2_BASE,
    }
}
