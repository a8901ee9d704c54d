//! Names of timm: its architectures, and the tags of its weights on Hugging Face's hub.

use crate::arch::Arch;
use crate::arch::info::WeightsPlace;

/// Architectures by timm's names, with the tags of their published weights: `timm/NAME.TAG`. `list_pretrained` of timm
/// 1.0.31 (`scripts/make_timm_hub_fixture.py`). An architecture that has the same name here need not be in this table.
const PUBLISHED: [(&str, Arch, &[&str]); 64] = [
    (
        "resnet18",
        Arch::ResNet18,
        &[
            "a1_in1k",
            "a2_in1k",
            "a3_in1k",
            "fb_ssl_yfcc100m_ft_in1k",
            "fb_swsl_ig1b_ft_in1k",
            "gluon_in1k",
            "tv_in1k",
        ],
    ),
    (
        "resnet34",
        Arch::ResNet34,
        &[
            "a1_in1k",
            "a2_in1k",
            "a3_in1k",
            "bt_in1k",
            "gluon_in1k",
            "ra4_e3600_r224_in1k",
            "tv_in1k",
        ],
    ),
    (
        "resnet50",
        Arch::ResNet50,
        &[
            "a1_in1k",
            "a1h_in1k",
            "a2_in1k",
            "a3_in1k",
            "am_in1k",
            "b1k_in1k",
            "b2k_in1k",
            "bamboo",
            "bt_in1k",
            "c1_in1k",
            "c2_in1k",
            "d_in1k",
            "fb_ssl_yfcc100m_ft_in1k",
            "fb_swsl_ig1b_ft_in1k",
            "gluon_in1k",
            "ra_in1k",
            "ram_in1k",
            "tv2_in1k",
            "tv_in1k",
        ],
    ),
    ("resnet101", Arch::ResNet101, RESNET_DEEP),
    ("resnet152", Arch::ResNet152, RESNET_DEEP),
    ("densenet121", Arch::DenseNet121, &["ra_in1k", "tv_in1k"]),
    ("densenet169", Arch::DenseNet169, TORCHVISION),
    ("densenet201", Arch::DenseNet201, TORCHVISION),
    ("densenet161", Arch::DenseNet161, TORCHVISION),
    ("vgg11_bn", Arch::Vgg11Bn, TORCHVISION),
    ("vgg13_bn", Arch::Vgg13Bn, TORCHVISION),
    ("vgg16_bn", Arch::Vgg16Bn, TORCHVISION),
    ("vgg19_bn", Arch::Vgg19Bn, TORCHVISION),
    ("mobilenetv2_100", Arch::MobileNetV2, &["ra_in1k"]),
    (
        "tf_efficientnet_lite0",
        Arch::TfEfficientNetLite0,
        &["in1k"],
    ),
    (
        "resnext50_32x4d",
        Arch::ResNeXt50_32x4d,
        &[
            "a1_in1k",
            "a1h_in1k",
            "a2_in1k",
            "a3_in1k",
            "fb_ssl_yfcc100m_ft_in1k",
            "fb_swsl_ig1b_ft_in1k",
            "gluon_in1k",
            "ra_in1k",
            "tv2_in1k",
            "tv_in1k",
        ],
    ),
    (
        "resnext101_32x8d",
        Arch::ResNeXt101_32x8d,
        &[
            "fb_ssl_yfcc100m_ft_in1k",
            "fb_swsl_ig1b_ft_in1k",
            "fb_wsl_ig1b_ft_in1k",
            "tv2_in1k",
            "tv_in1k",
        ],
    ),
    (
        "resnext101_64x4d",
        Arch::ResNeXt101_64x4d,
        &["c1_in1k", "gluon_in1k", "tv_in1k"],
    ),
    (
        "wide_resnet50_2",
        Arch::WideResNet50_2,
        &["racm_in1k", "tv2_in1k", "tv_in1k"],
    ),
    (
        "efficientnet_b0",
        Arch::EfficientNetB0,
        &["ra4_e3600_r224_in1k", "ra_in1k"],
    ),
    (
        "efficientnet_b1",
        Arch::EfficientNetB1,
        &["ft_in1k", "ra4_e3600_r240_in1k"],
    ),
    ("efficientnet_b2", Arch::EfficientNetB2, &["ra_in1k"]),
    ("efficientnet_b3", Arch::EfficientNetB3, &["ra2_in1k"]),
    ("efficientnet_b4", Arch::EfficientNetB4, &["ra2_in1k"]),
    (
        "tf_efficientnetv2_s",
        Arch::TfEfficientNetV2S,
        &["in1k", "in21k", "in21k_ft_in1k"],
    ),
    (
        "mobilenetv3_large_100",
        Arch::MobileNetV3Large100,
        &[
            "miil_in21k",
            "miil_in21k_ft_in1k",
            "ra4_e3600_r224_in1k",
            "ra_in1k",
        ],
    ),
    (
        "mobilenetv3_small_100",
        Arch::MobileNetV3Small100,
        &["lamb_in1k"],
    ),
    (
        "mobilenetv4_conv_small",
        Arch::MobileNetV4ConvSmall,
        &["e1200_r224_in1k", "e2400_r224_in1k", "e3600_r256_in1k"],
    ),
    (
        "mobilenetv4_conv_medium",
        Arch::MobileNetV4ConvMedium,
        &[
            "e180_ad_r384_in12k",
            "e180_r384_in12k",
            "e250_r384_in12k",
            "e250_r384_in12k_ft_in1k",
            "e500_r224_in1k",
            "e500_r256_in1k",
        ],
    ),
    ("regnety_004", Arch::RegNetY004, &["pycls_in1k", "tv2_in1k"]),
    ("regnety_008", Arch::RegNetY008, &["pycls_in1k"]),
    ("regnety_008_tv", Arch::RegNetY800Mf, &["tv2_in1k"]),
    ("regnety_016", Arch::RegNetY016, &["pycls_in1k", "tv2_in1k"]),
    (
        "regnety_032",
        Arch::RegNetY032,
        &["pycls_in1k", "ra_in1k", "tv2_in1k"],
    ),
    ("regnety_040", Arch::RegNetY040, &["pycls_in1k", "ra3_in1k"]),
    ("regnety_064", Arch::RegNetY064, &["pycls_in1k", "ra3_in1k"]),
    ("regnety_080", Arch::RegNetY080, &["pycls_in1k", "ra3_in1k"]),
    ("regnety_080_tv", Arch::RegNetY8Gf, &["tv2_in1k"]),
    (
        "resnet18d",
        Arch::ResNet18D,
        &["ra2_in1k", "ra4_e3600_r224_in1k"],
    ),
    ("resnet34d", Arch::ResNet34D, &["ra2_in1k"]),
    (
        "resnet50d",
        Arch::ResNet50D,
        &[
            "a1_in1k",
            "a2_in1k",
            "a3_in1k",
            "gluon_in1k",
            "ra2_in1k",
            "ra4_e3600_r224_in1k",
        ],
    ),
    ("resnet101d", Arch::ResNet101D, &["gluon_in1k", "ra2_in1k"]),
    (
        "seresnet50",
        Arch::SeResNet50,
        &["a1_in1k", "a2_in1k", "a3_in1k", "ra2_in1k"],
    ),
    (
        "seresnext50_32x4d",
        Arch::SeResNeXt50_32x4d,
        &["gluon_in1k", "racm_in1k"],
    ),
    ("convnext_atto", Arch::ConvNextAtto, &["d2_in1k"]),
    ("convnext_femto", Arch::ConvNextFemto, &["d1_in1k"]),
    ("convnext_pico", Arch::ConvNextPico, &["d1_in1k"]),
    (
        "convnext_nano",
        Arch::ConvNextNano,
        &[
            "d1h_in1k",
            "in12k",
            "in12k_ft_in1k",
            "r384_ad_in12k",
            "r384_in12k",
            "r384_in12k_ft_in1k",
        ],
    ),
    (
        "convnext_tiny",
        Arch::ConvNextTiny,
        &[
            "dinov3_lvd1689m",
            "eupe_lvd1689m",
            "fb_in1k",
            "fb_in22k",
            "fb_in22k_ft_in1k",
            "fb_in22k_ft_in1k_384",
            "in12k",
            "in12k_ft_in1k",
            "in12k_ft_in1k_384",
        ],
    ),
    (
        "convnext_small",
        Arch::ConvNextSmall,
        &[
            "dinov3_lvd1689m",
            "eupe_lvd1689m",
            "fb_in1k",
            "fb_in22k",
            "fb_in22k_ft_in1k",
            "fb_in22k_ft_in1k_384",
            "in12k",
            "in12k_ft_in1k",
            "in12k_ft_in1k_384",
        ],
    ),
    (
        "convnext_base",
        Arch::ConvNextBase,
        &[
            "clip_laion2b",
            "clip_laion2b_augreg",
            "clip_laion2b_augreg_ft_in12k",
            "clip_laion2b_augreg_ft_in12k_in1k",
            "clip_laion2b_augreg_ft_in12k_in1k_384",
            "clip_laion2b_augreg_ft_in1k",
            "clip_laiona",
            "clip_laiona_320",
            "clip_laiona_augreg_320",
            "clip_laiona_augreg_ft_in1k_384",
            "dinov3_lvd1689m",
            "eupe_lvd1689m",
            "fb_in1k",
            "fb_in22k",
            "fb_in22k_ft_in1k",
            "fb_in22k_ft_in1k_384",
        ],
    ),
    (
        "convnextv2_atto",
        Arch::ConvNextV2Atto,
        &["fcmae", "fcmae_ft_in1k"],
    ),
    (
        "convnextv2_femto",
        Arch::ConvNextV2Femto,
        &["fcmae", "fcmae_ft_in1k"],
    ),
    (
        "convnextv2_pico",
        Arch::ConvNextV2Pico,
        &["fcmae", "fcmae_ft_in1k"],
    ),
    (
        "convnextv2_nano",
        Arch::ConvNextV2Nano,
        &[
            "fcmae",
            "fcmae_ft_in1k",
            "fcmae_ft_in22k_in1k",
            "fcmae_ft_in22k_in1k_384",
        ],
    ),
    (
        "convnextv2_tiny",
        Arch::ConvNextV2Tiny,
        &[
            "fcmae",
            "fcmae_ft_in1k",
            "fcmae_ft_in22k_in1k",
            "fcmae_ft_in22k_in1k_384",
        ],
    ),
    (
        "convnextv2_base",
        Arch::ConvNextV2Base,
        &[
            "fcmae",
            "fcmae_ft_in1k",
            "fcmae_ft_in22k_in1k",
            "fcmae_ft_in22k_in1k_384",
        ],
    ),
    (
        "vit_tiny_patch16_224",
        Arch::VitTinyPatch16_224,
        &["augreg_in21k", "augreg_in21k_ft_in1k"],
    ),
    (
        "vit_small_patch16_224",
        Arch::VitSmallPatch16_224,
        &[
            "augreg_in1k",
            "augreg_in21k",
            "augreg_in21k_ft_in1k",
            "dino",
        ],
    ),
    (
        "vit_base_patch16_224",
        Arch::VitBasePatch16_224,
        &[
            "augreg2_in21k_ft_in1k",
            "augreg_in1k",
            "augreg_in21k",
            "augreg_in21k_ft_in1k",
            "bamboo",
            "dino",
            "mae",
            "orig_in21k",
            "orig_in21k_ft_in1k",
            "sam_in1k",
        ],
    ),
    (
        "deit3_small_patch16_224",
        Arch::Deit3SmallPatch16_224,
        &["fb_in1k", "fb_in22k_ft_in1k"],
    ),
    (
        "deit3_base_patch16_224",
        Arch::Deit3BasePatch16_224,
        &["fb_in1k", "fb_in22k_ft_in1k"],
    ),
    (
        "vit_small_patch14_dinov2",
        Arch::VitSmallPatch14DinoV2,
        &["lvd142m"],
    ),
    (
        "vit_base_patch14_dinov2",
        Arch::VitBasePatch14DinoV2,
        &["lvd142m"],
    ),
];
const RESNET_DEEP: &[&str] = &[
    "a1_in1k",
    "a1h_in1k",
    "a2_in1k",
    "a3_in1k",
    "gluon_in1k",
    "tv2_in1k",
    "tv_in1k",
];
const TORCHVISION: &[&str] = &["tv_in1k"];

