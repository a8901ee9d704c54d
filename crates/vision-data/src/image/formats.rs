//! File formats by their extensions.

/// The extensions of image files, in lower case; a file's own may be in any case. The list is the
/// same on every machine, where fastai's depends on the system's table of types.
pub const IMAGE_EXTENSIONS: [&str; 14] = [
    "bmp", "gif", "jfif", "jpe", "jpeg", "jpg", "pbm", "pgm", "png", "pnm", "ppm", "tif", "tiff",
    "webp",
];

/// The extensions of pictures in formats that are not read here, in lower case. Files of such names are no
/// items, and `Index::unread` has them, so that they do not vanish without a word.
pub const UNREAD_EXTENSIONS: [&str; 26] = [
    "arw", "avif", "cr2", "cr3", "dds", "dng", "exr", "hdr", "heic", "heif", "hif", "ico", "j2k",
    "jp2", "jxl", "nef", "orf", "pcx", "psd", "qoi", "raf", "rw2", "svg", "svgz", "tga", "xcf",
];
