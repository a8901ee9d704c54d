//! Image file formats by extension.

/// The extensions of image files, in lower case. Extensions are matched in any case. The list is the
/// same on every machine, while fastai's depends on the MIME types known to the system.
pub const IMAGE_EXTENSIONS: [&str; 14] = [
    "bmp", "gif", "jfif", "jpe", "jpeg", "jpg", "pbm", "pgm", "png", "pnm", "ppm", "tif", "tiff",
    "webp",
];

/// The extensions of image formats that are not supported, in lower case. Files with these extensions are not
/// items. `Index::unread` lists them, so that they are not dropped silently.
pub const UNREAD_EXTENSIONS: [&str; 26] = [
    "arw", "avif", "cr2", "cr3", "dds", "dng", "exr", "hdr", "heic", "heif", "hif", "ico", "j2k",
    "jp2", "jxl", "nef", "orf", "pcx", "psd", "qoi", "raf", "rw2", "svg", "svgz", "tga", "xcf",
];