impl Arch {
    /// The architecture that timm calls so: `mobilenetv2_100` is [`MobileNetV2`](Self::MobileNetV2). `None` if it is not
    /// among those of this crate.
    ///
    /// ```
    /// use vision_models::Arch;
    /// assert_eq!(Arch::from_timm("mobilenetv2_100"), Some(Arch::MobileNetV2));
    /// assert_eq!(Arch::from_timm("efficientdet_d0"), None);
    /// ```
    pub fn from_timm(name: &str) -> Option<Self> {
        Self::with_timms_weights(name).or_else(|| name.parse().ok())
    }

    /// The architecture of published weights of timm.
    pub(super) fn with_timms_weights(name: &str) -> Option<Self> {
        let row = PUBLISHED.iter().find(|row| row.0 == name);
        row.map(|row| row.1)
    }

    /// The repositories of timm on Hugging Face's hub that are known to have weights of this architecture.
    ///
    /// ```
    /// use vision_models::Arch;
    /// let known = Arch::DenseNet121.repositories();
    /// assert_eq!(known, ["timm/densenet121.ra_in1k", "timm/densenet121.tv_in1k"]);
    /// ```
    pub fn repositories(self) -> Vec<String> {
        let rows = PUBLISHED.iter().filter(|row| row.1 == self);
        let published = rows
            .flat_map(|(name, _, tags)| tags.iter().map(move |tag| format!("timm/{name}.{tag}")));
        let mut known: Vec<String> = published.collect();
        let best = self.info().weights.as_ref().map(|weights| weights.place);
        if let Some(WeightsPlace::Hub { repository }) = best
            && !known.iter().any(|name| name == repository)
        {
            known.push(repository.to_owned());
        }
        known
    }
}

