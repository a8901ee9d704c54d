//! Names of timm: its architectures, and the tags of its weights on Hugging Face's hub.

use crate::arch::Arch;
use crate::arch::info::WeightsPlace;

/// Architectures by timm's names, with the tags of their published weights: `timm/NAME.TAG`. `list_pretrained` of timm
/// 1.0.31 (`scripts/make_timm_hub_fixture.py`). An architecture that has the same name here need not be in this table.
const PUBLISHED: [(&str, Arch, &[&str]); 15] = [
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
        let published = PUBLISHED.iter().find(|row| row.0 == name).map(|row| row.1);
        published.or_else(|| name.parse().ok())
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
