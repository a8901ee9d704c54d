//! The table of fastai's datasets.

use crate::datasets::dataset::Dataset;

/// fastai's image datasets.
#[doc(alias = "URLs")]
#[derive(Debug)]
#[non_exhaustive]
pub struct Urls;

macro_rules! urls {
    ($($(#[$doc:meta])* $name:ident = $path:literal, $size:literal;)*) => {
        impl Urls {
            $(
                $(#[$doc])*
                pub const $name: Dataset = Dataset::known(
                    concat!("https://s3.amazonaws.com/fast-ai-", $path, ".tgz"),
                    $size,
                );
            )*

            /// All datasets with the names of their constants.
            pub const ALL: &'static [(&'static str, Dataset)] =
                &[$((stringify!($name), Urls::$name)),*];
        }
    };
}

urls! {
    /// 3s and 7s of MNIST: 12,396 + 2,038 images of 28×28, folders `train/3`, `train/7`, `valid/3`, `valid/7`.
    MNIST_SAMPLE = "sample/mnist_sample", 3_214_948;
    /// 1,428 images of 3s and 7s, for trying things out.
    MNIST_TINY = "sample/mnist_tiny", 342_207;
    /// As `MNIST_TINY`, with images of various sizes.
    MNIST_VAR_SIZE_TINY = "imageclas/mnist_var_size_tiny", 565_372;
    /// The handwritten digits, as PNG.
    MNIST = "imageclas/mnist_png", 15_683_414;
    /// CIFAR-10, as PNG.
    CIFAR = "sample/cifar10", 168_168_549;
    /// CIFAR-100, as PNG.
    CIFAR_100 = "imageclas/cifar100", 169_168_619;
    /// Oxford-IIIT Pet: 37 breeds of cats and dogs.
    PETS = "imageclas/oxford-iiit-pet", 811_706_944;
    /// A sample of satellite images of the Amazon with several labels each.
    PLANET_SAMPLE = "sample/planet_sample", 15_523_994;
    /// A smaller sample of the same.
    PLANET_TINY = "sample/planet_tiny", 997_569;
    /// Ten easy classes of ImageNet, full size.
    IMAGENETTE = "imageclas/imagenette2", 1_557_161_267;
    /// Ten easy classes of ImageNet, shorter side 160.
    IMAGENETTE_160 = "imageclas/imagenette2-160", 99_003_388;
    /// Ten easy classes of ImageNet, shorter side 320.
    IMAGENETTE_320 = "imageclas/imagenette2-320", 341_663_724;
    /// Ten breeds of dogs of ImageNet, full size.
    IMAGEWOOF = "imageclas/imagewoof2", 1_343_715_595;
    /// Ten breeds of dogs of ImageNet, shorter side 160.
    IMAGEWOOF_160 = "imageclas/imagewoof2-160", 92_612_825;
    /// Ten breeds of dogs of ImageNet, shorter side 320.
    IMAGEWOOF_320 = "imageclas/imagewoof2-320", 328_387_740;
    /// Cats and dogs of the Kaggle competition.
    DOGS = "sample/dogscats", 839_285_364;
    /// Caltech 101: objects of 101 kinds.
    CALTECH_101 = "imageclas/caltech_101", 131_740_031;
    /// Stanford Cars: 196 models.
    CARS = "imageclas/stanford-cars", 1_957_803_273;
    /// Caltech-UCSD Birds: 200 species.
    CUB_200_2011 = "imageclas/CUB_200_2011", 1_150_585_339;
    /// Oxford Flowers: 102 species.
    FLOWERS = "imageclas/oxford-102-flowers", 345_236_087;
    /// Food-101: dishes of 101 kinds.
    FOOD = "imageclas/food-101", 5_686_607_260;
}