/// Known repositories of timm that a name may mean which differs by a typo or lacks its tag, nearest first, at most five.
///
/// ```
/// let near = vision_models::near_repositories("timm/resnet18.tv_in_1k");
/// assert_eq!(near[0], "timm/resnet18.tv_in1k");
/// ```
pub fn near_repositories(name: &str) -> Vec<String> {
    const SHOWN: usize = 5;
    const LONGEST: usize = 200;
    let plain = |name: &str| -> String {
        let letters = name.chars().filter(|c| c.is_alphanumeric());
        letters.take(LONGEST).flat_map(char::to_lowercase).collect()
    };
    let own = |name: &str| name.strip_prefix("timm/").unwrap_or(name).to_owned();
    let given = own(name);
    let wanted = plain(&given);
    let has_tag = given.contains('.');
    let mut near = Vec::new();
    for known in Arch::ALL.iter().flat_map(|arch| arch.repositories()) {
        let name = own(&known);
        let arch = name.split('.').next().unwrap_or_default();
        let whole = strsim::damerau_levenshtein(&wanted, &plain(&name));
        // Without a tag only the architecture counts; with a wrong one the tags of the right architecture are near.
        let by_arch = match given.split('.').next() {
            Some(given) if !has_tag => strsim::damerau_levenshtein(&plain(given), &plain(arch)),
            Some(given) if plain(given) == plain(arch) => 0,
            _ => usize::MAX,
        };
        if 4 * whole <= wanted.len() || by_arch <= wanted.len() / 8 {
            near.push((by_arch.min(whole), whole, known));
        }
    }
    near.sort();
    near.into_iter()
        .take(SHOWN)
        .map(|(_, _, name)| name)
        .collect()
}
